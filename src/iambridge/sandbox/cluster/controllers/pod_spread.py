"""Inter-pod affinity and topology spread, as far as they are required: pure.

Preferences (`preferred...`, ScheduleAnyway) only rank nodes, and any order of them keeps the promise.
Source: kube-scheduler's plugins interpodaffinity and podtopologyspread.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from iambridge.core import label_selector
from iambridge.sandbox.cluster.controllers.node_fit import selected
from iambridge.sandbox.cluster.controllers.pods import ended

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"

Object = Mapping[str, Any]


def misfit(pod: Object, node: Object, nodes: Sequence[Object], placed: Sequence[tuple[Object, str]]) -> str:
    """Why `node` of `nodes` cannot take `pod`; empty when it can. `placed` are the pods that run, with their nodes."""
    where = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in nodes}
    running = [(each, where[name]) for each, name in placed if name in where and not ended(each)]
    own = node["metadata"].get("labels") or {}
    return _affinity(pod, own, running) or _spread(pod, own, nodes, running)


def _affinity(pod: Object, own: Mapping[str, str], running: Sequence[tuple[Object, Mapping[str, str]]]) -> str:
    for each, labels in running:
        for term in _terms(each, "podAntiAffinity"):
            if _same_place(term, own, labels) and _chosen(term, each, pod):
                return "node(s) didn't satisfy existing pods anti-affinity rules"
    for term in _terms(pod, "podAntiAffinity"):
        if any(_same_place(term, own, labels) and _chosen(term, pod, each) for each, labels in running):
            return "node(s) didn't match pod anti-affinity rules"
    wanted = _terms(pod, "podAffinity")
    met = all(
        any(_same_place(term, own, labels) and _chosen(term, pod, each) for each, labels in running) for term in wanted
    )
    if wanted and not met:
        # the first of pods that want to be together has nobody to join
        alone = all(_chosen(term, pod, pod) and term["topologyKey"] in own for term in wanted)
        if not alone or any(_chosen(term, pod, each) for term in wanted for each, _ in running):
            return "node(s) didn't match pod affinity rules"
    return ""


def _terms(pod: Object, kind: str) -> Sequence[Object]:
    found: Sequence[Object] = ((pod["spec"].get("affinity") or {}).get(kind) or {}).get(_REQUIRED) or ()
    return found


def _same_place(term: Object, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    key = term["topologyKey"]
    return key in one and one[key] == other.get(key)


def _chosen(term: Object, owner: Object, other: Object) -> bool:
    """Whether a term of `owner` is about the pod `other`."""
    everywhere = term.get("namespaceSelector") == {}
    namespaces = term.get("namespaces") or [owner["metadata"]["namespace"]]
    if not everywhere and other["metadata"]["namespace"] not in namespaces:
        return False
    return _alike(term, owner, other)


def _alike(term: Object, owner: Object, other: Object) -> bool:
    own, labels = owner["metadata"].get("labels") or {}, other["metadata"].get("labels") or {}
    same = all(labels.get(key) == own[key] for key in term.get("matchLabelKeys") or () if key in own)
    differ = all(labels.get(key) != own[key] for key in term.get("mismatchLabelKeys") or () if key in own)
    return same and differ and label_selector.matches(term.get("labelSelector"), labels)


def _spread(
    pod: Object,
    own: Mapping[str, str],
    nodes: Iterable[Object],
    running: Sequence[tuple[Object, Mapping[str, str]]],
) -> str:
    constraints = [
        each
        for each in pod["spec"].get("topologySpreadConstraints") or ()
        if each.get("whenUnsatisfiable") == "DoNotSchedule"
    ]
    eligible = [node["metadata"].get("labels") or {} for node in nodes if selected(pod["spec"], node)]
    for each in constraints:
        key = each["topologyKey"]
        if key not in own:
            return "node(s) didn't match pod topology spread constraints (missing required label)"
        domains = {labels[key] for labels in eligible if key in labels}
        counts = Counter(
            labels[key]
            for other, labels in running
            if labels.get(key) in domains
            and other["metadata"]["namespace"] == pod["metadata"]["namespace"]
            and not other["metadata"].get("deletionTimestamp")
            and _alike(each, pod, other)
        )
        least = min((counts[domain] for domain in domains), default=0)
        if len(domains) < (each.get("minDomains") or 1):
            least = 0
        if counts[own[key]] + _alike(each, pod, pod) - least > each["maxSkew"]:
            return "node(s) didn't match pod topology spread constraints"
    return ""
