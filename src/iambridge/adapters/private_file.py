"""Files and directories that only their owner may read, written whole."""

import os
import stat
from pathlib import Path

from iambridge.errors import InputError


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` atomically by a file that only its owner may read."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def private_directory(path: Path) -> Path:
    """`path`, made with mode 0700 when absent.

    Raises:
        InputError: it is a link or no directory, is another user's, or group or others may do something in it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise InputError(f"cannot make the directory {path}: {error.strerror}", where=str(path),
                         fix="make its parent writable for you") from error  # fmt: skip
    refuse_open(found, path, directory=True)
    return path


def refuse_open(found: os.stat_result, path: Path, *, directory: bool = False) -> None:
    """Raises InputError for what another user owns or may read, and for what is no plain file or directory."""
    wanted = stat.S_ISDIR(found.st_mode) if directory else stat.S_ISREG(found.st_mode)
    kind, mode = ("directory", "0700") if directory else ("file", "0600")
    if not wanted:
        raise InputError(f"{path} is not a plain {kind}", where=str(path), fix="remove it, or name another place")
    if found.st_uid != os.geteuid():
        raise InputError(f"{path} is another user's", where=str(path), fix="remove it, or name another place")
    if found.st_mode & 0o077:
        raise InputError(f"group or others may use {path}, which holds credentials", where=str(path),
                         fix=f"chmod {mode} {path}, or remove it")  # fmt: skip
