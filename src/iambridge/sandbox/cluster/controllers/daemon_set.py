"""The DaemonSet controller: takes the steps that `daemon_plan.plan` decides."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from iambridge.core import label_selector
from iambridge.errors import KubernetesError, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers import daemon_plan
from iambridge.sandbox.cluster.controllers.daemon_history import DaemonHistory
from iambridge.sandbox.cluster.controllers.daemon_plan import Daemons, Plan
from iambridge.sandbox.cluster.controllers.ownership import Ownership
from iambridge.sandbox.cluster.controllers.pods import controller_of, ended, from_template
from iambridge.sandbox.cluster.controllers.replica_set import ending
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.reflector import Reflector
from iambridge.sandbox.cluster.timestamps import timestamp

_FIRST_HOLD_SECONDS = 1.0
_LONGEST_HOLD_SECONDS = 900.0

Object = dict[str, Any]


class DaemonSetController:
    """`now` gives seconds since the epoch."""

    def __init__(self, client: SystemClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._events = EventRecorder(client, "daemonset-controller", now)
        self._queue = WorkQueue("daemonset-controller", self._reconcile)
        self._sets = Reflector(client, "daemonsets.apps", self._on_set)
        self._nodes = Reflector(client, "nodes", self._on_node)
        self._pods = Reflector(client, "pods", self._on_pod)
        self._revisions = Reflector(client, "controllerrevisions.apps", self._on_owned)
        self._ownership = Ownership(client, "daemonsets.apps", "pods")
        self._history = DaemonHistory(client, self._revisions)
        self._deleted: set[str] = set()
        # (uid of the DaemonSet, node): when pods failed there, for how long the next one is left, until when
        self._holds: dict[tuple[str, str], tuple[float, float]] = {}

    async def run(self) -> None:
        reflectors = (self._sets, self._nodes, self._pods, self._revisions)
        await asyncio.gather(*(each.run() for each in reflectors), self._queue.run())

    def _on_set(self, event: str, daemon_set: Object) -> None:
        meta = daemon_set["metadata"]
        if event == "DELETED":
            self._holds = {key: hold for key, hold in self._holds.items() if key[0] != meta["uid"]}
        self._queue.add((meta["namespace"], meta["name"]))

    def _on_node(self, event: str, node: Object) -> None:
        del event, node
        for key in self._sets.objects:
            self._queue.add(key)

    def _on_pod(self, event: str, pod: Object) -> None:
        if event == "DELETED":
            self._deleted.discard(pod["metadata"]["uid"])
        self._on_owned(event, pod)

    def _on_owned(self, event: str, item: Object) -> None:
        meta, controller = item["metadata"], controller_of(item)
        if controller is not None:
            if controller["kind"] == "DaemonSet":
                self._queue.add((meta["namespace"], controller["name"]))
            return
        for key, daemon_set in self._sets.objects.items():
            selector = daemon_set["spec"].get("selector")
            if (
                event != "DELETED"
                and key[0] == meta["namespace"]
                and label_selector.matches(selector, meta.get("labels") or {})
            ):
                self._queue.add(key)

    async def _reconcile(self, key: Key) -> float | None:
        reflectors = (self._sets, self._nodes, self._pods, self._revisions)
        await asyncio.gather(*(each.synced.wait() for each in reflectors))
        found = self._sets.objects.get(key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return None
        daemon_set = {**found, "apiVersion": "apps/v1", "kind": "DaemonSet"}
        short, old = await self._history.current(daemon_set)
        if not short:
            status = daemon_set.get("status") or {}
            await self._write_status(daemon_set, {**status, "collisionCount": (status.get("collisionCount") or 0) + 1})
            return None
        there = [self._seen(pod) for (namespace, _), pod in self._pods.objects.items() if namespace == key[0]]
        pods = await self._ownership.claim(daemon_set, there)
        counted = [pod for pod in pods if not (ended(pod) and pod["metadata"].get("deletionTimestamp"))]
        nodes = sorted(self._nodes.objects.values(), key=lambda node: node["metadata"]["name"])
        daemons = Daemons(daemon_set, nodes, daemon_plan.group(counted), short, self._now())
        held, wait = self._held(daemon_set)
        step = daemon_plan.plan(daemons, held)
        failure = await self._take(daemon_set, step, short)
        await self._history.trim(daemon_set, old, pods)
        await self._write_status(daemon_set, daemon_plan.status(daemons))
        if failure is not None:
            raise failure
        return min((each for each in (step.again, wait) if each is not None), default=None)

    def _seen(self, pod: Object) -> Object:
        """The pod as it is once the watch has told of its deletion."""
        meta = pod["metadata"]
        if meta["uid"] not in self._deleted or meta.get("deletionTimestamp"):
            return pod
        return {**pod, "metadata": {**meta, "deletionTimestamp": timestamp(self._now())}}

    def _held(self, daemon_set: Object) -> tuple[frozenset[str], float | None]:
        """The nodes where a failed pod is left for now, and for how many seconds at least."""
        uid, now = daemon_set["metadata"]["uid"], self._now()
        left = {node: until - now for (owner, node), (_, until) in self._holds.items() if owner == uid and until > now}
        return frozenset(left), min(left.values(), default=None)

    async def _take(self, daemon_set: Object, step: Plan, short: str) -> KubernetesError | None:
        for kind, reason, message in step.events:
            record = self._events.normal if kind == "Normal" else self._events.warning
            await record(daemon_set, reason, message)
        try:
            await self._delete(daemon_set, step.delete)
            for node in step.create:
                await self._create(daemon_set, short, node)
        except KubernetesError as error:
            return None if ending(error) else error
        return None

    async def _create(self, daemon_set: Object, short: str, node: str) -> None:
        pod = from_template(daemon_plan.pod_template(daemon_set, short, node), daemon_set)
        try:
            created = await self._client.create("pods", daemon_set["metadata"]["namespace"], pod)
        except KubernetesError as error:
            if not ending(error):
                await self._events.warning(daemon_set, "FailedCreate", f"Error creating: {error.message}")
            raise
        self._pods.remember(created)
        await self._events.normal(daemon_set, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")

    async def _delete(self, daemon_set: Object, pods: Sequence[Any]) -> None:
        for pod in pods:
            meta = pod["metadata"]
            if (pod.get("status") or {}).get("phase") == "Failed":
                self._hold(daemon_set, daemon_plan.node_of(pod))
            try:
                await self._client.delete("pods", meta["namespace"], meta["name"], uid=meta["uid"])
            except NotFound:
                continue
            if (meta["namespace"], meta["name"]) in self._pods.objects:
                self._deleted.add(meta["uid"])
            await self._events.normal(daemon_set, "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    def _hold(self, daemon_set: Object, node: str) -> None:
        """A node that refuses its pod again and again is asked ever more seldom."""
        key = daemon_set["metadata"]["uid"], node
        seconds = min(self._holds[key][0] * 2, _LONGEST_HOLD_SECONDS) if key in self._holds else _FIRST_HOLD_SECONDS
        self._holds[key] = seconds, self._now() + seconds

    async def _write_status(self, daemon_set: Object, status: Object) -> None:
        if status == (daemon_set.get("status") or {}):
            return
        namespace = daemon_set["metadata"]["namespace"]
        try:
            written = await self._client.update(
                "daemonsets.apps", namespace, {**daemon_set, "status": status}, subresource="status"
            )
        except NotFound:
            return
        self._sets.remember(written)
