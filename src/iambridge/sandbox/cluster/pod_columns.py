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
    statuses: Sequence[Item] = status.get("containerStatuses") or ()
    total = len(spec.get("containers") or ())
    ready = sum(bool(each.get("ready")) and "running" in (each.get("state") or {}) for each in statuses)
    restarts = sum(each.get("restartCount") or 0 for each in statuses)
    ended: list[str] = [
        each["lastState"]["terminated"]["finishedAt"]
        for each in statuses
        if ((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    ]
    shown = str(restarts)
    if restarts and ended:
        ago = now - dt.datetime.fromisoformat(max(ended)).timestamp()
        shown = f"{restarts} ({human_duration(ago)} ago)"
    gates = spec.get("readinessGates") or ()
    held = {each["type"] for each in status.get("conditions") or () if each.get("status") == "True"}
    return [
        pod["metadata"]["name"],
        f"{ready}/{total}",
        reason(pod),
        shown,
        age(pod, now),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{sum(gate['conditionType'] in held for gate in gates)}/{len(gates)}" if gates else "<none>",
    ]


def reason(pod: Item) -> str:
    """The STATUS column."""
    status = pod.get("status") or {}
    word = status.get("reason") or status.get("phase") or ""
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            word = "SchedulingGated"
    word = _init_reason(pod) or _container_reason(status, word)
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(word)


def _init_reason(pod: Item) -> str:
    """`Init:0/1` and the like while an init container has not finished; else empty."""
    spec = pod["spec"]
    sidecars = {each["name"] for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"}
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
        ready = any(each["type"] == "Ready" and each.get("status") == "True" for each in status.get("conditions") or ())
        return "Running" if ready else "NotReady"
    return word


def _exit(terminated: Item) -> str:
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"
