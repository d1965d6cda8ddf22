"""What a DaemonSet needs next: pure, from it, the nodes and its pods. Source: kubernetes pkg/controller/daemon."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iambridge.sandbox.cluster.controllers import node_fit
from iambridge.sandbox.cluster.controllers.pods import available, next_available, ready_since
from iambridge.sandbox.cluster.objects.int_or_percent import scaled
from iambridge.sandbox.cluster.objects.kinds.apps import template_generation

HASH = "controller-revision-hash"
_GENERATION = "pod-template-generation"
_NAME = "metadata.name"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_OUTLIVED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    (node_fit.UNSCHEDULABLE, "NoSchedule"),
)

Object = Mapping[str, Any]


@dataclass(slots=True)
class Plan:
    """`create` names nodes. `events` are (type, reason, message). `again` is in seconds."""

    create: list[str] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    again: float | None = None


def pod_template(daemon_set: Object, short: str, node: str) -> dict[str, Any]:
    """The template of the pod for one node: bound to it by affinity, and not driven away by what ails the node."""
    template: dict[str, Any] = copy.deepcopy(dict(daemon_set["spec"]["template"]))
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels |= {_GENERATION: str(template_generation(daemon_set)), HASH: short}
    spec = template["spec"]
    spec["tolerations"] = _tolerations(spec)
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    only = {"matchFields": [{"key": _NAME, "operator": "In", "values": [node]}]}
    affinity[_REQUIRED] = {"nodeSelectorTerms": [only]}
    return template


def _tolerations(spec: Object) -> list[Object]:
    keys = [*_OUTLIVED]
    if spec.get("hostNetwork"):
        keys.append(("node.kubernetes.io/network-unavailable", "NoSchedule"))
    own = list(spec.get("tolerations") or ())
    added = ({"key": key, "operator": "Exists", "effect": effect} for key, effect in keys)
    return own + [each for each in added if each not in own]


def node_of(pod: Object) -> str:
    """The node that a pod runs on or was made for; empty when it is for none."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for each in term.get("matchFields") or ():
            if (each["key"], each["operator"], len(each.get("values") or ())) == (_NAME, "In", 1):
                return str(each["values"][0])
    return ""


def should_run(daemon_set: Object, node: Object) -> tuple[bool, bool]:
    """(whether a pod shall be on `node`, whether one that is there may stay)."""
    spec = daemon_set["spec"]["template"]["spec"]
    if spec.get("nodeName") not in (None, "", node["metadata"]["name"]) or not node_fit.selected(spec, node):
        return False, False
    tolerations = _tolerations(spec)
    if node_fit.untolerated(tolerations, node) is None:
        return True, True
    return False, node_fit.untolerated(tolerations, node, ("NoExecute",)) is None


@dataclass(frozen=True, slots=True)
class Daemons:
    """A DaemonSet with its nodes, its pods by node and the short name of its present template."""

    daemon_set: Object
    nodes: Sequence[Object]
    pods: Mapping[str, Sequence[Object]]
    short: str
    now: float

    def updated(self, pod: Object) -> bool:
        labels = pod["metadata"].get("labels") or {}
        generation = str(template_generation(self.daemon_set))
        return labels.get(HASH) == self.short or labels.get(_GENERATION) == generation

    def serves(self, pod: Object) -> bool:
        return available(pod, self.daemon_set["spec"].get("minReadySeconds") or 0, self.now)

    def limits(self, desired: int) -> tuple[int, int]:
        """(surge, unavailable) in pods; not both 0."""
        strategy = self.daemon_set["spec"]["updateStrategy"]
        rolling = strategy.get("rollingUpdate") if strategy["type"] == "RollingUpdate" else None
        if rolling is None:
            return 0, 0
        surge, unavailable = (scaled(rolling[name], desired, up=True) for name in ("maxSurge", "maxUnavailable"))
        return surge, unavailable if surge or unavailable else 1


def group(pods: Sequence[Object]) -> dict[str, list[Object]]:
    """Pods by the node that they are for, the one to keep first: assigned, then the oldest."""
    found: dict[str, list[Object]] = {}
    for pod in sorted(pods, key=_seniority):
        found.setdefault(node_of(pod), []).append(pod)
    found.pop("", None)
    return found


def _seniority(pod: Object) -> tuple[bool, str, str]:
    meta = pod["metadata"]
    return not pod["spec"].get("nodeName"), meta["creationTimestamp"], meta["name"]


