"""The process kubelet: registers the node, runs the pods assigned to it, shows their logs."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from iambridge.errors import BadRequest, KubernetesError, NotFound
from iambridge.sandbox.cluster.cancellation import cancel_all
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.kubelet import logs, pod_addresses
from iambridge.sandbox.cluster.kubelet.environment import Object
from iambridge.sandbox.cluster.kubelet.host import Host, KubeletConfiguration
from iambridge.sandbox.cluster.kubelet.memory_volumes import MemoryVolumes
from iambridge.sandbox.cluster.kubelet.mount_mode import MountMode, probe
from iambridge.sandbox.cluster.kubelet.node import heartbeat, register
from iambridge.sandbox.cluster.kubelet.pod_addresses import PodAddresses
from iambridge.sandbox.cluster.kubelet.pod_status import HOST_ADDRESS
from iambridge.sandbox.cluster.kubelet.pod_worker import PodWorker
from iambridge.sandbox.cluster.kubelet.process import Warden, kill_recorded
from iambridge.sandbox.cluster.reflector import Reflector

_log = logging.getLogger(__name__)

_STOP_GRACE_SECONDS = 5.0


def kubelet_identity(node_name: str) -> tuple[str, tuple[str, ...]]:
    """The kubelet's user name and groups."""
    return f"system:node:{node_name}", ("system:nodes", "system:authenticated")


