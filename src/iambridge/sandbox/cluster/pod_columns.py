"""The row of a pod. Source: printPod in pkg/printers/internalversion/printers.go."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from iambridge.sandbox.cluster.durations import age, human_duration

Item = Mapping[str, Any]


def names_and_images(spec: Item) -> tuple[str, str]:
    containers: Sequence[Item] = spec.get("containers") or ()
    return ",".join(each["name"] for each in containers), ",".join(each.get("image", "") for each in containers)


def cells(pod: Item, now: float) -> list[Any]:
    spec, status = pod["spec"], pod.get("status") or {}
    main: Sequence[Item] = status.get("containerStatuses") or ()
    init: Sequence[Item] = status.get("initContainerStatuses") or ()
    sidecars = _sidecars(spec)
    beside = [each for each in init if each["name"] in sidecars]
    total = len(spec.get("containers") or ()) + len(sidecars)
    ready = sum(bool(each.get("ready")) and "running" in (each.get("state") or {}) for each in (*main, *beside))
    counted = init if _init_reason(pod) and not _holds(status, "Initialized") else (*main, *beside)
    gates = spec.get("readinessGates") or ()
    return [
        pod["metadata"]["name"],
        f"{ready}/{total}",
        reason(pod),
        _restarts(counted, now),
        age(pod, now),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{sum(_holds(status, gate['conditionType']) for gate in gates)}/{len(gates)}" if gates else "<none>",
    ]


def reason(pod: Item) -> str:
    """The STATUS column."""
    status = pod.get("status") or {}
    word = status.get("reason") or status.get("phase") or ""
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            word = "SchedulingGated"
    starting = _init_reason(pod)
    if starting:
        word = starting
    if not starting or _holds(status, "Initialized"):
        word = _container_reason(status, word)
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return str(word)


def _sidecars(spec: Item) -> set[str]:
    return {each["name"] for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"}


def _holds(status: Item, kind: str) -> bool:
    return any(each["type"] == kind and each.get("status") == "True" for each in status.get("conditions") or ())


def _restarts(statuses: Sequence[Item], now: float) -> str:
    restarts = sum(each.get("restartCount") or 0 for each in statuses)
    ended: list[str] = [
        each["lastState"]["terminated"]["finishedAt"]
        for each in statuses
        if ((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    ]
    if not restarts or not ended:
        return str(restarts)
    ago = now - dt.datetime.fromisoformat(max(ended)).timestamp()
    return f"{restarts} ({human_duration(ago)} ago)"


def _init_reason(pod: Item) -> str:
    """`Init:0/1` and the like while an init container has not finished; else empty."""
    spec = pod["spec"]
    sidecars = _sidecars(spec)
    for index, each in enumerate((pod.get("status") or {}).get("initContainerStatuses") or ()):
        state = each.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated is not None and terminated.get("exitCode", 0) == 0:
            continue
        if each["name"] in sidecars and each.get("started"):
            continue
        if terminated is not None:
            return f"Init:{terminated.get('reason') or _exit(terminated)}"
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(spec['initContainers'])}"
    return ""


def _container_reason(status: Item, word: str) -> str:
    running = False
    for each in reversed(status.get("containerStatuses") or ()):
        state = each.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            word = waiting["reason"]
        elif terminated is not None:
            word = terminated.get("reason") or _exit(terminated)
        elif each.get("ready") and "running" in state:
            running = True
    if word == "Completed" and running:
        return "Running" if _holds(status, "Ready") else "NotReady"
    return word


def _exit(terminated: Item) -> str:
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"
