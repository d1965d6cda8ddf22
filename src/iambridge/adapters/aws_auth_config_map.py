"""The ConfigMap kube-system/aws-auth, watched: what it maps at this moment, and an Event for every fault."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from iambridge.adapters.aws_auth_copy import Kept, MappingsCopy
from iambridge.adapters.aws_auth_events import NAME, NAMESPACE, AwsAuthEvents
from iambridge.adapters.informer import EventType, Informer
from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.adapters.resting_collector import resting_collector
from iambridge.core.aws_auth import SECTIONS, Fault, Mappings, Rules, Severity, load
from iambridge.errors import BridgeError, KubernetesError, NotFound, UnknownStatus
from iambridge.wire.aws_auth_yaml import read_sections

_log = logging.getLogger(__name__)

_LIST = path_of("api", "v1", "namespaces", NAMESPACE, "configmaps")
_EVENTS_PER_VERSION = 20
_RETRY_SECONDS = 1.0
_TEND_SECONDS = 0.25
_ANSWER_SECONDS = 5.0


class ConfigMapMappings:
    """`mappings` is what the ConfigMap maps now; `synced` says that it was read once, or is known to be absent.

    A deletion counts when a read confirms it. `copy` keeps what is in effect, and stands in for a section that cannot
    be read and for an API server that has not answered yet. `now` gives seconds since the epoch.
    """

    def __init__(
        self,
        client: KubernetesClient,
        *,
        now: Callable[[], float],
        rules: Rules | None = None,
        copy: MappingsCopy | None = None,
    ) -> None:
        self._client = client
        self._now = now
        self._rules = rules or Rules()
        self._informer: Informer[dict[str, Any]] = Informer(
            client, _LIST, on_change=self._changed, field_selector=f"metadata.name={NAME}"
        )
        self._wake = asyncio.Event()
        self._pending: dict[str, Any] | None = None
        self._changes = 0
        self._applied = False
        self.events = AwsAuthEvents(client, now=now)
        self._told: frozenset[Fault] = frozenset()
        self._cluster_uid = ""
        self._copy = copy
        self._kept: Kept | None = None
        self._copied: frozenset[str] = frozenset()
        self._copying = asyncio.Lock()
        self.mappings = Mappings(rules=self._rules)

    @property
    def synced(self) -> bool:
        return self._applied or self.from_copy

    @property
    def not_ready(self) -> str:
        """Why nobody can be judged yet, or empty."""
        return "" if self.synced else f"ConfigMap {NAMESPACE}/{NAME} is not read yet"

    @property
    def from_copy(self) -> bool:
        return bool(self._copied)

    async def run(self) -> None:
        """Watch, confirm deletions, keep the copy and write Events, until cancelled."""
        if self._copy is not None:
            self._kept = await asyncio.to_thread(self._copy.read, self._rules)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informer.run())
            group.create_task(self._apply_changes())
            group.create_task(self.events.run())
            group.create_task(self._tend())

    def _changed(self, event: EventType, config_map: dict[str, Any]) -> None:
        if config_map.get("metadata", {}).get("name") != NAME:
            return  # a server that does not honour the field selector
        self._changes += 1
        self._pending = None if event == "DELETED" else config_map
        self._wake.set()

    async def _apply_changes(self) -> None:
        """One at a time, the newest first; a large document is read beside the loop, not in it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            seen, config_map = self._changes, self._pending
            if config_map is None:
                config_map = await self._confirm_deletion()
            if seen != self._changes:
                continue  # the watch has told something newer meanwhile
            if config_map is None:
                await self._clear()
            else:
                await self._apply(config_map)
            self._applied = True

    async def _clear(self) -> None:
        async with self._copying:
            self._kept = None
            if self._copy is not None:
                await asyncio.to_thread(self._copy.remove)
        self.mappings = Mappings(rules=self._rules)
        self._told = frozenset()
        self._use_copy(frozenset(), "")
        _log.warning("aws-auth: there is no ConfigMap %s/%s, nobody is mapped", NAMESPACE, NAME)

    async def _apply(self, config_map: dict[str, Any]) -> None:
        metadata = config_map.get("metadata", {})
        uid = self.events.uid = str(metadata.get("uid") or "")
        version = str(metadata.get("resourceVersion") or "")
        if self._copy is not None and not self._cluster_uid:
            self._cluster_uid = await self._read_cluster_uid()
        read = Kept(self.mappings, self._now(), self._cluster_uid, uid, version)
        previous, copied = self._previous(read)
        mappings = await asyncio.to_thread(_loaded, config_map, previous, self._rules)
        copied &= mappings.stale
        time = self._kept.time if copied and self._kept is not None else self._now()
        # The copy first: a crash between the two may then not bring back whom this version removed.
        await self._keep(replace(read, mappings=mappings, time=time))
        self.mappings = mappings
        self._report()
        self._use_copy(copied, "a section cannot be read" if copied else "")

    def _previous(self, read: Kept) -> tuple[Mappings, frozenset[str]]:
        """What was in effect before this version, and which sections of it come from the copy."""
        previous, copied = self.mappings, self._copied
        if not self._applied:
            usable = self._kept is not None and self._kept.same_cluster(read)
            previous = self._kept.mappings if usable and self._kept is not None else Mappings(rules=self._rules)
            copied = frozenset(SECTIONS) if usable else frozenset()
        if copied and not self._copy_is_fresh:
            previous, copied = previous.without(copied), frozenset()
        return previous, copied

    @property
    def _copy_is_fresh(self) -> bool:
        return self._copy is not None and self._kept is not None and self._copy.fresh(self._kept)

    def _use_copy(self, sections: frozenset[str], why: str) -> None:
        if sections and sections != self._copied and self._kept is not None:
            age = int(self._now() - self._kept.time)
            text = f"{why}: {', '.join(sorted(sections))} of resourceVersion {self._kept.resource_version or 'unknown'}"
            _log.warning("aws-auth: %s is in effect from the copy, %d seconds old", text, age)
            self.events.tell("AwsAuthCopyInUse", f"{text} is in effect from the server's copy, {age} seconds old")
        elif self._copied and not sections:
            _log.warning("aws-auth: the copy is not in use any more")
            self.events.tell(
                "AwsAuthCopyNotInUse", "the server's copy of aws-auth is not in use any more", kind="Normal"
            )
        self._copied = sections

    async def _keep(self, kept: Kept) -> None:
        async with self._copying:
            self._kept = kept
            if self._copy is None:
                return
            problem = await asyncio.to_thread(self._copy.write, kept)
        if problem:
            _log.error("aws-auth: %s", problem)
            self.events.tell("AwsAuthCopyNotWritten", f"a restart during an outage would find no copy: {problem}")

    async def _read_cluster_uid(self) -> str:
        """The uid of namespace kube-system, as is the custom; empty where it may not be read."""
        try:
            namespace = await self._client.get(path_of("api", "v1", "namespaces", NAMESPACE))
        except BridgeError:
            return ""
        return str(namespace.get("metadata", {}).get("uid") or "")

    async def _tend(self) -> None:
        """Serve the copy while the API server has not answered, end its use in time, and keep it young meanwhile."""
        waited = 0.0
        while not self._informer.synced.is_set():
            if (
                _is_outage(self._informer.failure, waited)
                and not self._copied
                and self._copy_is_fresh
                and self._kept is not None
            ):
                self.mappings = self._kept.mappings
                self._use_copy(frozenset(SECTIONS), "the API server cannot be reached")
            elif self._copied and not self._copy_is_fresh:
                self.mappings = Mappings(rules=self._rules)
                self._use_copy(frozenset(), "")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._informer.synced.wait(), _TEND_SECONDS)
            waited += _TEND_SECONDS
        if not self._changes:
            self._changes += 1
            self._wake.set()  # nothing was listed: as good as deleted, and confirmed by a read like it
        while True:
            await asyncio.sleep(_TEND_SECONDS)
            if self._copied and not self._copy_is_fresh:
                self._wake.set()
            elif self._applied and not self._copied and self._informer.failure is None:
                await self._refresh()

    async def _refresh(self) -> None:
        """The copy's age counts from when it was last known to be true."""
        kept, copy = self._kept, self._copy
        if copy is not None and kept is not None and self._now() - kept.time > copy.max_age / 10:
            async with self._copying:
                if self._kept is kept:
                    self._kept = replace(kept, time=self._now())
                    await asyncio.to_thread(copy.write, self._kept)

    async def _confirm_deletion(self) -> dict[str, Any] | None:
        """What a read finds; None when it, too, says that the ConfigMap is gone."""
        while True:
            try:
                return await self._client.get(_LIST + path_of(NAME))
            except NotFound:
                return None
            except BridgeError as error:
                _log.warning("aws-auth: cannot confirm the deletion: %s", error.cause)
                await asyncio.sleep(_RETRY_SECONDS)

    def _report(self) -> None:
        faults = frozenset(self.mappings.faults)
        fresh = [fault for fault in self.mappings.faults if fault not in self._told]
        self._told = faults
        for fault in fresh[:_EVENTS_PER_VERSION]:
            _log.warning("aws-auth: %s", fault)
            self.events.tell("AwsAuthFault" if fault.severity is Severity.ERROR else "AwsAuthWarning", str(fault))
        if len(fresh) > _EVENTS_PER_VERSION:
            self.events.tell(
                "AwsAuthFault", f"{len(fresh) - _EVENTS_PER_VERSION} more faults: run iambridge aws-auth lint"
            )


def _is_outage(failure: BridgeError | None, waited: float) -> bool:
    """Whether the API server gives no answer, or one that blames itself: a refusal is an answer."""
    if failure is None:
        return waited >= _ANSWER_SECONDS
    if isinstance(failure, UnknownStatus):
        return not failure.facts.get("status", "500").startswith("4")
    return not isinstance(failure, KubernetesError) or failure.status.value >= 500


def _loaded(config_map: Mapping[str, Any], previous: Mappings, rules: Rules) -> Mappings:
    data = config_map.get("data") or {}
    texts = {str(key): value for key, value in data.items() if isinstance(value, str)}
    with resting_collector():
        return load(read_sections(texts), previous=previous, rules=rules)
