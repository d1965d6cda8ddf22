"""What controllers ask of a pod. Source: kubernetes pkg/api/v1/pod/util.go and pkg/controller/controller_utils.go."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]


def seconds(text: str) -> float:
    """A meta/v1 Time as seconds since the epoch."""
    return dt.datetime.fromisoformat(text).timestamp()


def ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def active(pod: Object) -> bool:
    """Not ended, and not being deleted."""
    return not ended(pod) and not pod["metadata"].get("deletionTimestamp")


def ready_since(pod: Object) -> float | None:
    """Seconds since the epoch at which the pod became ready; None while it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition.get("status") == "True":
            return seconds(condition["lastTransitionTime"]) if condition.get("lastTransitionTime") else 0.0
    return None


def available(pod: Object, min_ready_seconds: float, now: float) -> bool:
    """Ready for at least `min_ready_seconds`."""
    since = ready_since(pod)
    return since is not None and (not min_ready_seconds or 0 < since <= now - min_ready_seconds)


def next_available(pods: Iterable[Object], min_ready_seconds: float, now: float) -> float | None:
    """Seconds until the first of the ready pods that are not yet available becomes so; None without one."""
    waits = [
        since + min_ready_seconds - now
        for pod in pods
        if (since := ready_since(pod)) is not None and not available(pod, min_ready_seconds, now)
    ]
    return max(0.0, min(waits)) if waits else None


def restarts(pod: Object) -> int:
    """The most that any container was started again."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((int(each.get("restartCount") or 0) for each in statuses), default=0)


def from_template(template: Object, owner: Object, *, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A new pod of `template` for its controller `owner`, with `labels` added."""
    meta = template.get("metadata") or {}
    found = {
        "generateName": f"{owner['metadata']['name']}-",
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(meta.get("labels") or {}), **(labels or {})},
        "annotations": meta.get("annotations"),
        "finalizers": meta.get("finalizers"),
        "ownerReferences": [owner_reference(owner)],
    }
    metadata = {key: value for key, value in found.items() if value}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def owner_reference(owner: Object) -> dict[str, Any]:
    """A reference that names `owner`, which carries its apiVersion and kind, as the controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(item: Object) -> Object | None:
    """The owner reference that says who controls `item`."""
    return next((each for each in item["metadata"].get("ownerReferences") or () if each.get("controller")), None)
