"""Serves what CustomResourceDefinitions define: names, conditions, discovery, and the end of a definition.

Source: apiextensions-apiserver pkg/controller (status, establish, apiapproval, finalizer), customresource_handler.go.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from iambridge.errors import Conflict, KubernetesError, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects.custom import naming
from iambridge.sandbox.cluster.objects.custom.version import CustomVersion, priority, versions_of
from iambridge.sandbox.cluster.resources import DEFINITIONS, SCALE, STATUS, Resource, Resources
from iambridge.sandbox.cluster.store import Event, Store, Stored
from iambridge.sandbox.cluster.timestamps import timestamp

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.2


class CustomResources:
    """`now` gives seconds since the epoch. What is served changes with the event that changes a definition."""

    def __init__(self, store: Store, resources: Resources, client: SystemClient, now: Callable[[], float]) -> None:
        self._store = store
        self._resources = resources
        self._client = client
        self._now = now
        self._served: dict[str, _Served] = {}
        self._queue: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve what is stored, and go on with what was under way."""
        self._store.listeners.append(self._on_event)
        for stored in self._store.objects(DEFINITIONS):
            self._serve(stored.key.name, msgspec.json.decode(stored.raw), stored.version)
            self._add(stored.key.name)
        self._publish()
        self._task = asyncio.create_task(self._run(), name="custom-resource-definitions")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # What is served.

    def _on_event(self, event: Event) -> None:
        if event.key.resource in self._served:
            # its definition may be waiting for the last object to go
            if event.type == "DELETED" and self._served[event.key.resource].terminating:
                self._add(event.key.resource)
            return
        if event.key.resource != DEFINITIONS:
            return
        name = event.key.name
        before = self._served.get(name)
        if event.type == "DELETED":
            self._served.pop(name, None)
            self._queue |= {other.key.name for other in self._store.objects(DEFINITIONS)}
        else:
            self._serve(name, msgspec.json.decode(event.raw), event.version)
        self._add(name)
        if self._served.get(name) is not before:
            self._publish()
            self._store.wake(name)

    def _serve(self, name: str, definition: Object, version: int) -> None:
        if not naming.holds(definition, "Established"):
            self._served.pop(name, None)
            return
        before = self._served.get(name)
        said = (definition["spec"], definition["status"]["acceptedNames"])
        terminating = naming.holds(definition, "Terminating") or bool(definition["metadata"].get("deletionTimestamp"))
        if before is not None and before.said == said:
            if before.terminating != terminating:
                self._served[name] = _Served(said, terminating, before.versions)
            return
        self._served[name] = _Served(said, terminating, versions_of(definition, version))

    def _publish(self) -> None:
        """Groups by name, and the versions of a group as they are preferred, whichever definition names them."""
        found = [each for served in self._served.values() for each in served.resources()]
        self._resources.replace_custom(sorted(found, key=lambda one: (one.group, priority(one.version), one.plural)))

    # What is to be done.

    def _add(self, name: str) -> None:
        self._queue.add(name)
        self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            names, self._queue = sorted(self._queue), set()
            for name in names:
                try:
                    await self._reconcile(name)
                except (NotFound, Conflict):
                    continue  # changed meanwhile: its event brings it here again
                except KubernetesError as error:
                    _log.warning("definition %s is looked at again: %s", name, error.message)
                    await asyncio.sleep(_RETRY_SECONDS)
                    self._add(name)

    async def _reconcile(self, name: str) -> None:
        definition = self._definition(name)
        if definition is None:
            return
        if definition["metadata"].get("deletionTimestamp"):
            if naming.CLEANUP in (definition["metadata"].get("finalizers") or ()):
                await self._clean(definition)
            return
        now, group = timestamp(self._now()), definition["spec"]["group"]
        others = [each for each in self._definitions() if each["spec"]["group"] == group and _name(each) != name]
        wanted = _approval(naming.accepted(definition, others, now), now)
        if wanted["status"] != definition["status"]:
            await self._client.update(DEFINITIONS, "", wanted, subresource="status")
            # a name may have become free
            for each in others:
                self._add(_name(each))

    def _definition(self, name: str) -> Object | None:
        return next((each for each in self._definitions() if _name(each) == name), None)

    def _definitions(self) -> Iterator[Object]:
        for stored in self._store.objects(DEFINITIONS):
            yield msgspec.json.decode(stored.raw)

    # How one ends.

    async def _clean(self, definition: Object) -> None:
        """Delete all objects; once they are gone, take the finalizer away."""
        name = _name(definition)
        if not naming.holds(definition, "Established"):
            definition = await self._tell(definition, "False", "NeverEstablished", "resource was never established")
        else:
            words = "CustomResource deletion is in progress"
            definition = await self._tell(definition, "True", "InstanceDeletionInProgress", words)
            for stored in self._store.objects(name):
                await self._delete(name, stored)
            if self._store.objects(name):
                return  # objects with finalizers end later: the last one's event brings us here again
            words = "removed all instances"
            definition = await self._tell(definition, "False", "InstanceDeletionCompleted", words)
        left = [one for one in definition["metadata"].get("finalizers") or () if one != naming.CLEANUP]
        patch = {"metadata": {"uid": definition["metadata"]["uid"], "finalizers": left or None}}
        await self._client.patch(DEFINITIONS, "", name, patch, kind="merge")

    async def _delete(self, name: str, stored: Stored) -> None:
        metadata = msgspec.json.decode(stored.raw)["metadata"]
        if metadata.get("deletionTimestamp"):
            return
        try:
            await self._client.delete(name, stored.key.namespace, stored.key.name, uid=metadata["uid"])
        except (NotFound, Conflict):
            self._add(name)

    async def _tell(self, definition: Object, status: str, reason: str, message: str) -> Object:
        now = timestamp(self._now())
        wanted = naming.with_condition(definition, "Terminating", (status, reason, message), now)
        if wanted["status"] == definition["status"]:
            return definition
        return await self._client.update(DEFINITIONS, "", wanted, subresource="status")


class _Served:
    """An established definition: what it said, and the versions made of that."""

    def __init__(self, said: Any, terminating: bool, versions: tuple[CustomVersion, ...]) -> None:  # noqa: FBT001  # a fact of the definition
        self.said = said
        self.terminating = terminating
        self.versions = versions

    def resources(self) -> list[Resource]:
        names = self.said[1]
        return [
            Resource(
                version.group,
                version.version,
                version.kind,
                names["plural"],
                namespaced=version.namespaced,
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                subresources=(*([SCALE] if version.scale else ()), *([STATUS] if version.status else ())),
                update_blind=False,
                singular_name=names.get("singular") or "",
                list_name=names.get("listKind") or "",
                custom=version,
                terminating=self.terminating,
            )
            for version in self.versions
        ]


def _name(definition: Object) -> str:
    return str(definition["metadata"]["name"])


def _approval(definition: Object, now: str) -> Object:
    found = naming.approval(definition)
    if found is None:
        return definition
    return naming.with_condition(definition, "KubernetesAPIApprovalPolicyConformant", found, now)
