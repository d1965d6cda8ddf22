"""The last good mappings of aws-auth on disk, for a server that starts while the document cannot be had or read."""

import contextlib
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from iambridge.adapters.private_file import write_private
from iambridge.core.aws_auth import Entry, Mappings, Rules

_log = logging.getLogger(__name__)

_FORMAT = 1
_MAX_BYTES = 64 * 1024 * 1024
_CLOCK_SKEW = 60.0


@dataclass(frozen=True, slots=True)
class Kept:
    """Mappings as they were in effect at `time` (seconds since the epoch), and of which cluster and document."""

    mappings: Mappings
    time: float
    cluster_uid: str = ""
    config_map_uid: str = ""
    resource_version: str = ""

    def same_cluster(self, other: "Kept") -> bool:
        """By the cluster's uid where both know it, else by the ConfigMap's, which no other cluster has either."""
        if self.cluster_uid and other.cluster_uid:
            return self.cluster_uid == other.cluster_uid
        return self.config_map_uid != "" and self.config_map_uid == other.config_map_uid


class _Stored(msgspec.Struct):
    format: int
    time: float
    cluster_uid: str
    config_map_uid: str
    resource_version: str
    rules: Rules
    roles: list[Entry]
    users: list[Entry]
    accounts: dict[str, int]


class MappingsCopy:
    """A file of mode 0600. A copy counts for `max_age` seconds from its time; `now` is seconds since the epoch."""

    def __init__(self, file: Path, *, max_age: float, now: Callable[[], float]) -> None:
        self._file = file
        self.max_age = max_age
        self._now = now

    def fresh(self, kept: Kept) -> bool:
        return -_CLOCK_SKEW <= self._now() - kept.time <= self.max_age

    def read(self, rules: Rules) -> Kept | None:
        """The copy, fresh or not. None when there is none, or others may read or write it, or other flags made it."""
        try:
            stored, problem = _read(self._file)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            stored, problem = None, str(error)
        if stored is not None and (stored.format != _FORMAT or stored.rules != rules):
            problem = "it was made with other flags, or by another version"
        if stored is None or problem:
            _log.warning("the copy of aws-auth %s does not count: %s", self._file, problem)
            return None
        mappings = Mappings(
            {entry.key: entry for entry in stored.roles},
            {entry.key: entry for entry in stored.users},
            stored.accounts,
            rules=rules,
        )
        return Kept(mappings, stored.time, stored.cluster_uid, stored.config_map_uid, stored.resource_version)

    def write(self, kept: Kept) -> str:
        """Replace the copy, or remove it: one that is out of date must not stay. Returns what failed, or empty."""
        mappings = kept.mappings
        stored = _Stored(
            _FORMAT,
            kept.time,
            kept.cluster_uid,
            kept.config_map_uid,
            kept.resource_version,
            mappings.rules,
            list(mappings.section("mapRoles").values()),
            list(mappings.section("mapUsers").values()),
            dict(mappings.accounts),
        )
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._file, msgspec.json.encode(stored))
        except OSError as error:
            return f"cannot write {self._file}: {error.strerror}{'' if self.remove() else ', nor remove the old one'}"
        return ""

    def remove(self) -> bool:
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)
        return not self._file.exists()


def _read(file: Path) -> tuple[_Stored | None, str]:
    with file.open("rb") as stream:
        status = os.fstat(stream.fileno())
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
            return None, "it must be this user's own, with mode 0600"
        return msgspec.json.decode(stream.read(_MAX_BYTES), type=_Stored), ""
