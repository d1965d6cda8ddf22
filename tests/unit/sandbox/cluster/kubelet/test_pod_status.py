from typing import Any

import pytest

from iambridge.sandbox.cluster.kubelet.pod_status import ContainerRecord, phase, pod_status

NOW = "2026-01-01T00:00:00Z"


def record(code: int | None = None, *, starts: int = 1, **spec: Any) -> ContainerRecord:
    found = ContainerRecord({"name": "main", **spec}, initial="restartPolicy" in spec)
    for _ in range(starts):
        found.run(NOW, "process://1")
    if code is not None:
        found.terminate(code, NOW)
    return found


@pytest.mark.parametrize(
    ("policy", "records", "expected"),
    [
        ("Never", [record(starts=0)], "Pending"),
        ("Never", [record()], "Running"),
        ("Never", [record(0)], "Succeeded"),
        ("Never", [record(0), record(1)], "Failed"),
        ("Never", [record(0), record()], "Running"),
        ("OnFailure", [record(1)], "Running"),
        ("OnFailure", [record(0)], "Succeeded"),
        ("Always", [record(0)], "Running"),
    ],
)
def test_phase(policy: str, records: list[ContainerRecord], expected: str) -> None:
    """The phase follows from the containers' ends and the restart policy, as the kubelet's getPhase has it."""
    assert phase(policy, [], records) == expected


def test_init_containers_hold_the_pod_pending() -> None:
    """Until each init container has succeeded the pod is Pending; one that failed under Never fails it."""
    waiting = [record(starts=0)]
    assert phase("Always", [record()], waiting) == "Pending"
    assert phase("Never", [record(1)], waiting) == "Failed"
    assert record(restartPolicy="Always").initialized
    assert not record().initialized


def test_a_sidecar_keeps_the_pod_running_and_does_not_decide() -> None:
    """While a sidecar runs the pod is Running, though all else has succeeded; how it ends is no matter."""
    assert phase("Never", [record(restartPolicy="Always")], [record(0)]) == "Running"
    assert phase("Never", [record(137, restartPolicy="Always")], [record(0)]) == "Succeeded"
    assert phase("Never", [record(0, restartPolicy="Always")], [record(1)]) == "Failed"


def test_restart_keeps_the_last_state() -> None:
    """A restarted container counts it and remembers how the last run ended."""
    again = record(3)
    again.wait("CrashLoopBackOff", "back-off")
    assert phase("Always", [], [again]) == "Running"
    again.run(NOW, "process://2")
    status = again.status()
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["ready"]


def test_conditions_keep_their_transition_time() -> None:
    """A condition that stays as it was keeps the time at which it became so."""
    pod = {"spec": {"restartPolicy": "Never"}, "status": {}}
    first = pod_status(pod, [], [record()], now=NOW)
    second = pod_status({**pod, "status": first}, [], [record(0)], now="2026-01-01T00:01:00Z")
    times = {each["type"]: each["lastTransitionTime"] for each in second["conditions"]}
    assert second["phase"] == "Succeeded"
    assert times["Initialized"] == NOW
    assert times["Ready"] == "2026-01-01T00:01:00Z"
