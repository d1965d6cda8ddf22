"""A pod's status from what its containers do: pure. Source: core/v1 PodStatus, kubernetes pkg/kubelet getPhase."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iambridge.sandbox.cluster.kubelet.environment import Object
from iambridge.sandbox.cluster.kubelet.pod_conditions import Containers, conditions

IMAGE_ID = "process://host"
HOST_ADDRESS = "127.0.0.1"


@dataclass(slots=True)
class ContainerRecord:
    """One container as the kubelet knows it. `state` and `last_state` are core/v1 ContainerState objects.

    `passing` is what its readiness probe last said; without such a probe nothing reads it.
    """

    spec: Object
    state: Mapping[str, Any] = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last_state: Mapping[str, Any] = field(default_factory=dict)
    restart_count: int = 0
    starts: int = 0
    container_id: str = ""
    initial: bool = False
    passing: bool = False

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        """An init container that runs beside the others. Source: KEP-753."""
        return self.initial and self.spec.get("restartPolicy") == "Always"

    def policy(self, of_the_pod: str) -> str:
        """The container's own restartPolicy, else its pod's; what an init container has done is done."""
        policy = str(self.spec.get("restartPolicy") or of_the_pod)
        return "OnFailure" if self.initial and not self.sidecar and policy == "Always" else policy

    def restarts(self, of_the_pod: str) -> bool:
        """Whether, after its last end, it is to be started again."""
        policy = self.policy(of_the_pod)
        return policy == "Always" or (policy == "OnFailure" and self.exit_code != 0)

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def ready(self) -> bool:
        """An init container is ready when it has succeeded, any other while it runs and its probe says so."""
        if self.initial and not self.sidecar:
            return self.initialized
        return self.running and (self.passing or not self.spec.get("readinessProbe"))

    @property
    def exit_code(self) -> int | None:
        """Of the last run, if one has ended and no other has started since."""
        terminated = self.state.get("terminated") or ("waiting" in self.state and self.last_state.get("terminated"))
        return int(terminated["exitCode"]) if terminated else None

    @property
    def initialized(self) -> bool:
        """Whether, as an init container, it lets the next one start."""
        if self.sidecar:
            return self.running
        return (self.state.get("terminated") or {}).get("exitCode") == 0

    def wait(self, reason: str, message: str = "") -> None:
        """Become waiting; a run that ended becomes the last state."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def run(self, now: str, container_id: str) -> None:
        if "terminated" in self.state:
            self.last_state = self.state
        self.restart_count = self.starts
        self.starts += 1
        self.container_id = container_id
        self.passing = False
        self.state = {"running": {"startedAt": now}}

    def terminate(self, code: int, now: str, *, reason: str = "", message: str = "") -> None:
        """The run ended with this exit code."""
        started = (self.state.get("running") or {}).get("startedAt", now)
        self.passing = False
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": reason or ("Completed" if code == 0 else "Error"),
                **({"message": message} if message else {}),
                "startedAt": started,
                "finishedAt": now,
                **({"containerID": self.container_id} if self.container_id else {}),
            }
        }

    def status(self) -> dict[str, Any]:
        """As a core/v1 ContainerStatus."""
        return {
            "name": self.name,
            "image": self.spec.get("image", ""),
            "imageID": IMAGE_ID if self.starts else "",
            "state": dict(self.state),
            "lastState": dict(self.last_state),
            "ready": self.ready,
            "started": self.running,
            "restartCount": self.restart_count,
            **({"containerID": self.container_id} if self.container_id else {}),
        }


def phase(restart_policy: str, init: Sequence[ContainerRecord], containers: Sequence[ContainerRecord]) -> str:
    """Pending, Running, Succeeded or Failed. A sidecar that runs keeps the pod Running; how it ends is no matter."""
    ordinary = [record for record in init if not record.sidecar]
    if any(record.exit_code not in (None, 0) and not record.restarts(restart_policy) for record in ordinary):
        return "Failed"
    started = any(record.starts for record in containers)
    if not started and not all(record.initialized for record in init):
        return "Pending"
    if any("waiting" in record.state and "terminated" not in record.last_state for record in containers):
        return "Pending"
    alive = any(record.running for record in (*init, *containers))
    if alive or any(record.restarts(restart_policy) for record in containers):
        return "Running"
    return "Succeeded" if all(record.exit_code == 0 for record in containers) else "Failed"


def pod_status(
    pod: Object,
    init: Sequence[ContainerRecord],
    containers: Sequence[ContainerRecord],
    *,
    now: str,
    address: str = HOST_ADDRESS,
    ended: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The kubelet's part of the status. `ended` overrides phase, reason and message of a pod that it ended itself."""
    before = pod.get("status") or {}
    ended = dict(ended or {})
    found = ended.pop("phase", "") or phase(pod["spec"].get("restartPolicy") or "Always", init, containers)
    status: dict[str, Any] = {
        "phase": found,
        **ended,
        "qosClass": before.get("qosClass") or "BestEffort",
        **addresses(address),
        "startTime": before.get("startTime") or now,
        "conditions": _conditions(pod, found, init, containers, now),
        "containerStatuses": [record.status() for record in containers],
    }
    if init:
        status["initContainerStatuses"] = [record.status() for record in init]
    return status


def status_patch(status: Mapping[str, Any]) -> dict[str, Any]:
    """The strategic merge patch that makes `status` so, and leaves the conditions of others as they are."""
    empty = {"reason": None, "message": None}
    return {
        **status,
        "conditions": [{**empty, **condition} for condition in status["conditions"]],
        "podIPs": [*status["podIPs"], {"$patch": "replace"}],
    }


def addresses(address: str) -> dict[str, Any]:
    """The addresses of a pod and of its host, as PodStatus has them."""
    return {
        "hostIP": HOST_ADDRESS,
        "hostIPs": [{"ip": HOST_ADDRESS}],
        "podIP": address,
        "podIPs": [{"ip": address}],
    }


def _conditions(
    pod: Object, found: str, init: Sequence[ContainerRecord], containers: Sequence[ContainerRecord], now: str
) -> list[dict[str, Any]]:
    started = any(record.starts for record in containers)  # then init containers are behind the pod for good
    beside = [record for record in init if record.sidecar]
    state = Containers(
        [] if started else [record.name for record in init if not record.initialized],
        [record.name for record in (*beside, *containers) if not record.ready],
        found in ("Pending", "Running") and any(record.starts for record in (*init, *containers)),
    )
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    return conditions(found, state, gates, (pod.get("status") or {}).get("conditions") or (), now=now)
