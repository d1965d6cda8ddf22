"""The ConfigMap kube-system/aws-auth, watched: what it maps at this moment, and an Event for every fault."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import Any

from iambridge.adapters.informer import EventType, Informer
from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.core.aws_auth import Fault, Mappings, Rules, Severity, load
from iambridge.errors import BridgeError, NotFound
from iambridge.wire.aws_auth_yaml import read_sections

_log = logging.getLogger(__name__)

NAMESPACE, NAME = "kube-system", "aws-auth"
_LIST = path_of("api", "v1", "namespaces", NAMESPACE, "configmaps")
_EVENTS = path_of("api", "v1", "namespaces", NAMESPACE, "events")
_EVENTS_PER_VERSION = 20
_MAX_MESSAGE = 1024
_RETRY_SECONDS = 1.0


class ConfigMapMappings:
    """`mappings` is what the ConfigMap maps now; `synced` says that it was read once, or is known to be absent.

    A deletion counts when a read confirms it. `now` gives seconds since the epoch, for Events.
    """

    def __init__(self, client: KubernetesClient, *, now: Callable[[], float], rules: Rules | None = None) -> None:
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
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue(100)
        self._told: frozenset[Fault] = frozenset()
        self._uid = ""
        self.mappings = Mappings()

    @property
    def synced(self) -> bool:
        return self._informer.synced.is_set() and (self._applied or not self._changes)

    @property
    def not_ready(self) -> str:
        """Why nobody can be judged yet, or empty."""
        return "" if self.synced else f"ConfigMap {NAMESPACE}/{NAME} is not read yet"

    @property
    def from_copy(self) -> bool:
        return False

    async def run(self) -> None:
        """Watch, confirm deletions and write Events, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informer.run())
            group.create_task(self._apply_changes())
            group.create_task(self._send_events())

    def tell(self, reason: str, message: str, *, kind: str = "Warning") -> None:
        """Queue an Event on the ConfigMap; a full queue drops it."""
        if self._events.full():
            return
        at = dt.datetime.fromtimestamp(int(self._now()), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._events.put_nowait({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"generateName": f"{NAME}.", "namespace": NAMESPACE},
            "involvedObject": {
                "apiVersion": "v1", "kind": "ConfigMap", "namespace": NAMESPACE, "name": NAME,
                **({"uid": self._uid} if self._uid else {}),
            },
            "type": kind, "reason": reason, "message": message[:_MAX_MESSAGE],
            "source": {"component": "iambridge-authenticator"}, "reportingComponent": "iambridge-authenticator",
            "firstTimestamp": at, "lastTimestamp": at, "count": 1,
        })  # fmt: skip

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
                self.mappings = Mappings()
                self._told = frozenset()
                _log.warning("aws-auth: the ConfigMap is deleted, nobody is mapped")
            else:
                self._uid = str(config_map.get("metadata", {}).get("uid") or "")
                self.mappings = await asyncio.to_thread(_loaded, config_map, self.mappings, self._rules)
                self._report()
            self._applied = True

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
            self.tell("AwsAuthFault" if fault.severity is Severity.ERROR else "AwsAuthWarning", str(fault))
        if len(fresh) > _EVENTS_PER_VERSION:
            self.tell("AwsAuthFault", f"{len(fresh) - _EVENTS_PER_VERSION} more faults: run iambridge aws-auth lint")

    async def _send_events(self) -> None:
        while True:
            event = await self._events.get()
            try:
                await self._client.post(_EVENTS, event)
            except BridgeError as error:
                _log.warning("cannot write an Event: %s", error.cause)


def _loaded(config_map: Mapping[str, Any], previous: Mappings, rules: Rules) -> Mappings:
    data = config_map.get("data") or {}
    texts = {str(key): value for key, value in data.items() if isinstance(value, str)}
    return load(read_sections(texts), previous=previous, rules=rules)
