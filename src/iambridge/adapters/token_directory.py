"""The private directory of one process's tokens: its own path, swept when its owner was killed.

Each directory has a lock file beside it that its owner holds; a directory whose lock nobody holds is what a killed
process left, and the next process removes it.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from iambridge.adapters.private_file import private_directory, write_private

_NAME = "iambridge-run"


def default_base(environment: Mapping[str, str]) -> Path:
    """In memory where the system has a runtime directory of this user's, else in the temporary directory."""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and os.access(runtime, os.W_OK):
        return Path(runtime) / _NAME
    return Path(tempfile.gettempdir()) / f"{_NAME}-{os.geteuid()}"


class TokenDirectory:
    """A fresh directory (0700) below `base`, removed by `close` or, after a kill, by whoever comes next.

    Raises:
        InputError: `base` cannot be made, or others may use it.
    """

    def __init__(self, base: Path) -> None:
        private_directory(base)
        _sweep(base)
        self.path, self._lock_file, self._lock = _fresh(base)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, name: str, content: str) -> Path:
        """Put `content` at `name` by rename: a reader finds the old text or the new one, whole."""
        path = self.path / name
        write_private(path, content.encode())
        return path

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock_file.unlink(missing_ok=True)
        os.close(self._lock)


def _fresh(base: Path) -> tuple[Path, Path, int]:
    while True:
        path = base / secrets.token_hex(8)
        lock_file = path.with_suffix(".lock")
        descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # between the two calls another process's sweep may have taken the file for a dead one's
        if os.fstat(descriptor).st_nlink:
            path.mkdir(mode=0o700)
            return path, lock_file, descriptor
        os.close(descriptor)


def _sweep(base: Path) -> None:
    for lock_file in base.glob("*.lock"):
        try:
            descriptor = os.open(lock_file, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
                lock_file.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