def plan(daemons: Daemons, held: frozenset[str]) -> Plan:
    """The next step. On the nodes `held` a failed pod is left for now, as pods failed there shortly before."""
    result = Plan()
    running = [node for node in daemons.nodes if should_run(daemons.daemon_set, node)[0]]
    surge, unavailable = daemons.limits(len(running))
    for node in daemons.nodes:
        _keep_one(daemons, node, surge > 0, held, result)
    names = {node["metadata"]["name"] for node in daemons.nodes}
    for name, pods in daemons.pods.items():
        # nobody else deletes pods that wait for a node that is gone
        result.delete += [pod for pod in pods if name not in names and not pod["spec"].get("nodeName")]
    rolling = daemons.daemon_set["spec"]["updateStrategy"]["type"] == "RollingUpdate"
    if rolling and not result.create and not result.delete:
        wanted = [node["metadata"]["name"] for node in running]
        if surge:
            _surge(daemons, wanted, surge, result)
        else:
            _replace(daemons, wanted, unavailable, result)
    everyone = [pod for pods in daemons.pods.values() for pod in pods]
    result.again = next_available(everyone, daemons.daemon_set["spec"].get("minReadySeconds") or 0, daemons.now)
    return result


def _keep_one(daemons: Daemons, node: Object, surging: bool, held: frozenset[str], result: Plan) -> None:  # noqa: FBT001 - one of two modes
    """One pod on each node that shall have one, none on the others."""
    name = node["metadata"]["name"]
    shall, may = should_run(daemons.daemon_set, node)
    there = daemons.pods.get(name, ())
    staying = [pod for pod in there if not pod["metadata"].get("deletionTimestamp")]
    if not may:
        result.delete += staying
        return
    if not there:
        result.create += [name] if shall else []
        return
    alive = []
    for pod in staying:
        phase = (pod.get("status") or {}).get("phase")
        if phase not in ("Failed", "Succeeded"):
            alive.append(pod)
        elif phase == "Succeeded" or name not in held:
            meta = pod["metadata"]
            kind, word, verb = ("Warning", "failed", "kill") if phase == "Failed" else ("Normal", "succeeded", "delete")
            words = f"Found {word} daemon pod {meta['namespace']}/{meta['name']} on node {name}, will try to {verb} it"
            result.events.append((kind, f"{word.capitalize()}DaemonPod", words))
            result.delete.append(pod)
    if not surging:
        result.delete += alive[1:]
        return
    if not alive and shall:
        result.create.append(name)
    new = [pod for pod in alive if daemons.updated(pod)]
    old = [pod for pod in alive if not daemons.updated(pod)]
    result.delete += new[1:] + old[1:]
    if new and old and (ready_since(old[0]) is None or daemons.serves(new[0])):
        result.delete.append(old[0])


def _pair(daemons: Daemons, name: str) -> tuple[Object | None, Object | None]:
    """The new and the old pod of a node, those left out that are being deleted."""
    alive = [pod for pod in daemons.pods.get(name, ()) if not pod["metadata"].get("deletionTimestamp")]
    new = next((pod for pod in alive if daemons.updated(pod)), None)
    return new, next((pod for pod in alive if not daemons.updated(pod)), None)


def _replace(daemons: Daemons, names: Sequence[str], unavailable: int, result: Plan) -> None:
    """Delete old pods, of those that serve as many as may be unavailable; those that do not serve at once."""
    missing, candidates = 0, []
    for name in names:
        new, old = _pair(daemons, name)
        if old is None:
            missing += new is None or not daemons.serves(new)
        elif not daemons.serves(old):
            missing += 1
            result.delete.append(old)
        else:
            candidates.append(old)
    result.delete += candidates[: max(0, unavailable - missing)]


def _surge(daemons: Daemons, names: Sequence[str], surge: int, result: Plan) -> None:
    """Make new pods beside old ones; an old one goes when the new one serves (see `_keep_one`)."""
    waiting, candidates = 0, []
    for name in names:
        new, old = _pair(daemons, name)
        if old is None:
            continue
        if new is not None:
            waiting += not daemons.serves(new)
        elif not daemons.serves(old):
            result.create.append(name)
        else:
            candidates.append(name)
    result.create += candidates[: max(0, surge - waiting)]


def status(daemons: Daemons) -> dict[str, Any]:
    """The whole new status."""
    desired = current = misplaced = ready = updated = serving = 0
    for node in daemons.nodes:
        pods = daemons.pods.get(node["metadata"]["name"], ())
        if not should_run(daemons.daemon_set, node)[0]:
            misplaced += bool(pods)
            continue
        desired += 1
        if pods:
            current += 1
            ready += ready_since(pods[0]) is not None
            serving += daemons.serves(pods[0])
            updated += daemons.updated(pods[0])
    before = daemons.daemon_set.get("status") or {}
    given = {
        "updatedNumberScheduled": updated,
        "numberAvailable": serving,
        "numberUnavailable": desired - serving,
        "observedGeneration": daemons.daemon_set["metadata"].get("generation", 0),
        "collisionCount": before.get("collisionCount"),
    }
    return {
        "currentNumberScheduled": current,
        "numberMisscheduled": misplaced,
        "desiredNumberScheduled": desired,
        "numberReady": ready,
        **{key: value for key, value in given.items() if value},
        **({"conditions": before["conditions"]} if before.get("conditions") else {}),
    }
