"""A Deployment's status: counts and conditions. Pure.

Source: kubernetes pkg/controller/deployment/{sync,progress}.go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from iambridge.sandbox.cluster.controllers.pods import seconds
from iambridge.sandbox.cluster.timestamps import timestamp

AVAILABLE, PROGRESSING, FAILURE = "Available", "Progressing", "ReplicaFailure"
COMPLETE, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"
NO_LIMIT = 2**31 - 1

Object = Mapping[str, Any]
Status = dict[str, Any]


def count(objects: Sequence[Object], part: str, name: str) -> int:
    """The sum of a number over ReplicaSets; `part` is spec or status."""
    return sum(int((each.get(part) or {}).get(name) or 0) for each in objects)


def counts(deployment: Object, new: Object | None, sets: Sequence[Object]) -> Status:
    """A status of counts alone. `sets` are all ReplicaSets, with `new` among them if there is one."""
    available = count(sets, "status", "availableReplicas")
    found = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": count(sets, "status", "replicas"),
        "updatedReplicas": count([new], "status", "replicas") if new is not None else 0,
        "readyReplicas": count(sets, "status", "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, count(sets, "spec", "replicas") - available),
    }
    status: Status = {key: value for key, value in found.items() if value}
    reports = [each.get("status") or {} for each in sets]
    # a ReplicaSet that nobody has looked at yet has no pods to end
    if all("terminatingReplicas" in each or not each.get("observedGeneration") for each in reports):
        status["terminatingReplicas"] = count(sets, "status", "terminatingReplicas")
    before = deployment.get("status") or {}
    if before.get("collisionCount") is not None:
        status["collisionCount"] = before["collisionCount"]
    return status


def complete(deployment: Object, status: Object) -> bool:
    """Every wanted pod is of the newest template and available, and no other is left."""
    wanted = deployment["spec"].get("replicas") or 0
    names = ("updatedReplicas", "replicas", "availableReplicas")
    seen = (status.get("observedGeneration") or 0) >= deployment["metadata"].get("generation", 0)
    return seen and all((status.get(name) or 0) == wanted for name in names)


def find(conditions: Sequence[Object], kind: str) -> Object | None:
    return next((each for each in conditions if each["type"] == kind), None)


def put(conditions: list[Status], kind: str, value: str, reason: str, message: str, now: float) -> None:  # noqa: PLR0917 - a condition's own fields
    """Set a condition; one of the same status and reason stays as it is."""
    old = find(conditions, kind)
    if old is not None and (old["status"], old.get("reason")) == (value, reason):
        return
    time = timestamp(now)
    since = old["lastTransitionTime"] if old is not None and old["status"] == value else time
    drop(conditions, kind)
    condition = {"type": kind, "status": value, "reason": reason, "message": message}
    conditions.append(condition | {"lastUpdateTime": time, "lastTransitionTime": since})


def drop(conditions: list[Status], kind: str) -> None:
    conditions[:] = [each for each in conditions if each["type"] != kind]


def judge_availability(conditions: list[Status], available: int, least: int, now: float) -> None:
    if available >= least:
        words = "MinimumReplicasAvailable", "Deployment has minimum availability."
        put(conditions, AVAILABLE, "True", *words, now)
    else:
        words = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
        put(conditions, AVAILABLE, "False", *words, now)


def judge_pause(deployment: Object, conditions: list[Status], now: float) -> None:
    """A paused Deployment is not expected to progress, and its clock starts anew when it is resumed."""
    condition = find(conditions, PROGRESSING)
    reason = condition.get("reason") if condition is not None else None
    if deadline(deployment) is None or reason == TIMED_OUT:
        return
    if deployment["spec"].get("paused") and reason != PAUSED:
        put(conditions, PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now)
    elif not deployment["spec"].get("paused") and reason == PAUSED:
        put(conditions, PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now)


def judge_progress(
    deployment: Object, status: Status, conditions: list[Status], new: Object | None, now: float
) -> None:
    """Say whether the rollout is done, goes on, or has stood still for longer than its deadline.

    `status` has the new counts; `conditions`, which are changed, are the newest known.
    """
    limit = deadline(deployment)
    if limit is None:
        drop(conditions, PROGRESSING)
        return
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new is not None else _subject(deployment)
    condition = find(conditions, PROGRESSING)
    reason = condition.get("reason") if condition is not None else None
    if reason == COMPLETE and status.get("replicas", 0) == status.get("updatedReplicas", 0):
        return
    if complete(deployment, status):
        put(conditions, PROGRESSING, "True", COMPLETE, f"{subject} has successfully progressed.", now)
    elif _progressed(deployment.get("status") or {}, status):
        since = condition["lastTransitionTime"] if condition is not None and condition["status"] == "True" else None
        drop(conditions, PROGRESSING)
        put(conditions, PROGRESSING, "True", "ReplicaSetUpdated", f"{subject} is progressing.", now)
        if since is not None:
            conditions[-1]["lastTransitionTime"] = since
    elif condition is None or reason in (COMPLETE, TIMED_OUT):
        return
    elif seconds(condition["lastUpdateTime"]) + limit < now:
        put(conditions, PROGRESSING, "False", TIMED_OUT, f"{subject} has timed out progressing.", now)


def judge_failure(conditions: list[Status], new: Object | None, sets: Sequence[Object]) -> None:
    """What keeps a ReplicaSet from making pods is the Deployment's failure too, the newest one's first."""
    drop(conditions, FAILURE)
    for each in [*([new] if new is not None else []), *sets]:
        found = find((each.get("status") or {}).get("conditions") or (), FAILURE)
        if found is not None:
            conditions.append({**found, "lastUpdateTime": found["lastTransitionTime"]})
            return


def check_again(deployment: Object, status: Object, conditions: Sequence[Object], now: float) -> float | None:
    """Seconds until the progress deadline is to be judged; None while there is nothing to wait for."""
    limit, condition = deadline(deployment), find(conditions, PROGRESSING)
    if limit is None or condition is None or deployment["spec"].get("paused"):
        return None
    if complete(deployment, status) or condition.get("reason") in (COMPLETE, TIMED_OUT):
        return None
    return max(0.0, seconds(condition["lastUpdateTime"]) + limit - now) + 1.0


def deadline(deployment: Object) -> int | None:
    """progressDeadlineSeconds; None where there is none."""
    limit = deployment["spec"].get("progressDeadlineSeconds")
    return None if limit is None or limit == NO_LIMIT else int(limit)


def _subject(deployment: Object) -> str:
    return f'Deployment "{deployment["metadata"]["name"]}"'


def _progressed(before: Object, now: Object) -> bool:
    """More pods are new, ready or available than before, or fewer are old."""

    def old(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return any(now.get(name, 0) > before.get(name, 0) for name in more) or old(now) < old(before)
