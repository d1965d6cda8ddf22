from typing import Any

from iambridge.sandbox.cluster.controllers.pods import next_available
from iambridge.sandbox.cluster.controllers.replica_set_status import status, surplus

Object = dict[str, Any]
NOW = 1_767_225_660.0  # 2026-01-01T00:01:00Z


def pod(
    name: str, *, ready: str = "", node: str = "n", phase: str = "Running", restarts: int = 0, **meta: Any
) -> Object:
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}] if ready else []
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "web"}, **meta},
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]},
    }


def names(pods: list[Object]) -> list[str]:
    return [each["metadata"]["name"] for each in pods]


def test_those_go_first_that_are_missed_least() -> None:
    """Not assigned, not running, not ready, cheap, ready for the shortest, restarted most, youngest: in this order."""
    early, late = "2026-01-01T00:00:10Z", "2026-01-01T00:00:50Z"
    cost: Object = {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-5"}}
    pods = [
        pod("settled", ready=early),
        pod("late", ready=late),
        pod("restarted", ready=early, restarts=3),
        pod("cheap", ready=early, **cost),
        pod("idle"),
        pod("young idle", creationTimestamp="2026-01-01T00:00:30Z"),
        pod("pending", phase="Pending"),
        pod("unassigned", node="", phase="Pending"),
    ]
    order = ["unassigned", "pending", "young idle", "idle", "cheap", "late", "restarted"]
    assert names(surplus(pods, 1)) == order
    assert surplus(pods, 8) == surplus(pods, 9) == []


def replica_set(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web", "hash": "x"}}}
    return {"metadata": {"name": "w", "generation": 2}, "spec": {"replicas": 3, "template": template, **spec}}


def test_status_counts_and_says_why_not() -> None:
    """Ready is not available within minReadySeconds; a failure stays with its first time until it is over."""
    pods = [pod("a", ready="2026-01-01T00:00:55Z"), pod("b", ready="2026-01-01T00:00:10Z"), pod("c")]
    found = status(replica_set(minReadySeconds=30), pods, 0, "", NOW)
    assert found == {
        "replicas": 3,
        "terminatingReplicas": 0,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "observedGeneration": 2,
    }
    assert next_available(pods, 30, NOW) == 25
    broken = status(replica_set(), pods[:1], 0, "no", NOW)
    (condition,) = broken["conditions"]
    assert (condition["type"], condition["reason"], condition["message"]) == ("ReplicaFailure", "FailedCreate", "no")
    later = status({**replica_set(), "status": broken}, pods[:1], 0, "still no", NOW + 10)
    assert later["conditions"] == [condition]
    assert "conditions" not in status({**replica_set(), "status": broken}, pods, 0, "", NOW)
