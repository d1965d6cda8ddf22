from typing import Any

import pytest

from iambridge.sandbox.cluster.controllers.job_status import TRACKING, Plan, expiry, plan, seconds, unsupported

START = "2026-01-01T00:00:00Z"
NOW = seconds(START) + 60


def job(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never"}}
    wanted = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "template": template, **spec}
    return {
        "metadata": {"name": "j", "namespace": "n", "uid": "j"},
        "spec": wanted,
        "status": status or {"startTime": START},
    }


def pod(
    uid: str, phase: str = "Running", *, tracked: bool = True, ended: str = "2026-01-01T00:00:30Z"
) -> dict[str, Any]:
    statuses = [{"state": {"terminated": {"finishedAt": ended}}}] if phase in ("Succeeded", "Failed") else []
    return {
        "metadata": {"name": uid, "uid": uid, "finalizers": [TRACKING] if tracked else []},
        "status": {"phase": phase, "containerStatuses": statuses},
    }


def condition(step: Plan, kind: str) -> dict[str, Any] | None:
    found = [each for each in step.status.get("conditions", ()) if each["type"] == kind]
    return found[0] if found else None


def names(pods: list[Any]) -> list[str]:
    return [each["metadata"]["name"] for each in pods]


@pytest.mark.parametrize(
    ("spec", "pods", "created"),
    [
        ({}, [], 1),
        ({}, [pod("a")], 0),
        ({"parallelism": 3, "completions": 5}, [pod("a")], 2),
        ({"parallelism": 3, "completions": 2}, [], 2),
        ({"parallelism": 0}, [], 0),
        ({"parallelism": 2, "completions": None}, [], 2),
    ],
)
def test_pods_to_create(spec: dict[str, Any], pods: list[Any], created: int) -> None:
    """As many pods run as parallelism allows and completions still need."""
    assert plan(job(**spec), pods, NOW).create == created


def test_success_is_counted_once_through_the_finalizer() -> None:
    """An ended pod is first uncounted and released, then counted; only then is the Job Complete."""
    first = plan(job(), [pod("a", "Succeeded")], NOW)
    assert first.status["uncountedTerminatedPods"] == {"succeeded": ["a"]}
    assert (names(first.release), first.create, condition(first, "Complete")) == (["a"], 0, None)
    second = plan(job(first.status), [pod("a", "Succeeded", tracked=False)], NOW)
    assert second.status["succeeded"] == 1
    assert second.status["uncountedTerminatedPods"] == {}
    complete = condition(second, "Complete")
    assert complete is not None
    assert complete["reason"] == "CompletionsReached"
    assert second.status["completionTime"] == "2026-01-01T00:01:00Z"


def test_failures_wait_longer_each_time() -> None:
    """A new pod comes 10 s after the first failure, doubled with each one."""
    status = {"startTime": START, "failed": 1}
    ended = pod("a", "Failed", tracked=False, ended="2026-01-01T00:00:55Z")
    step = plan(job(status), [ended], NOW)
    assert (step.create, step.again) == (0, 5.0)
    assert plan(job(status), [ended], NOW + 5).create == 1


def test_backoff_limit() -> None:
    """More failures than backoffLimit fail the Job, and what still runs is deleted first."""
    step = plan(job({"startTime": START, "failed": 1}, backoffLimit=0), [pod("b")], NOW)
    assert (names(step.delete), condition(step, "Failed")) == (["b"], None)
    target = condition(step, "FailureTarget")
    assert target is not None
    assert target["reason"] == "BackoffLimitExceeded"
    failed = condition(plan(job(step.status, backoffLimit=0), [], NOW), "Failed")
    assert failed is not None
    assert failed["message"] == "Job has reached the specified backoff limit"


def test_deadline() -> None:
    """A Job past activeDeadlineSeconds fails; before that it looks again in time."""
    assert plan(job(activeDeadlineSeconds=100), [pod("a")], NOW).again == 40
    target = condition(plan(job(activeDeadlineSeconds=60), [pod("a")], NOW), "FailureTarget")
    assert target is not None
    assert target["reason"] == "DeadlineExceeded"


def test_suspend_and_resume() -> None:
    """A suspended Job loses its pods and its start time; resumed it begins anew."""
    step = plan(job(suspend=True), [pod("a")], NOW)
    assert (names(step.delete), step.create, "startTime" in step.status) == (["a"], 0, False)
    resumed = plan(job(step.status), [], NOW + 9)
    assert (resumed.create, resumed.status["startTime"]) == (1, "2026-01-01T00:01:09Z")


def test_deleted_pod_is_a_failure() -> None:
    """A pod that was deleted before it ended counts as failed and is replaced."""
    gone = pod("a")
    gone["metadata"] |= {"deletionTimestamp": START, "deletionGracePeriodSeconds": 0}
    step = plan(job(), [gone], NOW)
    assert step.status["uncountedTerminatedPods"] == {"failed": ["a"]}


@pytest.mark.parametrize(
    "spec", [{"podFailurePolicy": {"rules": []}}, {"completionMode": "Indexed"}, {"successPolicy": {"rules": []}}]
)
def test_what_is_not_modelled_is_refused_by_name(spec: dict[str, Any]) -> None:
    """A field that the controller does not model fails the Job with its name; no pod is created."""
    assert next(iter(spec)) in unsupported(job(**spec))
    step = plan(job(**spec), [], NOW)
    failed = condition(step, "Failed")
    assert step.create == 0
    assert failed is not None
    assert next(iter(spec)) in failed["message"]


def test_time_to_live() -> None:
    """ttlSecondsAfterFinished counts from the end of the Job."""
    ended = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": START}]}
    assert expiry(job(ended, ttlSecondsAfterFinished=100), NOW) == 40
    assert expiry(job(ended), NOW) is None
