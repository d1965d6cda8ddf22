"""aws-iam-authenticator's dynamic file, watched: what it maps at this moment.

A file that is removed maps nobody; one that is broken, or cannot be read, keeps its last good version in effect.
Source: aws-iam-authenticator pkg/fileutil and pkg/mapper/dynamicfile.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from iambridge.adapters.resting_collector import resting_collector
from iambridge.core.aws_auth import Fault, Mappings, Rules, Severity, Unparsable, load_whole
from iambridge.wire.dynamic_file import read_dynamic_file

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_CONFIRM_SECONDS = 0.1
_MAX_BYTES = 32 * 1024 * 1024
_LOGGED_FAULTS = 20
_NAME = "dynamic file"

Seen = tuple[int, int, int]
Latency = Callable[[float], None]


class DynamicFileMappings:
    """`mappings` is what `file` maps now; `load` reads it for the first time, `run` follows it.

    A file that is missing or broken at the start maps nobody, and keeps no other backend waiting. `now` gives seconds
    since the epoch. `failed` is told of every version that does not count, `latency` of the seconds between a change's
    LastUpdatedDateTime and its taking effect.
    """

    def __init__(
        self,
        file: Path,
        *,
        rules: Rules,
        now: Callable[[], float],
        failed: Callable[[], None] = lambda: None,
        latency: Latency = lambda _: None,
    ) -> None:
        self._file = file
        self._rules = rules
        self._now = now
        self._failed = failed
        self._latency = latency
        self._seen: Seen | None = None
        self._content: bytes | None = None
        self._problem = ""
        self.mappings = Mappings(rules=rules)

    not_ready = ""
    from_copy = False

    def load(self) -> None:
        """Read the file as it is; a missing one maps nobody until it appears."""
        try:
            content = self._read()
        except FileNotFoundError:
            _log.warning("the dynamic file %s is not there yet: it maps nobody", self._file)
        except OSError as error:
            self._unreadable(error)
        else:
            if content is not None:
                self._apply(content, first=True)

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await self.follow()

    async def follow(self) -> None:
        """One look."""
        try:
            content = await asyncio.to_thread(self._read)
        except FileNotFoundError:
            await asyncio.sleep(_CONFIRM_SECONDS)  # an editor moves the old file away before it writes the new one
            if not await asyncio.to_thread(self._file.exists):
                self._removed()
        except OSError as error:
            self._unreadable(error)
        else:
            if content is not None:
                await asyncio.to_thread(self._apply, content, first=self._content is None)

    def _read(self) -> bytes | None:
        """The content, or None when it is the one that was read last."""
        status = self._file.stat()
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen == self._seen and self._content is not None and not self._problem:
            return None
        if status.st_size > _MAX_BYTES:
            raise OSError(0, f"the file is larger than {_MAX_BYTES >> 20} MiB")
        content = self._file.read_bytes()
        self._seen, self._problem = seen, ""
        return None if content == self._content else content

    def _apply(self, content: bytes, *, first: bool) -> None:
        self._content = content
        before = frozenset(self.mappings.faults)
        with resting_collector():
            try:
                document = read_dynamic_file(content.decode())
            except UnicodeDecodeError:
                document = Unparsable(1, 1, "the file is not UTF-8")
            sections = document if isinstance(document, Unparsable) else document.sections
            self.mappings = load_whole(sections, name=_NAME, previous=self.mappings, rules=self._rules)
        self._report([fault for fault in self.mappings.faults if fault not in before])
        if self.mappings.stale:
            self._failed()
        elif not isinstance(document, Unparsable):
            for key in document.unknown:
                _log.warning("%s: `%s` is not read", self._file, key)
            _log.info("%s: version %s maps %d principals", self._file, document.version, len(self.mappings.entries))
            # the first reading after a start says nothing about how long a change took
            if not first and 0 < document.updated <= self._now():
                self._latency(self._now() - document.updated)

    def _report(self, faults: list[Fault]) -> None:
        for fault in faults[:_LOGGED_FAULTS]:
            level = logging.WARNING if fault.severity is Severity.WARNING else logging.ERROR
            _log.log(level, "%s: %s", self._file, fault)
        if len(faults) > _LOGGED_FAULTS:
            _log.error("%s: %d more faults", self._file, len(faults) - _LOGGED_FAULTS)

    def _removed(self) -> None:
        if self._content is not None:
            _log.warning("the dynamic file %s was removed: it maps nobody any more", self._file)
        self._content = self._seen = None
        self.mappings = Mappings(rules=self._rules)

    def _unreadable(self, error: OSError) -> None:
        problem = error.strerror or str(error)
        if problem != self._problem:
            self._failed()
            _log.error("cannot read the dynamic file %s: %s; its last good version stays", self._file, problem)
        self._problem = problem
