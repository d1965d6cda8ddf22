"""Assigns pods to the ready node whose labels match. Source: kube-scheduler, of which this is the smallest part."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from iambridge.errors import NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.reflector import Reflector
from iambridge.sandbox.cluster.timestamps import timestamp

_SCHEDULER = "default-scheduler"


def unschedulable(pod: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """Why `node` cannot take `pod`, in the scheduler's words; empty when it can."""
    spec, labels = pod["spec"], node["metadata"].get("labels") or {}
    if (node.get("spec") or {}).get("unschedulable"):
        return "node(s) were unschedulable"
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return "node(s) didn't match Pod's node affinity/selector"
    if ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution"):
        return "node(s) were not tried: required node affinity is not supported by the embedded scheduler"
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint["effect"] in ("NoSchedule", "NoExecute") and not _tolerated(taint, spec.get("tolerations") or ()):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return ""


class Scheduler:
    def __init__(self, client: SystemClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._events = EventRecorder(client, _SCHEDULER, now)
        self._queue = WorkQueue("scheduler", self._schedule)
        self._pods = Reflector(client, "pods", self._on_pod)
        self._nodes = Reflector(client, "nodes", self._on_node)

    async def run(self) -> None:
        await asyncio.gather(self._nodes.run(), self._pods.run(), self._queue.run())

    def _on_pod(self, event: str, pod: dict[str, Any]) -> None:
        if event != "DELETED" and _waits(pod):
            self._queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def _on_node(self, event: str, node: dict[str, Any]) -> None:
        del event, node
        for key, pod in self._pods.objects.items():
            if _waits(pod):
                self._queue.add(key)

    async def _schedule(self, key: Key) -> float | None:
        pod = self._pods.objects.get(key)
        if pod is None or not _waits(pod):
            return None
        reasons: list[str] = []
        for node in self._nodes.objects.values():
            why = unschedulable(pod, node)
            if not why:
                await self._bind(pod, node["metadata"]["name"])
                return None
            reasons.append(f"1 {why}")
        fit = (
            f"0/{len(self._nodes.objects)} nodes are available: "
            + ", ".join(reasons or ["no node is registered"])
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
            "pods", metadata["namespace"], metadata["name"], change, kind="merge", subresource="status"
        )


def _waits(pod: Mapping[str, Any]) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not pod["metadata"].get("deletionTimestamp")
        and not spec.get("schedulingGates")
        and (spec.get("schedulerName") or _SCHEDULER) == _SCHEDULER
    )


def _tolerated(taint: Mapping[str, Any], tolerations: Any) -> bool:
    return any(
        (not each.get("key") or each["key"] == taint["key"])
        and (each.get("operator") == "Exists" or each.get("value", "") == taint.get("value", ""))
        and each.get("effect") in (None, "", taint["effect"])
        for each in tolerations
    )
