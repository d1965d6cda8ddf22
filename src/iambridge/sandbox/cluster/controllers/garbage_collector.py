"""Deletes objects whose owners are gone, and ends owners as their propagation policy asks.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/. Every served resource is watched; an
object is judged when it changes or when one of its owners goes.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from iambridge.errors import Conflict, NotFound
from iambridge.sandbox.cluster.cancellation import cancel_all
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.reflector import Reflector

_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"
_MOST_GONE = 10_000
_UNCOLLECTED = frozenset({"events", "events.events.k8s.io"})


@dataclass(frozen=True, slots=True)
class ServedResource:
    """A stored resource: `name` as `SystemClient` takes it, `group` without version."""

    name: str
    group: str
    kind: str
    namespaced: bool


@dataclass(frozen=True, slots=True)
class _Known:
    resource: ServedResource
    item: dict[str, Any]


class GarbageCollector:
    """`resources` gives what the API server serves; what comes later is watched once `refresh` is called."""

    def __init__(self, client: SystemClient, resources: Callable[[], Sequence[ServedResource]]) -> None:
        self._client = client
        self._resources = resources
        self._queue = WorkQueue("generic-garbage-collector", self._reconcile)
        self._known: dict[str, _Known] = {}
        self._dependents: dict[str, set[str]] = {}
        self._gone: dict[str, None] = {}
        self._reflectors: dict[str, Reflector] = {}
        self._changed = asyncio.Event()
        self._watching: dict[str, asyncio.Task[None]] = {}

    def refresh(self) -> None:
        """Look again at what is served."""
        self._changed.set()

    async def run(self) -> None:
        working = asyncio.create_task(self._queue.run())
        try:
            while True:
                self._changed.clear()
                self._watch_all()
                await self._changed.wait()
        finally:
            await cancel_all([working, *self._watching.values()])

    def _watch_all(self) -> None:
        served = {each.name: each for each in self._resources() if each.name not in _UNCOLLECTED}
        for name in self._watching.keys() - served.keys():
            self._watching.pop(name).cancel()
            self._reflectors.pop(name)
            self._forget(name)
        for name in served.keys() - self._watching.keys():
            reflector = Reflector(self._client, name, self._listener(served[name]))
            self._reflectors[name] = reflector
            self._watching[name] = asyncio.create_task(reflector.run(), name=f"garbage-collector:{name}")

    def _forget(self, name: str) -> None:
        """A custom kind is not served any more; whether its objects are gone was told while it was."""
        for uid in [uid for uid, known in self._known.items() if known.resource.name == name]:
            del self._known[uid]

    def _listener(self, resource: ServedResource) -> Callable[[str, dict[str, Any]], None]:
        def on_change(event: str, item: dict[str, Any]) -> None:
            self._on_change(resource, event, item)

        return on_change

    def _on_change(self, resource: ServedResource, event: str, item: dict[str, Any]) -> None:
        uid = item["metadata"]["uid"]
        before = self._known.pop(uid, None)
        for owner in _owners(before.item) if before else ():
            self._dependents.get(owner["uid"], set()).discard(uid)
            if event == "DELETED":
                self._queue.add(("", owner["uid"]))
        if event == "DELETED":
            self._gone[uid] = None
            if len(self._gone) > _MOST_GONE:
                del self._gone[next(iter(self._gone))]
            for dependent in self._dependents.pop(uid, set()):
                self._queue.add(("", dependent))
            return
        self._known[uid] = _Known(resource, item)
        for owner in _owners(item):
            self._dependents.setdefault(owner["uid"], set()).add(uid)
        if _owners(item) or (item["metadata"].get("deletionTimestamp") and item["metadata"].get("finalizers")):
            self._queue.add(("", uid))

    async def _reconcile(self, key: Key) -> None:
        await asyncio.gather(*(reflector.synced.wait() for reflector in self._reflectors.values()))
        known = self._known.get(key[1])
        if known is None:
            return
        finalizers = known.item["metadata"].get("finalizers") or ()
        if known.item["metadata"].get("deletionTimestamp"):
            if _ORPHAN in finalizers:
                await self._orphan_dependents(key[1])
                await self._remove_finalizer(known, _ORPHAN)
            elif _FOREGROUND in finalizers and not await self._delete_dependents(key[1]):
                await self._remove_finalizer(known, _FOREGROUND)
        elif _owners(known.item):
            await self._collect(known)

    async def _collect(self, known: _Known) -> None:
        """Delete the object if no owner is left; else drop the owners that are gone from it."""
        metadata = known.item["metadata"]
        owners = _owners(known.item)
        alive = [owner for owner in owners if await self._exists(owner, known)]
        ending = [
            owner
            for owner in alive
            if owner["uid"] in self._known
            and _FOREGROUND in (self._known[owner["uid"]].item["metadata"].get("finalizers") or ())
            and self._known[owner["uid"]].item["metadata"].get("deletionTimestamp")
        ]
        if len(ending) == len(alive):
            await self._delete(known, "Foreground" if ending else "Background")
        elif len(alive) < len(owners):
            await self._patch(known, {"metadata": {"uid": metadata["uid"], "ownerReferences": alive}})

    async def _exists(self, owner: dict[str, Any], known: _Known) -> bool:
        """Whether the owner lives: as watched, else as the API server says (never delete on hearsay)."""
        found = self._known.get(owner["uid"])
        namespace = known.item["metadata"].get("namespace", "")
        if found is not None:
            return found.item["metadata"].get("namespace", "") in ("", namespace)
        group = owner["apiVersion"].rpartition("/")[0]
        kinds = [each for each in self._resources() if (each.group, each.kind) == (group, owner["kind"])]
        if owner["uid"] in self._gone:
            return False  # it went before its kind did
        if not kinds:
            return True  # a kind that is not served cannot be judged
        try:
            live = await self._client.get(kinds[0].name, namespace if kinds[0].namespaced else "", owner["name"])
        except NotFound:
            return False
        return bool(live["metadata"]["uid"] == owner["uid"])

    async def _delete_dependents(self, uid: str) -> int:
        """Delete the dependents that block their owner's end; returns how many are left."""
        blocking = 0
        for dependent in list(self._dependents.get(uid, ())):
            known = self._known[dependent]
            mine = next(owner for owner in _owners(known.item) if owner["uid"] == uid)
            blocking += bool(mine.get("blockOwnerDeletion"))
            self._queue.add(("", dependent))
        return blocking

    async def _orphan_dependents(self, uid: str) -> None:
        for dependent in list(self._dependents.get(uid, ())):
            known = self._known[dependent]
            left = [owner for owner in _owners(known.item) if owner["uid"] != uid]
            await self._patch(known, {"metadata": {"uid": dependent, "ownerReferences": left or None}})

    async def _remove_finalizer(self, known: _Known, finalizer: str) -> None:
        metadata = known.item["metadata"]
        left = [name for name in metadata["finalizers"] if name != finalizer]
        await self._patch(known, {"metadata": {"uid": metadata["uid"], "finalizers": left or None}})

    async def _patch(self, known: _Known, change: dict[str, Any]) -> None:
        metadata = known.item["metadata"]
        try:
            await self._client.patch(
                known.resource.name, metadata.get("namespace", ""), metadata["name"], change, kind="merge"
            )
        except (NotFound, Conflict):
            return

    async def _delete(self, known: _Known, propagation: str) -> None:
        metadata = known.item["metadata"]
        try:
            await self._client.delete(
                known.resource.name,
                metadata.get("namespace", ""),
                metadata["name"],
                uid=metadata["uid"],
                propagation=propagation,
            )
        except (NotFound, Conflict):
            return


def _owners(item: dict[str, Any]) -> list[dict[str, Any]]:
    return list(item["metadata"].get("ownerReferences") or ())
