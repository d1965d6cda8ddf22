"""Ends pods of a node that is gone, which no kubelet ends. Source: kubernetes pkg/controller/podgc."""

import asyncio
from collections.abc import Callable
from typing import Any

from iambridge.errors import Conflict, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.pods import ended
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.reflector import Reflector
from iambridge.sandbox.cluster.timestamps import timestamp

QUARANTINE_SECONDS = 40.0

Object = dict[str, Any]


class PodGarbageCollector:
    """A node that is not there may come yet: its pods end only after `quarantine` seconds without it."""

    def __init__(
        self, client: SystemClient, *, now: Callable[[], float], quarantine: float = QUARANTINE_SECONDS
    ) -> None:
        self._client = client
        self._now = now
        self._quarantine = quarantine
        self._queue = WorkQueue("pod-garbage-collector", self._reconcile)
        self._nodes = Reflector(client, "nodes", self._on_node)
        self._pods = Reflector(client, "pods", self._on_pod)
        self._missing: dict[str, float] = {}

    async def run(self) -> None:
        await asyncio.gather(self._nodes.run(), self._pods.run(), self._queue.run())

    def _on_node(self, event: str, node: Object) -> None:
        name = node["metadata"]["name"]
        if event != "DELETED":
            self._missing.pop(name, None)
            return
        for pod in self._pods.objects.values():
            if pod["spec"].get("nodeName") == name:
                self._on_pod("MODIFIED", pod)

    def _on_pod(self, event: str, pod: Object) -> None:
        if event != "DELETED" and pod["spec"].get("nodeName"):
            self._queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    async def _reconcile(self, key: Key) -> float | None:
        await asyncio.gather(self._nodes.synced.wait(), self._pods.synced.wait())
        pod = self._pods.objects.get(key)
        node = pod["spec"].get("nodeName", "") if pod is not None else ""
        if pod is None or not node or ("", node) in self._nodes.objects:
            return None
        left = self._missing.setdefault(node, self._now()) + self._quarantine - self._now()
        if left > 0:
            return left
        try:
            await self._client.get("nodes", "", node)
        except NotFound:
            await self._end(pod)
        return None

    async def _end(self, pod: Object) -> None:
        """As Failed, so that whoever waits for its end learns of it; then it is removed without grace."""
        meta = pod["metadata"]
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists",
            "lastTransitionTime": timestamp(self._now()),
        }
        change = {"metadata": {"uid": meta["uid"]}, "status": {"phase": "Failed", "conditions": [condition]}}
        namespace, name = meta["namespace"], meta["name"]
        try:
            if not ended(pod):
                await self._client.patch("pods", namespace, name, change, kind="strategic", subresource="status")
            await self._client.delete("pods", namespace, name, uid=meta["uid"], grace_seconds=0)
        except (NotFound, Conflict):
            return
