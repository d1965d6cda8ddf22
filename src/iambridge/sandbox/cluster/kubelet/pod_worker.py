"""Runs one pod from its assignment to its end: volumes, init containers, containers, status, termination."""

import asyncio
import contextlib
import datetime as dt
import logging
import shutil
from pathlib import Path
from typing import Any

from iambridge.errors import Conflict, FailedMount, KubernetesError, NotFound
from iambridge.sandbox.cluster.kubelet.container import Container
from iambridge.sandbox.cluster.kubelet.environment import Object
from iambridge.sandbox.cluster.kubelet.host import Host
from iambridge.sandbox.cluster.kubelet.pod_status import ContainerRecord, addresses, pod_status, status_patch
from iambridge.sandbox.cluster.kubelet.pod_volumes import PodVolumes
from iambridge.sandbox.cluster.timestamps import timestamp

_log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 30.0
_DEFAULT_GRACE_SECONDS = 30
_LEAST_SIDECAR_GRACE_SECONDS = 2.0


class PodWorker:
    """Owns `directory` and everything that runs for the pod, which has `address`."""

    def __init__(self, host: Host, pod: Object, directory: Path, address: str) -> None:
        self._host = host
        self._address = address
        # the downward API gives containers their pod's addresses, which the stored status does not have yet
        self.pod = {**pod, "status": {**(pod.get("status") or {}), **addresses(address)}}
        self._directory = directory
        self._volumes = PodVolumes(host, self.pod, directory / "volumes")
        self.init = self._containers("initContainers")
        self.main = self._containers("containers")
        self._ended: dict[str, str] = {}
        self._published: dict[str, Any] = {}
        self._conditions: list[Object] = self.pod["status"].get("conditions") or []
        self._echo: asyncio.Task[None] | None = None
        self._publishing = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._running: list[asyncio.Task[int]] = []

    def find(self, container: str) -> Container | None:
        """The container of this name, init containers included."""
        return next((each for each in (*self.main, *self.init) if each.record.name == container), None)

    async def run(self) -> None:
        """Run the pod until it has ended. Its processes are gone when this returns or is cancelled."""
        deadline = self.pod["spec"].get("activeDeadlineSeconds")
        work = asyncio.create_task(self._work())
        try:
            done, _ = await asyncio.wait({work}, timeout=self._left(deadline))
            if not done:
                self._ended = {
                    "phase": "Failed",
                    "reason": "DeadlineExceeded",
                    "message": "Pod was active on the node longer than the specified deadline",
                }
                await self.stop(self._grace())
            await work
        finally:
            if not work.done():
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work

    async def stop(self, grace: float) -> None:
        """End every container within `grace` seconds: the main ones together, then the sidecars in reverse order.

        Sidecars have what the others left of the grace, and two seconds at least, as a kubelet gives them.
        """
        self._stopping.set()
        began = self._host.now()
        ordinary = [container for container in self.init if not container.record.sidecar]
        await asyncio.gather(*(container.stop(grace) for container in (*self.main, *ordinary)))
        for container in self._sidecars_last_first():
            left = grace - (self._host.now() - began)
            await container.stop(max(left, min(grace, _LEAST_SIDECAR_GRACE_SECONDS)))

    def lost(self) -> None:
        """An earlier kubelet had started this pod, and its processes are gone: go on from what the status says."""
        before = self.pod.get("status") or {}
        kinds = (("initContainerStatuses", self.init), ("containerStatuses", self.main))
        for key, containers in kinds:
            known = {status["name"]: status for status in before.get(key) or ()}
            for container in containers:
                status, record = known.get(container.record.name), container.record
                if status is not None and status.get("containerID"):
                    record.starts = status.get("restartCount", 0) + 1
                    record.restart_count = status.get("restartCount", 0)
                    record.container_id = status["containerID"]
                    record.state, record.last_state = status["state"], status.get("lastState") or {}
                if container.started_unrecorded():
                    record.run(self._now(), "")
                if record.running:
                    message = "the node was restarted and the process ended with it"
                    record.terminate(137, self._now(), reason="ContainerStatusUnknown", message=message)

    def observe(self, pod: Object) -> None:
        """The pod as it is stored now: a controller may have set the condition of a readiness gate."""
        self._conditions = (pod.get("status") or {}).get("conditions") or []
        if pod["spec"].get("readinessGates") and self._published:
            self._echo = asyncio.create_task(self.publish())

    async def publish(self) -> None:
        """Write the status if it has changed."""
        async with self._publishing:
            status = pod_status(
                {**self.pod, "status": {**self.pod["status"], **self._published, "conditions": self._conditions}},
                [container.record for container in self.init],
                [container.record for container in self.main],
                now=self._now(),
                address=self._address,
                ended=self._ended,
            )
            if status == self._published:
                return
            metadata = self.pod["metadata"]
            change = {"metadata": {"uid": metadata["uid"]}, "status": status_patch(status)}
            try:
                stored = await self._host.client.patch(
                    "pods", metadata["namespace"], metadata["name"], change, kind="strategic", subresource="status"
                )
            except (NotFound, Conflict):
                return
            except KubernetesError as error:
                _log.warning("status of pod %s not written: %s", metadata["name"], error.message)
                return
            self._published = status
            self._conditions = stored["status"]["conditions"]

    def remove(self) -> None:
        """Delete what the pod left on disk and in memory."""
        self._host.memory.remove(self.pod["metadata"]["uid"])
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _work(self) -> None:
        keeper: asyncio.Task[None] | None = None
        try:
            await self.publish()
            if not await self._prepared():
                return
            keeper = asyncio.create_task(self._volumes.keep_current())
            if await self._initialized():
                tasks = [self._start(container) for container in self.main if self._wanted(container)]
                await asyncio.gather(*tasks)
            if not self._stopping.is_set():  # else `stop` ends them, with the grace that it was given
                for container in self._sidecars_last_first():
                    await container.stop(self._grace())
            await asyncio.gather(*self._running)
            await self.publish()
        finally:
            if keeper is not None:
                keeper.cancel()
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _prepared(self) -> bool:
        """Whether the volumes are there; tries on while they are not and the pod is wanted."""
        delay = _FIRST_RETRY_SECONDS
        while not self._stopping.is_set():
            try:
                await self._volumes.prepare()
            except (FailedMount, KubernetesError) as error:
                await self._host.events.warning(self.pod, "FailedMount", error.message)
                for container in self.init or self.main:
                    container.record.wait("ContainerCreating", error.message)
                await self.publish()
            else:
                return True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            delay = min(delay * 2, _LONGEST_RETRY_SECONDS)
        return False

    async def _initialized(self) -> bool:
        """Run the init containers, one after the other; a sidecar is only waited for until it has started.

        After an end of the node all of them run again, as after a reboot; but not for a pod that an earlier kubelet
        left with nothing to start, or whose init container ended with it under restartPolicy Never.
        """
        ordinary = [container.record for container in self.init if not container.record.sidecar]
        if any(record.exit_code not in (None, 0) and not record.restarts(self._policy) for record in ordinary):
            return False
        if not any(self._wanted(container) for container in self.main):
            return False
        for container in self.init:
            if self._stopping.is_set():
                return False
            if container.record.sidecar:
                task = self._start(container)
                started = asyncio.create_task(container.started.wait())
                await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
                started.cancel()
            elif await self._start(container) != 0:
                return False
        return not self._stopping.is_set()

    def _start(self, container: Container) -> asyncio.Task[int]:
        policy = container.record.policy(self._policy)
        task = asyncio.create_task(container.run(policy), name=f"container:{container.record.name}")
        self._running.append(task)
        return task

    @property
    def _policy(self) -> str:
        return str(self.pod["spec"].get("restartPolicy") or "Always")

    def _wanted(self, container: Container) -> bool:
        """Whether a container that an earlier kubelet may have run is to be started."""
        record = container.record
        return record.exit_code is None or record.restarts(self._policy)

    def _sidecars_last_first(self) -> list[Container]:
        return [container for container in reversed(self.init) if container.record.sidecar]

    def _containers(self, key: str) -> list[Container]:
        initial = key == "initContainers"
        reason = "PodInitializing" if self.pod["spec"].get("initContainers") else "ContainerCreating"
        return [
            Container(
                self._host,
                self.pod,
                ContainerRecord(spec, {"waiting": {"reason": reason}}, initial=initial),
                volumes=self._volumes,
                directory=self._directory / "containers" / spec["name"],
                changed=self.publish,
            )
            for spec in self.pod["spec"].get(key) or ()
        ]

    def _grace(self) -> float:
        seconds = self.pod["spec"].get("terminationGracePeriodSeconds")
        return float(_DEFAULT_GRACE_SECONDS if seconds is None else seconds)

    def _left(self, deadline: int | None) -> float | None:
        if deadline is None:
            return None
        started = (self.pod.get("status") or {}).get("startTime")
        active = self._host.now() - dt.datetime.fromisoformat(started).timestamp() if started else 0.0
        return max(0.0, float(deadline) - active)

    def _now(self) -> str:
        return timestamp(self._host.now())
