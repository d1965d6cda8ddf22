"""The conditions of a pod that its kubelet owns; what others write there stays theirs: pure.

Source: kubernetes pkg/kubelet/status/generate.go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Condition = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Containers:
    """What the conditions hang on: names of containers that have not initialised, or are not ready; `alive` is whether
    the pod has run anything and may still.
    """

    uninitialized: Sequence[str]
    unready: Sequence[str]
    alive: bool


def conditions(
    phase: str, containers: Containers, gates: Sequence[str], held: Sequence[Condition], *, now: str
) -> list[dict[str, Any]]:
    """The kubelet's five. `held` are all that the pod has, for the readiness gates and for transition times."""
    initialized = _all(containers.uninitialized, "ContainersNotInitialized", "incomplete")
    ready = _all(containers.unready, "ContainersNotReady", "unready")
    if phase == "Succeeded":
        initialized = {"status": "True", "reason": "PodCompleted"}
        ready = {"status": "False", "reason": "PodCompleted"}
    elif phase == "Failed":
        ready = {"status": "False", "reason": "PodFailed"}
    old = {condition["type"]: condition for condition in held}
    wanted: dict[str, dict[str, str]] = {
        "PodReadyToStartContainers": {"status": str(containers.alive)},
        "Initialized": initialized,
        "Ready": _gated(gates, old) if ready["status"] == "True" else ready,
        "ContainersReady": ready,
        "PodScheduled": {"status": "True"},
    }
    result = []
    for kind, condition in wanted.items():
        same = kind in old and old[kind]["status"] == condition["status"]
        since = (old[kind].get("lastTransitionTime") or now) if same else now
        result.append({"type": kind, "lastProbeTime": None, "lastTransitionTime": since, **condition})
    return result


def _all(names: Sequence[str], reason: str, word: str) -> dict[str, str]:
    if not names:
        return {"status": "True"}
    return {"status": "False", "reason": reason, "message": f"containers with {word} status: [{' '.join(names)}]"}


def _gated(gates: Sequence[str], held: Mapping[str, Condition]) -> dict[str, str]:
    """Ready, if every readiness gate's condition is true; a controller outside of the pod sets those."""
    missing = [
        f'corresponding condition of pod readiness gate "{gate}" does not exist.'
        if gate not in held
        else f'the status of pod readiness gate "{gate}" is not "True", but {held[gate]["status"]}'
        for gate in gates
        if (held.get(gate) or {}).get("status") != "True"
    ]
    if not missing:
        return {"status": "True"}
    return {"status": "False", "reason": "ReadinessGatesNotReady", "message": ", ".join(missing)}
