"""One process a directory: an advisory lock that names its holder."""

import fcntl
import os
from pathlib import Path

from iambridge.errors import InputError


def hold(directory: Path, what: str) -> int:
    """Lock `directory` until the descriptor returned is closed, or the process ends; `what` says what would run on it.

    Raises:
        InputError: another process holds it, with its process id.
        OSError: the lock file cannot be made.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise InputError(
            f"another {what} (process {holder}) runs on {directory}",
            fix="stop it, or give --data-dir another directory for a second sandbox",
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
