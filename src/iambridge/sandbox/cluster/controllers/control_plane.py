"""Runs all controllers, each with its own identity, and starts one again that fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from iambridge.errors import KubernetesError
from iambridge.sandbox.cluster.cancellation import cancel_all
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.daemon_set import DaemonSetController
from iambridge.sandbox.cluster.controllers.deployment import DeploymentController
from iambridge.sandbox.cluster.controllers.garbage_collector import GarbageCollector, ServedResource
from iambridge.sandbox.cluster.controllers.job import JobController
from iambridge.sandbox.cluster.controllers.namespace import (
    NamespaceController,
    RootCertificatePublisher,
    ServiceAccountController,
    SystemNamespaces,
)
from iambridge.sandbox.cluster.controllers.pod_garbage_collector import PodGarbageCollector
from iambridge.sandbox.cluster.controllers.replica_set import ReplicaSetController
from iambridge.sandbox.cluster.controllers.scheduler import Scheduler

_log = logging.getLogger(__name__)

_RESTART_SECONDS = 0.5

Connect = Callable[[str, tuple[str, ...]], SystemClient]


def controller_identity(name: str) -> tuple[str, tuple[str, ...]]:
    """The ServiceAccount in kube-system that the bootstrap roles are bound to, with its groups."""
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    return f"system:serviceaccount:kube-system:{name}", groups


class ControlPlane:
    """`connect(username, groups)` gives a client; `certificate` is the PEM of the API server's CA.

    `resources` gives what is served at this moment, for the garbage collector and for emptying namespaces.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        resources: Callable[[], Sequence[ServedResource]],
        certificate: str,
        now: Callable[[], float],
    ) -> None:
        def client(name: str) -> SystemClient:
            return connect(*controller_identity(name))

        def namespaced() -> list[str]:
            return [each.name for each in resources() if each.namespaced]

        # as in kube-controller-manager, whose controllers share one set of informers under its own identity
        informers = connect("system:kube-controller-manager", ("system:authenticated",))
        self._garbage_collector = GarbageCollector(client("generic-garbage-collector"), resources)
        jobs = JobController(client("job-controller"), client("ttl-after-finished-controller"), now=now)
        scheduler = connect("system:kube-scheduler", ("system:authenticated",))
        self._loops: dict[str, Callable[[], Awaitable[None]]] = {
            "namespace-controller": NamespaceController(client("namespace-controller"), namespaced, now=now).run,
            "service-account-controller": ServiceAccountController(client("service-account-controller"), informers).run,
            "root-ca-cert-publisher": RootCertificatePublisher(
                client("root-ca-cert-publisher"), informers, certificate
            ).run,
            "generic-garbage-collector": self._garbage_collector.run,
            "job-controller": jobs.run,
            "daemon-set-controller": DaemonSetController(client("daemon-set-controller"), now=now).run,
            "deployment-controller": DeploymentController(client("deployment-controller"), now=now).run,
            "pod-garbage-collector": PodGarbageCollector(client("pod-garbage-collector"), now=now).run,
            "replicaset-controller": ReplicaSetController(client("replicaset-controller"), now=now).run,
            "kube-scheduler": Scheduler(scheduler, now=now).run,
        }
        self._namespaces = SystemNamespaces(connect("system:apiserver", ("system:masters",)))
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the system namespaces, then begin."""
        await self._namespaces.run()
        self._tasks = [asyncio.create_task(_forever(name, run), name=name) for name, run in self._loops.items()]

    def refresh(self) -> None:
        """What is served has changed (a CustomResourceDefinition came or went)."""
        self._garbage_collector.refresh()

    async def close(self) -> None:
        await cancel_all(self._tasks)


async def _forever(name: str, run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except KubernetesError as error:
            _log.warning("%s starts again: %s", name, error.message)
        except Exception:  # noqa: BLE001 - a controller that stopped for good would be worse than the bug
            _log.exception("%s starts again after a bug", name)
        await asyncio.sleep(_RESTART_SECONDS)