class Kubelet:
    """`client` speaks as `kubelet_identity`. `now` gives seconds since the epoch.

    `mode` skips the probe for the ways to mount; it is for systems where the answer is known.
    """

    def __init__(
        self,
        configuration: KubeletConfiguration,
        client: SystemClient,
        *,
        now: Callable[[], float],
        mode: MountMode | None = None,
    ) -> None:
        self._configuration = configuration
        self._client = client
        self._now = now
        self._mode = mode
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._deleting: set[asyncio.Task[None]] = set()
        self._background: list[asyncio.Task[None]] = []
        self._host: Host | None = None
        self._addresses = PodAddresses(None)
        self._memory = MemoryVolumes(None)
        self._reflector = Reflector(client, "pods", self._on_pod)

    async def start(self) -> None:
        """End what an earlier kubelet left, register the node and begin to run pods.

        Raises:
            KubernetesError: the API server refused the node.
        """
        directory = self._configuration.directory
        mode = self._mode or await probe(directory)
        self._kill_orphans()
        name = self._configuration.node_name
        warden = Warden()
        await warden.start()
        events = EventRecorder(self._client, "kubelet", self._now, host=name)
        jitter = random.SystemRandom().random
        self._addresses = pod_addresses.claim(str(directory.resolve()))
        self._memory = MemoryVolumes.of(directory)
        self._host = Host(
            self._configuration,
            self._client,
            events,
            mode,
            warden,
            self._now,
            jitter,
            self._addresses.network,
            self._memory,
        )
        node = await register(self._host)
        await events.normal(node, "Starting", "Starting kubelet; pods are host processes, this is not a sandbox")
        if self._addresses.network is None:
            words = "this machine has one loopback address, which all pods share: two cannot listen on one port"
            await events.warning(node, "PodAddressesShared", words)
        if mode is MountMode.REWRITE:
            await events.warning(
                node,
                "MountPathRewritten",
                "no mount namespaces: volume paths are rewritten at exec time",
            )
        self._background = [
            asyncio.create_task(heartbeat(self._host), name="kubelet:heartbeat"),
            asyncio.create_task(self._reflector.run(), name="kubelet:pods"),
        ]

    async def close(self) -> None:
        """End all processes (SIGTERM, then SIGKILL) and stop. Pods stay; the next start goes on with them."""
        await cancel_all(self._background)
        await asyncio.gather(*(worker.stop(_STOP_GRACE_SECONDS) for worker in self._workers.values()))
        ending = [*self._tasks.values(), *self._deleting]
        if ending:
            await asyncio.wait(ending, timeout=_STOP_GRACE_SECONDS)
        await cancel_all(ending)
        if self._host is not None:
            await self._host.warden.stop()
        self._addresses.close()
        self._memory.close()

    async def logs(self, pod: Object, container: str, options: logs.LogOptions) -> AsyncIterator[bytes]:
        """A container's log, for the API server's `pods/log`.

        Raises:
            KubernetesError: there is no such container, or it has no log yet.
        """
        metadata = pod["metadata"]
        worker = self._workers.get(metadata["uid"])
        found = worker.find(container) if worker else None
        if found is None:
            raise BadRequest(f"container {container} is not valid for pod {metadata['name']}")
        path = found.log_file(previous=options.previous)
        if path is None:
            place = f"in pod {metadata['name']!r}".replace("'", '"')
            if options.previous:
                raise BadRequest(f'previous terminated container "{container}" {place} not found')
            reason = (found.record.state.get("waiting") or {}).get("reason", "ContainerCreating")
            raise BadRequest(f'container "{container}" {place} is waiting to start: {reason}')
        writing = found.log if found.log is not None and not found.log.closed and not options.previous else None
        return logs.read(path, options, now=self._now(), writing=writing)

    def _kill_orphans(self) -> None:
        directory = self._configuration.directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for record in directory.glob("*/containers/*/process.json"):
            if kill_recorded(record):
                _log.info("ended a process that an earlier run had left: %s", record.parent.name)

    def _on_pod(self, event: str, pod: dict[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        if pod["spec"].get("nodeName") != self._configuration.node_name:
            return
        if event == "DELETED":
            self._forget(uid)
        elif pod["metadata"].get("deletionTimestamp"):
            self._delete(uid, pod)
        elif uid not in self._workers:
            self._begin(uid, pod)
        else:
            self._workers[uid].observe(pod)

    def _begin(self, uid: str, pod: dict[str, Any]) -> None:
        assert self._host is not None
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        address = HOST_ADDRESS
        if not ended and not pod["spec"].get("hostNetwork"):
            address = self._addresses.take(uid, before=(pod.get("status") or {}).get("podIP") or "")
        worker = PodWorker(self._host, pod, self._directory(uid), address)
        self._workers[uid] = worker
        worker.lost()
        if not ended:
            self._tasks[uid] = asyncio.create_task(self._run(worker), name=f"pod:{pod['metadata']['name']}")

    async def _run(self, worker: PodWorker) -> None:
        try:
            await worker.run()
        except Exception:  # noqa: BLE001 - one pod must not stop the others
            _log.exception("pod %s: the kubelet failed", worker.pod["metadata"]["name"])
        finally:
            self._addresses.give_back(worker.pod["metadata"]["uid"])

    def _delete(self, uid: str, pod: dict[str, Any]) -> None:
        if any(task.get_name() == f"delete:{uid}" for task in self._deleting):
            return
        task = asyncio.create_task(self._end(uid, pod), name=f"delete:{uid}")
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)

    async def _end(self, uid: str, pod: dict[str, Any]) -> None:
        """Stop the pod's containers within its grace and tell the API server that it is gone."""
        metadata = pod["metadata"]
        worker, task = self._workers.get(uid), self._tasks.get(uid)
        if worker is not None and task is not None and not task.done():
            await worker.stop(float(metadata.get("deletionGracePeriodSeconds") or 0))
            await asyncio.wait({task})
        with contextlib.suppress(NotFound):
            try:
                await self._client.delete("pods", metadata["namespace"], metadata["name"], uid=uid, grace_seconds=0)
            except NotFound:
                raise
            except KubernetesError as error:
                _log.warning("pod %s not deleted: %s", metadata["name"], error.message)

    def _forget(self, uid: str) -> None:
        """The pod is gone from the API, be it by force: nothing of it may stay."""
        worker, task = self._workers.pop(uid, None), self._tasks.pop(uid, None)
        if worker is None:
            return
        if task is not None:
            task.cancel()
            task.add_done_callback(lambda _: worker.remove())
        else:
            worker.remove()

    def _directory(self, uid: str) -> Path:
        return self._configuration.directory / uid
