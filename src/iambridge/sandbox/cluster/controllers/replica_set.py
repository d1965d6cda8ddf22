"""The ReplicaSet controller: keeps as many pods as are wanted. Source: kubernetes pkg/controller/replicaset."""

import asyncio
from collections.abc import Callable
from typing import Any

from iambridge.core import label_selector
from iambridge.errors import Forbidden, KubernetesError, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.ownership import Ownership
from iambridge.sandbox.cluster.controllers.pods import active, controller_of, ended, from_template, next_available
from iambridge.sandbox.cluster.controllers.replica_set_status import status, surplus
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.reflector import Reflector

Object = dict[str, Any]


class ReplicaSetController:
    """`now` gives seconds since the epoch."""

    def __init__(self, client: SystemClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._events = EventRecorder(client, "replicaset-controller", now)
        self._queue = WorkQueue("replicaset-controller", self._reconcile)
        self._sets = Reflector(client, "replicasets.apps", self._on_set)
        self._pods = Reflector(client, "pods", self._on_pod)
        self._ownership = Ownership(client, "replicasets.apps", "pods")
        self._owners: dict[str, Key] = {}
        # what was deleted counts as gone from then on, also before the watch says so
        self._deleted: set[str] = set()

    async def run(self) -> None:
        await asyncio.gather(self._sets.run(), self._pods.run(), self._queue.run())

    def _on_set(self, event: str, replica_set: Object) -> None:
        del event
        self._queue.add((replica_set["metadata"]["namespace"], replica_set["metadata"]["name"]))

    def _on_pod(self, event: str, pod: Object) -> None:
        meta, controller = pod["metadata"], controller_of(pod)
        before = self._owners.pop(meta["uid"], None)
        if before is not None:
            self._queue.add(before)
        if event == "DELETED":
            self._deleted.discard(meta["uid"])
        elif controller is None:
            for key, replica_set in self._sets.objects.items():
                selector = replica_set["spec"].get("selector")
                if key[0] == meta["namespace"] and label_selector.matches(selector, meta.get("labels") or {}):
                    self._queue.add(key)
        elif controller["kind"] == "ReplicaSet":
            self._owners[meta["uid"]] = key = (meta["namespace"], controller["name"])
            self._queue.add(key)

    async def _reconcile(self, key: Key) -> float | None:
        await asyncio.gather(self._sets.synced.wait(), self._pods.synced.wait())
        replica_set = self._sets.objects.get(key)
        if replica_set is None:
            return None
        owner = {**replica_set, "apiVersion": "apps/v1", "kind": "ReplicaSet"}
        there = [pod for (namespace, _), pod in self._pods.objects.items() if namespace == key[0]]
        pods = await self._ownership.claim(owner, [pod for pod in there if self._is_active(pod)])
        failure = None if owner["metadata"].get("deletionTimestamp") else await self._manage(owner, pods)
        going = sum(not ended(pod) and not self._is_active(pod) and _owned(owner, pod) for pod in there)
        await self._write_status(owner, pods, going, failure)
        if failure is not None:
            raise failure
        return next_available(pods, owner["spec"].get("minReadySeconds") or 0, self._now())

    def _is_active(self, pod: Object) -> bool:
        return active(pod) and pod["metadata"]["uid"] not in self._deleted

    async def _manage(self, owner: Object, pods: list[Object]) -> KubernetesError | None:
        """Make what is missing or delete what is too much; `pods` follows. Returns what went wrong."""
        wanted = owner["spec"].get("replicas") or 0
        try:
            for pod in surplus(pods, wanted):
                await self._delete(owner, pod)
                pods.remove(pod)
            while len(pods) < wanted:
                pods.append(await self._create(owner))
        except KubernetesError as error:
            return None if ending(error) else error
        return None

    async def _create(self, owner: Object) -> Object:
        pod = from_template(owner["spec"]["template"], owner)
        try:
            created = await self._client.create("pods", owner["metadata"]["namespace"], pod)
        except KubernetesError as error:
            if not ending(error):
                await self._events.warning(owner, "FailedCreate", f"Error creating: {error.message}")
            raise
        self._pods.remember(created)
        await self._events.normal(owner, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
        return created

    async def _delete(self, owner: Object, pod: Object) -> None:
        meta = pod["metadata"]
        try:
            await self._client.delete("pods", meta["namespace"], meta["name"], uid=meta["uid"])
        except NotFound:
            return
        except KubernetesError as error:
            await self._events.warning(owner, "FailedDelete", f"Error deleting: {error.message}")
            raise
        if (meta["namespace"], meta["name"]) in self._pods.objects:
            self._deleted.add(meta["uid"])
        await self._events.normal(owner, "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    async def _write_status(
        self, owner: Object, pods: list[Object], going: int, failure: KubernetesError | None
    ) -> None:
        found = status(owner, pods, going, failure.message if failure else "", self._now())
        if found == (owner.get("status") or {}):
            return
        meta = owner["metadata"]
        try:
            written = await self._client.update(
                "replicasets.apps", meta["namespace"], {**owner, "status": found}, subresource="status"
            )
        except NotFound:
            return
        self._sets.remember(written)


def _owned(owner: Object, pod: Object) -> bool:
    controller = controller_of(pod)
    mine = controller is not None and controller["uid"] == owner["metadata"]["uid"]
    return mine and label_selector.matches(owner["spec"].get("selector"), pod["metadata"].get("labels") or {})


def ending(error: KubernetesError) -> bool:
    """Whether a create was refused because the namespace is being deleted: nothing can be made there any more."""
    causes: Any = (error.details or {}).get("causes") or ()
    return isinstance(error, Forbidden) and any(each.get("reason") == "NamespaceTerminating" for each in causes)
