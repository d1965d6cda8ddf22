"""What a Job needs next: pure, from the Job and its pods. Sources: batch/v1 JobSpec, JobStatus; KEP-2307 (finalizers).

A pod keeps the finalizer `batch.kubernetes.io/job-tracking` until its end is counted, so that none is counted twice or
lost: first its uid enters `uncountedTerminatedPods`, then the finalizer goes, then the counter rises.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iambridge.sandbox.cluster.timestamps import timestamp

TRACKING = "batch.kubernetes.io/job-tracking"
_FIRST_DELAY_SECONDS = 10
_LONGEST_DELAY_SECONDS = 600
_DEFAULT_BACKOFF_LIMIT = 6

Object = Mapping[str, Any]


@dataclass(slots=True)
class Plan:
    """`status` is the whole new status. `again` is in seconds. `events` are (type, reason, message)."""

    status: dict[str, Any]
    create: int = 0
    delete: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    again: float | None = None


def finished(job: Object) -> Mapping[str, Any] | None:
    """The condition that ended the Job: Complete or Failed."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return condition  # type: ignore[no-any-return]  # decoded JSON
    return None


def unsupported(job: Object) -> str:
    """The field of the spec that this controller does not model; empty when there is none."""
    spec = job["spec"]
    for name in ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes", "managedBy"):
        if spec.get(name) is not None:
            return f"spec.{name}"
    if spec.get("completionMode", "NonIndexed") != "NonIndexed":
        return f"spec.completionMode: {spec['completionMode']}"
    if spec.get("podReplacementPolicy", "TerminatingOrFailed") != "TerminatingOrFailed":
        return f"spec.podReplacementPolicy: {spec['podReplacementPolicy']}"
    return ""


def plan(job: Object, pods: Sequence[Object], now: float) -> Plan:
    """The next step for an unfinished Job. `pods` are those that it controls; `now` is in seconds since the epoch."""
    result = Plan(_status(job, now))
    _count(result, pods)
    active = [pod for pod in pods if _active(pod)]
    status = result.status
    status["active"] = len(active)
    status["ready"] = sum(_ready(pod) for pod in active)
    status["terminating"] = sum(bool(pod["metadata"].get("deletionTimestamp")) and not _ended(pod) for pod in pods)
    if job["metadata"].get("deletionTimestamp"):
        result.release = [pod for pod in pods if TRACKING in (pod["metadata"].get("finalizers") or ())]
        return _tidy(result)
    failure = _failure(job, status, active, now)
    if failure:
        _fail(result, failure, active, now)
    elif job["spec"].get("suspend"):
        _suspend(result, active, now)
    else:
        _go_on(result, job, pods, active, now)
    return _tidy(result)


def expiry(job: Object, now: float) -> float | None:
    """Seconds until a finished Job's ttlSecondsAfterFinished has passed; None without one."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    condition = finished(job)
    if ttl is None or condition is None:
        return None
    return max(0.0, seconds(condition["lastTransitionTime"]) + float(ttl) - now)


def seconds(text: str) -> float:
    """A meta/v1 Time as seconds since the epoch."""
    return dt.datetime.fromisoformat(text).timestamp()


def _status(job: Object, now: float) -> dict[str, Any]:
    before = job.get("status") or {}
    status = {key: value for key, value in before.items() if key != "conditions"}
    status["conditions"] = [dict(condition) for condition in before.get("conditions") or ()]
    uncounted = before.get("uncountedTerminatedPods") or {}
    status["uncountedTerminatedPods"] = {key: list(uncounted.get(key) or ()) for key in ("succeeded", "failed")}
    for key in ("succeeded", "failed"):
        status[key] = int(before.get(key) or 0)
    if not status.get("startTime") and not job["spec"].get("suspend"):
        status["startTime"] = timestamp(now)
    return status


def _count(result: Plan, pods: Sequence[Object]) -> None:
    """Move ended pods through uncounted to counted."""
    by_uid = {pod["metadata"]["uid"]: pod for pod in pods}
    for key, phase in (("succeeded", "Succeeded"), ("failed", "Failed")):
        waiting: list[str] = []
        for uid in result.status["uncountedTerminatedPods"][key]:
            if uid in by_uid and TRACKING in (by_uid[uid]["metadata"].get("finalizers") or ()):
                waiting.append(uid)
            else:
                result.status[key] += 1
        for uid, pod in by_uid.items():
            tracked = TRACKING in (pod["metadata"].get("finalizers") or ())
            if tracked and _ended(pod) == phase and uid not in waiting:
                waiting.append(uid)
        result.status["uncountedTerminatedPods"][key] = waiting
        result.release += [by_uid[uid] for uid in waiting]


def _ended(pod: Object) -> str:
    """Succeeded or Failed once the pod's processes are gone; a pod deleted before it ran has failed."""
    phase = (pod.get("status") or {}).get("phase", "")
    if phase in ("Succeeded", "Failed"):
        return str(phase)
    removed = pod["metadata"].get("deletionTimestamp") and pod["metadata"].get("deletionGracePeriodSeconds") == 0
    return "Failed" if removed else ""


def _active(pod: Object) -> bool:
    return not _ended(pod) and not pod["metadata"].get("deletionTimestamp")


def _ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _totals(status: Mapping[str, Any]) -> tuple[int, int]:
    uncounted = status["uncountedTerminatedPods"]
    return status["succeeded"] + len(uncounted["succeeded"]), status["failed"] + len(uncounted["failed"])


