"""The Job controller and the TTL of finished Jobs: takes the steps that `job_status.plan` decides."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from iambridge.errors import Conflict, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.job_status import TRACKING, Plan, expiry, finished, plan
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.reflector import Reflector

_SETTLE_SECONDS = 0.02


class JobController:
    """`expiring` deletes Jobs whose TTL has passed: in Kubernetes a controller of its own, with a right of its own."""

    def __init__(self, client: SystemClient, expiring: SystemClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._expiring = expiring
        self._now = now
        self._events = EventRecorder(client, "job-controller", now)
        self._queue = WorkQueue("job-controller", self._reconcile)
        self._jobs = Reflector(client, "jobs.batch", self._on_job)
        self._pods = Reflector(client, "pods", self._on_pod)
        self._created: dict[str, set[str]] = {}

    async def run(self) -> None:
        await asyncio.gather(self._jobs.run(), self._pods.run(), self._queue.run())

    def _on_job(self, event: str, job: dict[str, Any]) -> None:
        if event == "DELETED":
            self._created.pop(job["metadata"]["uid"], None)
        self._queue.add((job["metadata"]["namespace"], job["metadata"]["name"]))

    def _on_pod(self, event: str, pod: dict[str, Any]) -> None:
        owner = _controller(pod)
        if owner is None:
            return
        names = self._created.get(owner["uid"])
        if names is not None:
            names.discard(pod["metadata"]["name"])
        if event != "DELETED" or owner["name"]:
            self._queue.add((pod["metadata"]["namespace"], owner["name"]))

    async def _reconcile(self, key: Key) -> float | None:
        await asyncio.gather(self._jobs.synced.wait(), self._pods.synced.wait())
        job = self._jobs.objects.get(key)
        if job is None:
            await self._release_orphans(key)
            return None
        uid = job["metadata"]["uid"]
        if await self._unseen(uid, key[0]):
            return _SETTLE_SECONDS  # a pod that was created has not been seen yet: counting now would create another
        pods = [pod for pod in self._pods.objects.values() if (_controller(pod) or {}).get("uid") == uid]
        if finished(job) is not None:
            return await self._expire(job)
        step = plan(job, pods, self._now())
        await self._take(job, step)
        return step.again

    async def _unseen(self, uid: str, namespace: str) -> bool:
        """Whether a pod of the Job is there that the watch has not told of. One that is gone will never be told of."""
        names = self._created.get(uid) or set()
        for name in tuple(names):
            try:
                await self._client.get("pods", namespace, name)
            except NotFound:
                names.discard(name)
        return bool(names)

    async def _take(self, job: dict[str, Any], step: Plan) -> None:
        """Status first, since it must name a pod as uncounted before its finalizer goes."""
        metadata = job["metadata"]
        if step.status != (job.get("status") or {}):
            await self._client.update(
                "jobs.batch", metadata["namespace"], {**job, "status": step.status}, subresource="status"
            )
        for kind, reason, message in step.events:
            record = self._events.normal if kind == "Normal" else self._events.warning
            await record(_typed(job), reason, message)
        for pod in step.release:
            await self._release(pod)
        for pod in step.delete:
            await self._delete(job, pod)
        for _ in range(step.create):
            await self._create(job)

    async def _create(self, job: dict[str, Any]) -> None:
        metadata, template = job["metadata"], job["spec"]["template"]
        names = {
            "batch.kubernetes.io/controller-uid": metadata["uid"],
            "batch.kubernetes.io/job-name": metadata["name"],
            "controller-uid": metadata["uid"],
            "job-name": metadata["name"],
        }
        of_template = template.get("metadata") or {}
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": f"{metadata['name']}-",
                "namespace": metadata["namespace"],
                "labels": {**(of_template.get("labels") or {}), **names},
                **({"annotations": of_template["annotations"]} if of_template.get("annotations") else {}),
                "finalizers": [*(of_template.get("finalizers") or ()), TRACKING],
                "ownerReferences": [owner],
            },
            "spec": template["spec"],
        }
        created = await self._client.create("pods", metadata["namespace"], pod)
        name = created["metadata"]["name"]
        if (metadata["namespace"], name) not in self._pods.objects:
            self._created.setdefault(metadata["uid"], set()).add(name)
        await self._events.normal(_typed(job), "SuccessfulCreate", f"Created pod: {name}")

    async def _delete(self, job: dict[str, Any], pod: Mapping[str, Any]) -> None:
        metadata = pod["metadata"]
        try:
            await self._client.delete("pods", metadata["namespace"], metadata["name"], uid=metadata["uid"])
        except NotFound:
            return
        await self._events.normal(_typed(job), "SuccessfulDelete", f"Deleted pod: {metadata['name']}")

    async def _release(self, pod: Mapping[str, Any]) -> None:
        metadata = pod["metadata"]
        left = [name for name in metadata.get("finalizers") or () if name != TRACKING]
        change = {"metadata": {"uid": metadata["uid"], "finalizers": left or None}}
        try:
            await self._client.patch("pods", metadata["namespace"], metadata["name"], change, kind="merge")
        except (NotFound, Conflict):
            return

    async def _release_orphans(self, key: Key) -> None:
        """Pods of a Job that is gone are not counted any more."""
        for pod in list(self._pods.objects.values()):
            owner = _controller(pod)
            mine = owner is not None and (pod["metadata"]["namespace"], owner["name"]) == key
            if mine and TRACKING in (pod["metadata"].get("finalizers") or ()):
                await self._release(pod)

    async def _expire(self, job: dict[str, Any]) -> float | None:
        left = expiry(job, self._now())
        if left is None or left > 0 or job["metadata"].get("deletionTimestamp"):
            return left or None
        metadata = job["metadata"]
        try:
            await self._expiring.delete(
                "jobs.batch", metadata["namespace"], metadata["name"], uid=metadata["uid"], propagation="Foreground"
            )
        except NotFound:
            return None
        return None


def _controller(pod: dict[str, Any]) -> dict[str, Any] | None:
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller") and owner.get("kind") == "Job":
            return dict(owner)
    return None


def _typed(job: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "batch/v1", "kind": "Job", **job}
