"""The environment that `iambridge run` starts a command with: a pod's, as far as a laptop can give it."""

import re
import sys
from collections.abc import Iterable, Mapping

from iambridge.errors import InputError

# What a program needs of the machine it runs on and that says nothing of who runs it. LC_* stay, too.
KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "COLORTERM", "LANG", "LANGUAGE", "TZ", "TMPDIR")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def machine_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`KEPT` and the locale; of AWS_* and KUBE* nothing."""
    return {name: value for name, value in environment.items() if name in KEPT or name.startswith("LC_")}


def asked_environment(words: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """`--env NAME=VALUE` sets, `--env NAME` hands the caller's value on.

    Raises:
        InputError: no name, or a name that the caller has no value for.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if _NAME.fullmatch(name) is None:
            raise InputError(f"`{name}` is no variable's name", where="--env", fix="write --env NAME=VALUE or NAME")
        if not equals and name not in environment:
            raise InputError(f"`{name}` is not set here", where="--env", fix=f"write --env {name}=VALUE, or export it")
        found[name] = value if equals else environment[name]
    return found


def tell(line: str) -> None:
    """A line for the person: the command's own output is not mixed with it."""
    print(line, file=sys.stderr, flush=True)
