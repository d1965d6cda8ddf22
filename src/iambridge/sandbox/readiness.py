"""Whether a sandbox runs on a directory, and whether it has come up: asked by another process, without its lock.

Probing the lock would hold it for a moment, in which an `up` that starts would be refused.
"""

import os
import socket
from pathlib import Path

from iambridge.adapters.private_file import write_private
from iambridge.sandbox.data_dir import read_ports

_CONNECT_SECONDS = 1.0


def mark(data_dir: Path) -> None:
    """Say that this process serves `data_dir`, and that all of its start is done."""
    write_private(_file(data_dir), f"{os.getpid()}\n".encode())


def unmark(data_dir: Path) -> None:
    _file(data_dir).unlink(missing_ok=True)


def is_ready(data_dir: Path) -> bool:
    """Whether the process that came up on `data_dir` is still there and listens.

    Raises:
        InputError: no sandbox was ever started there.
    """
    answers = listens(data_dir)
    try:
        os.kill(int(_file(data_dir).read_bytes()), 0)
    except PermissionError:
        pass  # somebody else's, and alive
    except (OSError, ValueError):
        return False
    return answers


def listens(data_dir: Path) -> bool:
    """Whether something accepts connections at the AWS port of `data_dir`; a start may still be under way.

    Raises:
        InputError: no sandbox was ever started there.
    """
    try:
        socket.create_connection(("127.0.0.1", read_ports(data_dir).aws), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _file(data_dir: Path) -> Path:
    return data_dir / "ready"
