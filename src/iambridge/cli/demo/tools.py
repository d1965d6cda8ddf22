"""Finds the real clients: kubectl and aws from PATH, else the pinned ones; iambridge is always this one."""

import shutil
import sys

from iambridge.errors import InputError


def executable(name: str, path: str) -> list[str]:
    """The argv prefix that runs `name`.

    Raises:
        InputError: it is nowhere, with how to get it.
    """
    if name == "iambridge":
        return [sys.executable, "-m", "iambridge"]
    found = shutil.which(name, path=path)
    if found is None:
        raise InputError(
            f"{name} is not on PATH",
            cause="the pinned kubectl wheel has no build for this machine" if name == "kubectl" else "",
            fix=f"install {name} and put it on PATH" if name == "kubectl" else "install iambridge[sandbox]",
        )
    return [found]