def _failure(job: Object, status: Mapping[str, Any], active: Sequence[Object], now: float) -> tuple[str, str] | None:
    """(reason, message) when the Job has failed."""
    for condition in status["conditions"]:
        if condition["type"] == "FailureTarget" and condition["status"] == "True":
            return condition["reason"], condition["message"]
    spec = job["spec"]
    named = unsupported(job)
    if named:
        return "NotSupported", f"{named} is not supported by the embedded cluster's Job controller"
    limit = spec.get("backoffLimit")
    limit = _DEFAULT_BACKOFF_LIMIT if limit is None else int(limit)
    failed = _totals(status)[1]
    restarts = sum(_restarts(pod) for pod in active) if _restart_policy(job) == "OnFailure" else 0
    if failed > limit or (restarts > 0 and restarts >= limit):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and status.get("startTime") and now - seconds(status["startTime"]) >= deadline:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def _fail(result: Plan, failure: tuple[str, str], active: Sequence[Object], now: float) -> None:
    """Name the failure at once; the Job has Failed when no pod is left running."""
    reason, message = failure
    _set(result.status, "FailureTarget", "True", reason, message, now)
    result.delete = list(active)
    if not active and not result.status["terminating"] and not result.release:
        _set(result.status, "Failed", "True", reason, message, now)
        result.events.append(("Warning", reason, message))


def _suspend(result: Plan, active: Sequence[Object], now: float) -> None:
    result.delete = list(active)
    result.status.pop("startTime", None)
    if _set(result.status, "Suspended", "True", "JobSuspended", "Job suspended", now):
        result.events.append(("Normal", "Suspended", "Job suspended"))


def _go_on(result: Plan, job: Object, pods: Sequence[Object], active: Sequence[Object], now: float) -> None:
    status, spec = result.status, job["spec"]
    if any(each["type"] == "Suspended" and each["status"] == "True" for each in status["conditions"]):
        _set(status, "Suspended", "False", "JobResumed", "Job resumed", now)
        status["startTime"] = timestamp(now)
        result.events.append(("Normal", "Resumed", "Job resumed"))
    succeeded, failed = _totals(status)
    parallelism = 1 if spec.get("parallelism") is None else int(spec["parallelism"])
    completions = spec.get("completions")
    if completions is None:
        complete = succeeded > 0 and not active
        wanted = len(active) if succeeded else parallelism
    else:
        complete = succeeded >= int(completions)
        wanted = min(parallelism, int(completions) - succeeded)
    if complete:
        _complete(result, active, now)
        return
    surplus = len(active) - wanted
    if surplus > 0:
        result.delete = sorted(active, key=_started)[-surplus:]
    elif surplus < 0:
        wait = _delay(pods, failed, now) if failed else 0.0
        result.create, result.again = (0, wait) if wait > 0 else (-surplus - status["terminating"], None)
        result.create = max(result.create, 0)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None:
        left = seconds(status["startTime"]) + float(deadline) - now
        result.again = left if result.again is None else min(result.again, left)


def _complete(result: Plan, active: Sequence[Object], now: float) -> None:
    reason, message = "CompletionsReached", "Reached expected number of succeeded pods"
    _set(result.status, "SuccessCriteriaMet", "True", reason, message, now)
    result.delete = list(active)
    if not active and not result.status["terminating"] and not result.release:
        _set(result.status, "Complete", "True", reason, message, now)
        result.status["completionTime"] = timestamp(now)
        result.events.append(("Normal", "Completed", "Job completed"))


def _delay(pods: Sequence[Object], failed: int, now: float) -> float:
    """Seconds still to wait after the last failure: 10 s, doubled with each failure, ten minutes at most."""
    ends = [
        seconds(status["state"]["terminated"]["finishedAt"])
        for pod in pods
        if _ended(pod) == "Failed"
        for status in (pod.get("status") or {}).get("containerStatuses") or ()
        if status.get("state", {}).get("terminated", {}).get("finishedAt")
    ]
    if not ends:
        return 0.0
    delay: int = min(_FIRST_DELAY_SECONDS << min(failed - 1, 10), _LONGEST_DELAY_SECONDS)
    return max(ends) + delay - now


def _restarts(pod: Object) -> int:
    status = pod.get("status") or {}
    statuses = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return sum(int(each.get("restartCount") or 0) for each in statuses)


def _restart_policy(job: Object) -> str:
    return str(job["spec"]["template"]["spec"].get("restartPolicy", ""))


def _started(pod: Object) -> str:
    return str((pod.get("status") or {}).get("startTime") or "9")


def _set(status: dict[str, Any], kind: str, value: str, reason: str, message: str, now: float) -> bool:  # noqa: PLR0917 - a condition's own fields
    """Set a condition; returns whether its status changed."""
    old = next((each for each in status["conditions"] if each["type"] == kind), None)
    if old is not None and old["status"] == value:
        return False
    time = timestamp(now)
    condition = {"type": kind, "status": value, "reason": reason, "message": message}
    condition |= {"lastProbeTime": time, "lastTransitionTime": time}
    status["conditions"] = [each for each in status["conditions"] if each["type"] != kind] + [condition]
    return True


def _tidy(result: Plan) -> Plan:
    """Leave out what Kubernetes leaves out: zero counters and empty lists."""
    status = result.status
    for key in ("active", "succeeded", "failed"):
        if not status[key]:
            del status[key]
    uncounted = {key: value for key, value in status["uncountedTerminatedPods"].items() if value}
    status["uncountedTerminatedPods"] = uncounted
    if not status["conditions"]:
        del status["conditions"]
    return result
