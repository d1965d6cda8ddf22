"""The Deployment controller: takes the steps that `deployment_plan.plan` decides."""

import asyncio
from collections.abc import Callable
from typing import Any

from iambridge.core import label_selector
from iambridge.errors import AlreadyExists, KubernetesError, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.deployment_plan import REVISION, Plan, plan, same_template
from iambridge.sandbox.cluster.controllers.deployment_status import PROGRESSING, deadline, put
from iambridge.sandbox.cluster.controllers.ownership import Ownership
from iambridge.sandbox.cluster.controllers.pods import controller_of, ended
from iambridge.sandbox.cluster.controllers.replica_set import ending
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.reflector import Reflector

Object = dict[str, Any]


class DeploymentController:
    """`now` gives seconds since the epoch."""

    def __init__(self, client: SystemClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._events = EventRecorder(client, "deployment-controller", now)
        self._queue = WorkQueue("deployment-controller", self._reconcile)
        self._deployments = Reflector(client, "deployments.apps", self._on_deployment)
        self._sets = Reflector(client, "replicasets.apps", self._on_set)
        self._pods = Reflector(client, "pods", self._on_pod)
        self._ownership = Ownership(client, "deployments.apps", "replicasets.apps")

    async def run(self) -> None:
        await asyncio.gather(self._deployments.run(), self._sets.run(), self._pods.run(), self._queue.run())

    def _on_deployment(self, event: str, deployment: Object) -> None:
        del event
        self._queue.add((deployment["metadata"]["namespace"], deployment["metadata"]["name"]))

    def _on_set(self, event: str, replica_set: Object) -> None:
        del event
        meta, controller = replica_set["metadata"], controller_of(replica_set)
        if controller is not None:
            if controller["kind"] == "Deployment":
                self._queue.add((meta["namespace"], controller["name"]))
            return
        for key, deployment in self._deployments.objects.items():
            selector = deployment["spec"].get("selector")
            if key[0] == meta["namespace"] and label_selector.matches(selector, meta.get("labels") or {}):
                self._queue.add(key)

    def _on_pod(self, event: str, pod: Object) -> None:
        """Recreate waits for the last old pod to end."""
        controller = controller_of(pod)
        if controller is None or controller["kind"] != "ReplicaSet" or not (event == "DELETED" or ended(pod)):
            return
        replica_set = self._sets.objects.get((pod["metadata"]["namespace"], controller["name"]))
        if replica_set is not None:
            self._on_set(event, replica_set)

    async def _reconcile(self, key: Key) -> float | None:
        synced = (self._deployments.synced, self._sets.synced, self._pods.synced)
        await asyncio.gather(*(each.wait() for each in synced))
        found = self._deployments.objects.get(key)
        if found is None:
            return None
        deployment = {**found, "apiVersion": "apps/v1", "kind": "Deployment"}
        there = [each for (namespace, _), each in self._sets.objects.items() if namespace == key[0]]
        sets = await self._ownership.claim(deployment, there)
        step = plan(deployment, sets, self._busy(key[0], sets), self._now())
        await self._take(deployment, step)
        return step.again

    def _busy(self, namespace: str, sets: list[Object]) -> frozenset[str]:
        """The uids of those ReplicaSets of which a pod has not ended."""
        uids = {each["metadata"]["uid"] for each in sets}
        owners = (
            controller["uid"]
            for (where, _), pod in self._pods.objects.items()
            if where == namespace and not ended(pod) and (controller := controller_of(pod)) is not None
        )
        return frozenset(uids.intersection(owners))

    async def _take(self, deployment: Object, step: Plan) -> None:
        """ReplicaSets first: the status must not say that a generation was seen before it was acted upon."""
        namespace = deployment["metadata"]["namespace"]
        if step.create is not None and not await self._create(deployment, step):
            return
        for replica_set in step.update:
            self._sets.remember(await self._client.update("replicasets.apps", namespace, replica_set))
        for message in step.events:
            await self._events.normal(deployment, "ScalingReplicaSet", message)
        for replica_set in step.delete:
            meta = replica_set["metadata"]
            try:
                await self._client.delete("replicasets.apps", namespace, meta["name"], uid=meta["uid"])
            except NotFound:
                continue
        await self._write_status(deployment, step.status, step.revision)

    async def _create(self, deployment: Object, step: Plan) -> bool:
        """Returns whether the new ReplicaSet is there."""
        assert step.create is not None
        namespace, name = deployment["metadata"]["namespace"], step.create["metadata"]["name"]
        try:
            self._sets.remember(await self._client.create("replicasets.apps", namespace, step.create))
        except AlreadyExists:
            there = await self._client.get("replicasets.apps", namespace, name)
            controller = controller_of(there) or {}
            template = deployment["spec"]["template"]
            if controller.get("uid") == deployment["metadata"]["uid"] and same_template(
                there["spec"]["template"], template
            ):
                self._sets.remember(there)
                return True
            # another template has the same short name: take another one
            collisions = ((deployment.get("status") or {}).get("collisionCount") or 0) + 1
            await self._write_status(deployment, {**(deployment.get("status") or {}), "collisionCount": collisions}, "")
            return False
        except KubernetesError as error:
            if not ending(error):
                await self._report(deployment, step, f'Failed to create new replica set "{name}": {error.message}')
            raise
        return True

    async def _report(self, deployment: Object, step: Plan, message: str) -> None:
        await self._events.warning(deployment, "ReplicaSetCreateError", message)
        if deadline(deployment) is None:
            return
        conditions = step.status["conditions"]
        put(conditions, PROGRESSING, "False", "ReplicaSetCreateError", message, self._now())
        before = deployment.get("status") or {}
        await self._write_status(deployment, {**before, "conditions": conditions}, "")

    async def _write_status(self, deployment: Object, status: Object, revision: str) -> None:
        """The revision is an annotation, which this kind's status endpoint takes too."""
        meta = deployment["metadata"]
        annotations = {**(meta.get("annotations") or {}), **({REVISION: revision} if revision else {})}
        if status == (deployment.get("status") or {}) and annotations == (meta.get("annotations") or {}):
            return
        changed = {**deployment, "metadata": {**meta, "annotations": annotations}, "status": status}
        try:
            written = await self._client.update("deployments.apps", meta["namespace"], changed, subresource="status")
        except NotFound:
            return
        self._deployments.remember(written)
