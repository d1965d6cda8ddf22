"""What a ReplicaSet needs next: pure, from it and its pods. Source: kubernetes pkg/controller/replicaset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from iambridge.sandbox.cluster.controllers.pods import available, ready_since, restarts, seconds
from iambridge.sandbox.cluster.timestamps import timestamp

_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_FAILURE = "ReplicaFailure"

Object = Mapping[str, Any]


def surplus(pods: Sequence[dict[str, Any]], wanted: int) -> list[dict[str, Any]]:
    """Which of the active `pods` to delete so that `wanted` are left: those that would be missed least come first."""
    crowd = Counter(pod["spec"].get("nodeName") for pod in pods if ready_since(pod) is not None)
    return sorted(pods, key=lambda pod: _worth(pod, crowd))[: max(0, len(pods) - wanted)]


def _worth(pod: Object, crowd: Mapping[str | None, int]) -> tuple[Any, ...]:
    """Kubernetes' order: not assigned, not running, not ready, cheap, crowded, ready or made of late, restarted."""
    node, since = pod["spec"].get("nodeName"), ready_since(pod)
    cost = (pod["metadata"].get("annotations") or {}).get(_DELETION_COST, "0")
    return (
        bool(node),
        _PHASES.get((pod.get("status") or {}).get("phase", ""), 0),
        since is not None,
        int(cost) if cost.lstrip("-").isdecimal() else 0,
        -crowd[node],
        -(since or 0),
        -restarts(pod),
        -seconds(pod["metadata"]["creationTimestamp"]),
    )


def status(replica_set: Object, pods: Sequence[Object], going: int, failure: str, now: float) -> dict[str, Any]:
    """The whole new status. `pods` are the active ones, `going` those that are being deleted.

    `failure` says why pods could not be made or deleted.
    """
    spec, before = replica_set["spec"], replica_set.get("status") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    waits = spec.get("minReadySeconds") or 0
    counts = {
        "fullyLabeledReplicas": sum(labels.items() <= (pod["metadata"].get("labels") or {}).items() for pod in pods),
        "readyReplicas": sum(ready_since(pod) is not None for pod in pods),
        "availableReplicas": sum(available(pod, waits, now) for pod in pods),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    conditions = [dict(each) for each in before.get("conditions") or ()]
    known = any(each["type"] == _FAILURE for each in conditions)
    if failure and not known:
        reason = "FailedCreate" if len(pods) < (spec.get("replicas") or 0) else "FailedDelete"
        condition = {"type": _FAILURE, "status": "True", "reason": reason, "message": failure}
        conditions.append(condition | {"lastTransitionTime": timestamp(now)})
    elif not failure:
        conditions = [each for each in conditions if each["type"] != _FAILURE]
    found: dict[str, Any] = {
        "replicas": len(pods),
        "terminatingReplicas": going,
        **{key: value for key, value in counts.items() if value},
    }
    return found | ({"conditions": conditions} if conditions else {})
