"""Authenticator tokens kept between two runs of the exec plugin, for one user of this machine.

A file a token, named by a digest of everything that chose the identity. Whoever needs a new one holds the file's lock
while it is made, so that many kubectl at once cost one AssumeRole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from iambridge.adapters.private_file import private_directory, refuse_open, write_private

_FORMAT = 1
_LOCK_SECONDS, _LOCK_PAUSE = 15.0, 0.02
_LEAST_SECONDS = 60.0  # kubectl is given no token that ends while it works
# What does not choose who is asked as. The secret key does: a token made with a wrong one must not outlive its
# correction.
_NOT_IDENTITY = frozenset({"AWS_PAGER", "AWS_DEFAULT_OUTPUT", "AWS_EXECUTION_ENV"})


class KeptToken(NamedTuple):
    """`expires` is when kubectl should ask again, in seconds since the epoch."""

    token: str
    expires: float

    def __repr__(self) -> str:
        return f"KeptToken(expires={self.expires})"


def default_directory(environment: Mapping[str, str]) -> Path | None:
    """Beside kubectl's own caches; None where there is no home."""
    home = environment.get("HOME", "")
    return Path(home) / ".kube/cache/iambridge" if home.startswith("/") else None


def identity_facts(environment: Mapping[str, str]) -> list[str]:
    """Everything of this shell that chooses the AWS identity: AWS_* variables, and the files that profiles come from.

    Files count by path, time and size; SSO's by the time of the directory that a login changes. Some values are secret:
    they may go into `key_of` and nowhere else.
    """
    facts = [
        f"{name}={value}"
        for name, value in sorted(environment.items())
        if name.startswith("AWS_") and name not in _NOT_IDENTITY
    ]
    if environment.get("AWS_ACCESS_KEY_ID"):
        return facts  # keys in the environment go before every file
    aws = Path(environment.get("HOME", "/")) / ".aws"
    files = (
        environment.get("AWS_CONFIG_FILE") or aws / "config",
        environment.get("AWS_SHARED_CREDENTIALS_FILE") or aws / "credentials",
        environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"),
        aws / "sso/cache",
    )
    for file in files:
        if file:
            with contextlib.suppress(OSError):
                found = Path(file).stat()
                facts.append(f"{file}:{found.st_mtime_ns}:{found.st_size}")
    return facts


def key_of(*facts: str) -> str:
    return hashlib.sha256(json.dumps([_FORMAT, *facts]).encode()).hexdigest()


class TokenCache:
    """Tokens below `directory` (0700). `now` gives seconds since the epoch."""

    def __init__(self, directory: Path, *, now: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._now = now

    def get(self, key: str, make: Callable[[], KeptToken]) -> KeptToken:
        """The kept token, or the one that `make` makes and that is kept now.

        A cache that cannot be written, on a read-only disk, is no reason to refuse a login.

        Raises:
            InputError: the directory or the file is another user's, or group or others may read it.
        """
        if not self._usable():
            return make()
        file = self._directory / f"{key}.json"
        found = self._read(file)
        if found is not None:
            return found
        with self._locked(key) as locked:
            found = self._read(file) if locked else None
            if found is None:
                found = make()
                with contextlib.suppress(OSError):
                    write_private(file, json.dumps({"token": found.token, "expires": found.expires}).encode())
                    self._prune()
        return found

    def _usable(self) -> bool:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            return False
        private_directory(self._directory)
        return True

    def _read(self, file: Path) -> KeptToken | None:
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError:
            refuse_open(file.lstat(), file)
            return None
        with os.fdopen(descriptor, "rb") as stream:
            refuse_open(os.fstat(descriptor), file)
            try:
                document = json.loads(stream.read(64 * 1024))
                found = KeptToken(str(document["token"]), float(document["expires"]))
            except (ValueError, KeyError, TypeError):
                return None
        return found if found.expires - self._now() >= _LEAST_SECONDS else None

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[bool]:
        """False when somebody else holds it for long: then this process works on its own."""
        try:
            descriptor = os.open(
                self._directory / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except OSError:
            yield False
            return
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        yield False
                        return
                    time.sleep(_LOCK_PAUSE)
                else:
                    yield True
                    return
        finally:
            os.close(descriptor)

    def _prune(self) -> None:
        """Remove what ended long ago, tokens and locks, so that the directory does not grow."""
        oldest = self._now() - 24 * 3600
        for file in self._directory.iterdir():
            with contextlib.suppress(OSError):
                if file.stat().st_mtime < oldest:
                    file.unlink()
