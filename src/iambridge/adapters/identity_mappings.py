"""IAMIdentityMapping objects, watched: what they map at this moment, their status, and an Event for every fault."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from iambridge.adapters.informer import EventType, Informer
from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.core.aws_auth import Fault, IdentityMapping, Mappings, Rules, Severity, load_objects
from iambridge.errors import BridgeError, Conflict, Forbidden, NotFound, UnknownStatus
from iambridge.wire.located_json import located

_log = logging.getLogger(__name__)

API_VERSION, KIND = "iamauthenticator.k8s.aws/v1alpha1", "IAMIdentityMapping"
_LIST = path_of("apis", *API_VERSION.split("/"), "iamidentitymappings")
# an Event on an object without a namespace stands in `default`, as Kubernetes has it
_EVENTS = path_of("api", "v1", "namespaces", "default", "events")
_EVENTS_PER_CHANGE = 20
_MAX_MESSAGE = 1024
_LOOK_AGAIN_SECONDS = 5.0
_INSTALL = "apply deploy/authenticator/iamidentitymapping.yaml"


class IdentityMappingObjects:
    """`mappings` is what the objects map now. `now` gives seconds since the epoch, for Events.

    A cluster without the kind maps nobody, and keeps no other backend waiting. `status.canonicalARN` is kept in step
    with the ARN where RBAC lets us, for people and for the original; nothing is ever decided by it.
    """

    from_copy = False

    def __init__(self, client: KubernetesClient, *, now: Callable[[], float], rules: Rules) -> None:
        self._client = client
        self._now = now
        self._rules = rules
        self._objects: dict[str, dict[str, Any]] = {}
        self._informer: Informer[dict[str, Any]] = Informer(client, _LIST, on_change=self._changed)
        self._wake = asyncio.Event()
        self._unjudged = False
        self._absent = False
        self._may_write_status = True
        self._told: frozenset[Fault] = frozenset()
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue(100)
        self._status: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.mappings = Mappings(rules=rules)

    @property
    def not_ready(self) -> str:
        """Why nobody can be judged yet; empty when the objects have been read, or are known not to be there."""
        if (self._informer.synced.is_set() and not self._unjudged) or self._absent:
            return ""
        return f"{KIND} objects are not read yet"

    async def run(self) -> None:
        """Watch, judge, write status and Events, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informer.run())
            group.create_task(self._look_for_kind())
            group.create_task(self._judge_changes())
            group.create_task(self._write_status())
            group.create_task(self._send_events())

    def _changed(self, event: EventType, item: dict[str, Any]) -> None:
        name = str(item["metadata"]["name"])
        if event == "DELETED":
            self._objects.pop(name, None)
        else:
            self._objects[name] = item
        self._unjudged = True
        self._wake.set()

    async def _look_for_kind(self) -> None:
        while not self._informer.synced.is_set():
            try:
                await self._client.get(_LIST, {"limit": "1"})
            except BridgeError as error:  # the informer tells all others
                if _not_served(error) and not self._absent:
                    _log.warning("the cluster has no %s: they map nobody; %s", KIND, _INSTALL)
                self._absent = self._absent or _not_served(error)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        self._absent = False

    async def _judge_changes(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            found = list(self._objects.values())
            read = await asyncio.to_thread(lambda items: [_read(item) for item in items], found)
            self.mappings = await asyncio.to_thread(load_objects, read, previous=self.mappings, rules=self._rules)
            self._unjudged = self._wake.is_set()
            self._report()
            for item, mapping in zip(found, read, strict=True):
                if str((item.get("status") or {}).get("canonicalARN") or "") != mapping.canonical_arn:
                    self._status.put_nowait({"name": mapping.name, "canonicalARN": mapping.canonical_arn or None})

    async def _write_status(self) -> None:
        while True:
            wanted = await self._status.get()
            if not self._may_write_status:
                continue
            name, status = wanted["name"], {"canonicalARN": wanted["canonicalARN"]}
            try:
                await self._client.patch(f"{_LIST}{path_of(name)}/status", {"status": status})
            except Forbidden:
                self._may_write_status = False
                _log.info("%s status is not written: RBAC does not let us, and nothing depends on it", KIND)
            except (NotFound, Conflict):
                continue  # gone, or a newer one is on its way to us
            except BridgeError as error:
                _log.warning("cannot write the status of %s %s: %s", KIND, name, error.cause)

    def _report(self) -> None:
        fresh = [fault for fault in self.mappings.faults if fault not in self._told]
        self._told = frozenset(self.mappings.faults)
        for fault in fresh[:_EVENTS_PER_CHANGE]:
            _log.warning("%s", fault)
            self._tell(fault)
        if len(fresh) > _EVENTS_PER_CHANGE:
            _log.warning("%d more faults of %s objects", len(fresh) - _EVENTS_PER_CHANGE, KIND)

    def _tell(self, fault: Fault) -> None:
        """Queue an Event on the object; a full queue drops it."""
        name = fault.section.removeprefix(f"{KIND} ")
        item = self._objects.get(name)
        if item is None or self._events.full():
            return
        at = dt.datetime.fromtimestamp(int(self._now()), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        reason = "IdentityMappingFault" if fault.severity is Severity.ERROR else "IdentityMappingWarning"
        self._events.put_nowait({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"generateName": f"{name[:200]}.", "namespace": "default"},
            "involvedObject": {
                "apiVersion": API_VERSION, "kind": KIND, "name": name,
                "uid": str(item["metadata"].get("uid") or ""), "fieldPath": fault.field,
            },
            "type": "Warning", "reason": reason, "message": f"{fault.cause}; {fault.fix}"[:_MAX_MESSAGE],
            "source": {"component": "iambridge-authenticator"}, "reportingComponent": "iambridge-authenticator",
            "firstTimestamp": at, "lastTimestamp": at, "count": 1,
        })  # fmt: skip

    async def _send_events(self) -> None:
        while True:
            event = await self._events.get()
            try:
                await self._client.post(_EVENTS, event)
            except BridgeError as error:
                _log.warning("cannot write an Event: %s", error.cause)


def _not_served(error: BridgeError) -> bool:
    """Whether the API server does not know the kind: it says so in plain text, not in a Status."""
    return isinstance(error, NotFound) or (isinstance(error, UnknownStatus) and error.facts.get("status") == "404")


def _read(item: dict[str, Any]) -> IdentityMapping:
    metadata = item["metadata"]
    return IdentityMapping(
        str(metadata["name"]),
        str(metadata.get("uid") or ""),
        str(metadata.get("creationTimestamp") or ""),
        located(item.get("spec")),
    )
