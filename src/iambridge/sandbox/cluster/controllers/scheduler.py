"""Assigns pods to the first node that can take them. Source: kube-scheduler, of which this is the smallest part."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from iambridge.errors import NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers import node_fit, pod_spread
from iambridge.sandbox.cluster.controllers.pods import ended
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.reflector import Reflector
from iambridge.sandbox.cluster.timestamps import timestamp

_SCHEDULER = "default-scheduler"


class Scheduler:
    def __init__(self, client: SystemClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._events = EventRecorder(client, _SCHEDULER, now)
        self._queue = WorkQueue("scheduler", self._schedule)
        self._pods = Reflector(client, "pods", self._on_pod)
        self._nodes = Reflector(client, "nodes", self._on_node)
        # where pods were put, by uid, until the watch tells of it
        self._assumed: dict[str, str] = {}

    async def run(self) -> None:
        await asyncio.gather(self._nodes.run(), self._pods.run(), self._queue.run())

    def _on_pod(self, event: str, pod: dict[str, Any]) -> None:
        meta = pod["metadata"]
        gone = event == "DELETED"
        if gone or pod["spec"].get("nodeName"):
            self._assumed.pop(meta["uid"], None)
        if not gone and _waits(pod):
            self._queue.add((meta["namespace"], meta["name"]))
        elif gone or ended(pod) or event == "ADDED":
            self._wake()

    def _on_node(self, event: str, node: dict[str, Any]) -> None:
        del event, node
        self._wake()

    def _wake(self) -> None:
        """There may be room, or company, for those that wait."""
        for key, pod in self._pods.objects.items():
            if _waits(pod):
                self._queue.add(key)

    async def _schedule(self, key: Key) -> float | None:
        pod = self._pods.objects.get(key)
        if pod is None or not _waits(pod):
            return None
        reasons: Counter[str] = Counter()
        nodes = list(self._nodes.objects.values())
        placed = [
            (each, name)
            for each in self._pods.objects.values()
            if (name := each["spec"].get("nodeName") or self._assumed.get(each["metadata"]["uid"], ""))
        ]
        for node in nodes:
            name = node["metadata"]["name"]
            there = [each for each, where in placed if where == name and not ended(each)]
            why = node_fit.misfit(pod, node, there) or pod_spread.misfit(pod, node, nodes, placed)
            if not why:
                await self._bind(pod, name)
                return None
            reasons[why] += 1
        fit = (
            f"0/{len(self._nodes.objects)} nodes are available: "
            + ", ".join(sorted(f"{count} {why}" for why, count in reasons.items()) or ["no node is registered"])
            + "."
        )
        await self._refuse(pod, fit)
        return None

    async def _bind(self, pod: dict[str, Any], node: str) -> None:
        metadata = pod["metadata"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._client.create("pods", metadata["namespace"], binding, subresource="binding")
        except NotFound:
            return
        self._assumed[metadata["uid"]] = node
        self._wake()
        place = f"{metadata['namespace']}/{metadata['name']}"
        await self._events.normal(pod, "Scheduled", f"Successfully assigned {place} to {node}")

    async def _refuse(self, pod: dict[str, Any], message: str) -> None:
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": timestamp(self._now()),
        }
        old = [each for each in (pod.get("status") or {}).get("conditions") or () if each["type"] == "PodScheduled"]
        if old and old[0].get("message") == message:
            return
        metadata = pod["metadata"]
        await self._events.warning(pod, "FailedScheduling", message)
        change = {"metadata": {"uid": metadata["uid"]}, "status": {"phase": "Pending", "conditions": [condition]}}
        await self._client.patch(
            "pods", metadata["namespace"], metadata["name"], change, kind="strategic", subresource="status"
        )


def _waits(pod: Mapping[str, Any]) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not pod["metadata"].get("deletionTimestamp")
        and not spec.get("schedulingGates")
        and (spec.get("schedulerName") or _SCHEDULER) == _SCHEDULER
    )
