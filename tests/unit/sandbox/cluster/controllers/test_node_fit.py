from typing import Any

import pytest

from iambridge.sandbox.cluster.controllers import node_fit, pod_spread

Object = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def node(name: str = "n1", **spec: Any) -> Object:
    labels = {"zone": "a", "size": "10", "kubernetes.io/hostname": name}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": {"pods": "2", "gpu": "1"}},
    }


def pod(name: str = "p", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "n", "labels": labels or {}}, "spec": spec, "status": {}}


def chosen(**term: Any) -> Object:
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}}


def requirement(key: str, operator: str, *values: str) -> Object:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ("9", "10"), True),
        ("NotIn", ("10",), False),
        ("Exists", (), True),
        ("DoesNotExist", (), False),
        ("Gt", ("9",), True),
        ("Gt", ("10",), False),
        ("Lt", ("11",), True),
        ("Lt", ("x",), False),
    ],
)
def test_node_affinity(operator: str, values: tuple[str, ...], *, expected: bool) -> None:
    """Each operator on a label that the node has."""
    assert node_fit.selected(chosen(matchExpressions=[requirement("size", operator, *values)]), node()) is expected


def test_terms_are_alternatives_and_an_empty_one_chooses_nothing() -> None:
    """Within a term all must hold, of the terms one; a term of nothing is not a term of everything."""
    both = {"matchExpressions": [requirement("zone", "In", "a"), requirement("zone", "In", "b")]}
    by_name = {"matchFields": [requirement("metadata.name", "In", "n1")]}
    spec = {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [both, by_name]}}}}
    assert node_fit.selected(spec, node())
    assert not node_fit.selected(spec, node("n2"))
    assert not node_fit.selected(chosen(), node())
    assert not node_fit.selected({"nodeSelector": {"zone": "b"}}, node())


@pytest.mark.parametrize(
    ("tolerations", "fits"),
    [
        ([], False),
        ([{"key": "k", "value": "v"}], True),
        ([{"key": "k", "value": "other"}], False),
        ([{"key": "k", "operator": "Exists", "effect": "NoExecute"}], False),
        ([{"operator": "Exists"}], True),
    ],
)
def test_taints(tolerations: list[Object], *, fits: bool) -> None:
    """A taint is tolerated by key, value and effect, or by Exists."""
    tainted = node(taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    why = node_fit.misfit(pod(tolerations=tolerations), tainted, [])
    assert why == ("" if fits else "node(s) had untolerated taint(s) {k: v}")


def test_a_cordoned_node_takes_what_tolerates_that() -> None:
    """Pods of DaemonSets do."""
    assert node_fit.misfit(pod(), node(unschedulable=True), []) == "node(s) were unschedulable"
    tolerating = pod(tolerations=[{"key": node_fit.UNSCHEDULABLE, "operator": "Exists"}])
    assert node_fit.misfit(tolerating, node(unschedulable=True), []) == ""


def test_what_a_node_has_not_got() -> None:
    """Devices and the number of pods are counted; CPU and memory are not, as nothing limits a process to them."""
    wants = pod(containers=[{"resources": {"requests": {"gpu": "1", "cpu": "400"}}}])
    assert node_fit.misfit(wants, node(), []) == ""
    assert node_fit.misfit(wants, node(), [wants]) == "Insufficient gpu"
    assert node_fit.misfit(pod(), node(), [pod(), pod()]) == "Too many pods"


APART = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}


def test_pods_that_want_to_be_apart() -> None:
    """The second goes to another node, and so does a stranger that the first does not want near."""
    web = pod("a", {"app": "web"}, affinity={"podAntiAffinity": {REQUIRED: [APART]}})
    nodes = [node(), node("n2")]
    placed = [(web, "n1")]
    assert pod_spread.misfit(web, nodes[0], nodes, placed) == "node(s) didn't satisfy existing pods anti-affinity rules"
    assert pod_spread.misfit(web, nodes[1], nodes, placed) == ""
    meek = pod("b", {"app": "web"})
    assert "existing pods anti-affinity" in pod_spread.misfit(meek, nodes[0], nodes, placed)
    assert pod_spread.misfit(web, nodes[0], nodes, [(meek, "n1")]) == "node(s) didn't match pod anti-affinity rules"
    other = {**meek, "metadata": {**meek["metadata"], "namespace": "elsewhere"}}
    assert pod_spread.misfit(web, nodes[0], nodes, [(other, "n1")]) == ""


def test_pods_that_want_company() -> None:
    """The first of its kind may be alone; one that wants another kind waits for it."""
    nodes = [node()]
    first = pod("a", {"app": "web"}, affinity={"podAffinity": {REQUIRED: [APART]}})
    assert pod_spread.misfit(first, nodes[0], nodes, []) == ""
    friend = pod("b", {"app": "cache"}, affinity={"podAffinity": {REQUIRED: [APART]}})
    assert pod_spread.misfit(friend, nodes[0], nodes, []) == "node(s) didn't match pod affinity rules"
    assert pod_spread.misfit(friend, nodes[0], nodes, [(first, "n1")]) == ""


def spread(**more: Any) -> Object:
    constraint = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    return pod("s", {"app": "web"}, topologySpreadConstraints=[constraint | more])


def test_topology_spread() -> None:
    """On one node every number is even; on two the fuller one waits; minDomains wants more domains than there are."""
    one, two = [node()], [node(), node("n2")]
    placed = [(spread(), "n1"), (spread(), "n1")]
    assert pod_spread.misfit(spread(), one[0], one, placed) == ""
    assert pod_spread.misfit(spread(), two[0], two, placed) == "node(s) didn't match pod topology spread constraints"
    assert pod_spread.misfit(spread(), two[1], two, placed) == ""
    assert pod_spread.misfit(spread(minDomains=2), one[0], one, placed) != ""
    assert "missing required label" in pod_spread.misfit(spread(topologyKey="rack"), one[0], one, [])
    assert pod_spread.misfit(spread(whenUnsatisfiable="ScheduleAnyway"), two[0], two, placed) == ""
