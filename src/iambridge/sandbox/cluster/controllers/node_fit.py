"""Which nodes a pod may run on: pure. Source: kube-scheduler's filter plugins; component-helpers scheduling/corev1."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from iambridge.sandbox.cluster.objects.quantity import amount

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_REPELLING = ("NoSchedule", "NoExecute")
# requests of these are not weighed: nothing on this node limits a process to them
_UNLIMITED = frozenset({"cpu", "memory", "ephemeral-storage"})

Object = Mapping[str, Any]


def selected(spec: Object, node: Object) -> bool:
    """Whether the nodeSelector and the required node affinity of a pod's spec choose `node`."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_holds(term, node) for term in required.get("nodeSelectorTerms") or ())


def _term_holds(term: Object, node: Object) -> bool:
    labels, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    known = node["metadata"].get("labels") or {}
    own = {"metadata.name": node["metadata"]["name"]}
    both = all(_holds(each, known) for each in labels) and all(_holds(each, own) for each in fields)
    return bool(labels or fields) and both


def _holds(requirement: Object, known: Mapping[str, str]) -> bool:
    value = known.get(requirement["key"])
    values: Sequence[str] = requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    try:
        number, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if requirement["operator"] == "Gt" else number < bound


def untolerated(tolerations: Sequence[Object], node: Object, effects: Sequence[str] = _REPELLING) -> Object | None:
    """The first taint of `node` with one of `effects` that is not tolerated."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return next((each for each in taints if each["effect"] in effects and not _tolerated(each, tolerations)), None)


def _tolerated(taint: Object, tolerations: Sequence[Object]) -> bool:
    return any(
        (each.get("key") or taint["key"]) == taint["key"]
        and (each.get("operator") == "Exists" or each.get("value", "") == taint.get("value", ""))
        and each.get("effect") in (None, "", taint["effect"])
        for each in tolerations
    )


def misfit(pod: Object, node: Object, on_node: Iterable[Object]) -> str:
    """Why `node`, which runs the pods `on_node`, cannot take `pod`, in the scheduler's words; empty when it can.

    What depends on other nodes is `pod_spread.misfit`'s to say.
    """
    spec = pod["spec"]
    tolerations = spec.get("tolerations") or ()
    cordoned = {"key": UNSCHEDULABLE, "effect": "NoSchedule"}
    if (node.get("spec") or {}).get("unschedulable") and not _tolerated(cordoned, tolerations):
        return "node(s) were unschedulable"
    taint = untolerated(tolerations, node)
    if taint is not None:
        return f"node(s) had untolerated taint(s) {{{taint['key']}: {taint.get('value', '')}}}"
    if not selected(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    return _lacking(pod, node, list(on_node))


def _lacking(pod: Object, node: Object, on_node: Sequence[Object]) -> str:
    there = (node.get("status") or {}).get("allocatable") or {}
    if "pods" in there and len(on_node) >= amount(there["pods"]):
        return "Too many pods"
    for name, wanted in _requests(pod).items():
        used = sum(_requests(each).get(name, 0) for each in on_node)
        if wanted and wanted + used > amount(there.get(name, "0")):
            return f"Insufficient {name}"
    return ""


def _requests(pod: Object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for container in pod["spec"].get("containers") or ():
        for name, quantity in ((container.get("resources") or {}).get("requests") or {}).items():
            if name not in _UNLIMITED:
                found[name] = found.get(name, 0) + amount(quantity)
    return found
