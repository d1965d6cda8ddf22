"""The sandbox's service account keys as files: the one that signs, and the retired ones that still verify.

`pki/service-account-signing.pem` signs. `pki/service-account-keys/` has `KID.pem` for each retired key, and `KID.json`
for every key: until when tokens of it live, and when it was retired.
"""

import datetime as dt
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from iambridge.adapters.private_file import private_directory, write_private
from iambridge.core.service_account_token import SigningKey
from iambridge.errors import InputError
from iambridge.sandbox.cluster.service_account_authentication import LEEWAY_SECONDS
from iambridge.sandbox.cluster.token_request import MAX_EXPIRATION_SECONDS
from iambridge.sandbox.key_rotation import HeldKey, rotation

# a year's token is asked for with every pod: `tokens_until` is rounded up, so that it is written once a day at most
_ROUND_SECONDS = 24 * 3600


class ServiceAccountKeys:
    """Opens, makes or rotates the keys of `pki`; `all` has the one that signs first. `now` is in seconds.

    A crash at any moment leaves keys that verify every token signed so far: the old key is kept, and written to the
    disk, before the new one takes its place by one rename. `changes` says in words what this start did.

    Raises:
        InputError: a key or its record cannot be read.
    """

    def __init__(self, pki: Path, signing: Path, *, algorithm: str | None, rotate: bool, now: float) -> None:
        self._directory = private_directory(pki / "service-account-keys")
        self._signing_file = signing
        old = _read_key(signing) if signing.exists() else None
        retired = {key.kid: key for key in self._retired()}
        held = {key.kid: self._record(key) for key in retired.values()}
        signs = None if old is None else replace(self._record(old), retired=None)
        decided = rotation(signs, list(held.values()), algorithm=algorithm, rotate=rotate, now=now,
                           max_expiration=MAX_EXPIRATION_SECONDS, leeway=LEEWAY_SECONDS)  # fmt: skip
        self.changes: list[str] = []
        stay = [retired[kid] for kid in decided.stay]
        if decided.new is not None:
            new = SigningKey.generate(decided.new)
            if old is not None and signs is not None:
                gone = replace(signs, retired=now)
                self._retire(old, gone)
                stay.insert(0, old)
                self.changes.append(_rotated(new, gone))
            signs = self._make(new, now)
        else:
            assert old is not None
            new = old
        assert signs is not None
        self._signs = signs
        self.all = (new, *stay)
        if decided.go:
            self.changes.append(f"removed {len(decided.go)} retired key(s): every token of theirs has expired")
        self._tidy({key.kid for key in self.all})

    def before_signing(self, expires: int) -> None:
        """Record that a token lives until `expires` (seconds since the epoch), before it is signed.

        Raises:
            OSError: it could not be recorded; the token must not be signed.
        """
        until = self._signs.tokens_until
        if until is None or expires <= until:
            return
        until = -(-expires // _ROUND_SECONDS) * _ROUND_SECONDS
        later = replace(self._signs, tokens_until=until)
        self._write_record(later)
        self._signs = later

    def _retire(self, key: SigningKey, record: HeldKey) -> None:
        write_private(self._directory / f"{key.kid}.pem", key.to_pem())
        self._write_record(record)

    def _make(self, key: SigningKey, now: float) -> HeldKey:
        record = HeldKey(key.kid, key.alg, tokens_until=now)
        self._write_record(record)
        _sync(self._directory)
        write_private(self._signing_file, key.to_pem())
        _sync(self._signing_file.parent)
        return record

    def _retired(self) -> Iterator[SigningKey]:
        for file in sorted(self._directory.glob("*.pem")):
            if not file.name.startswith("."):  # a write that a crash cut short
                yield _read_key(file)

    def _record(self, key: SigningKey) -> HeldKey:
        """What was recorded of `key`; a key without a record is one of an earlier version, whose tokens are unknown."""
        file = self._directory / f"{key.kid}.json"
        try:
            found = json.loads(file.read_bytes())
            retired, until = (None if found[name] is None else float(found[name]) for name in ("retired", "until"))
        except FileNotFoundError:
            return HeldKey(key.kid, key.alg)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"the record of a service account key is not readable: {error}",
                where=str(file),
                fix="restore the file, or remove it: the key then stays accepted for good",
            ) from error
        return HeldKey(key.kid, key.alg, retired, until)

    def _write_record(self, key: HeldKey) -> None:
        document = {"retired": key.retired, "until": key.tokens_until}
        write_private(self._directory / f"{key.kid}.json", json.dumps(document).encode() + b"\n")

    def _tidy(self, kids: set[str]) -> None:
        """Remove the files of keys that went, copies of the key that signs, and writes that a crash cut short.

        A key's `.pem` goes before its `.json`: without a record it would stay for good.
        """
        for file in sorted(self._directory.iterdir(), reverse=True):
            copy_of_signing = file.suffix == ".pem" and file.stem == self._signs.kid
            ours = file.suffix in {".pem", ".json"}
            if file.name.startswith(".") or copy_of_signing or (ours and file.stem not in kids):
                file.unlink()
        for file in self._signing_file.parent.glob(f".{self._signing_file.name}.*"):
            file.unlink()


def _read_key(file: Path) -> SigningKey:
    try:
        return SigningKey.from_pem(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"the service account key is not readable: {error}",
            where=str(file),
            fix="restore the file, or start with another --data-dir",
        ) from error


def _rotated(new: SigningKey, old: HeldKey) -> str:
    until = "for good, for nothing says how long its tokens live"
    if old.tokens_until is not None:
        until = f"until {dt.datetime.fromtimestamp(old.tokens_until, dt.UTC):%Y-%m-%d}, when its last token has expired"
    return f"a new {new.alg} key signs; the {old.alg} key before it stays accepted {until}"


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
