from typing import Any

import pytest

from iambridge.sandbox.cluster.objects import kinds, process_node

Object = dict[str, Any]
PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for"
    " validation is '[0-9]+%')"
)


def workload(kind: str, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return {
        "metadata": {"name": "w", "namespace": "n"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }


def faults(kind: str, obj: Object) -> list[str]:
    strategy = kinds.strategy("apps", kind)
    return [str(error) for error in strategy.validate_create(strategy.default(obj))]


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "DaemonSet"])
def test_a_plain_one_is_fine(kind: str) -> None:
    assert faults(kind, workload(kind)) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"selector": None}, ["spec.selector: Required value"]),
        (
            {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            [
                "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
            ],
        ),
        (
            {"selector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
            ['spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator'],
        ),
        ({"selector": {}}, ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]),
        ({"minReadySeconds": -1}, ["spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"]),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": "1", "maxUnavailable": "101%"}}},
            [
                f'spec.strategy.rollingUpdate.maxSurge: Invalid value: "1": {PERCENT}',
                'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
            ],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
            ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        ),
    ],
)
def test_faults_of_a_deployment(spec: Object, expected: list[str]) -> None:
    """Each fault in Kubernetes' words, at its field."""
    found = faults("Deployment", workload("Deployment", **spec))
    assert [each for each in expected if each not in found] == []


def test_status_keeps_to_itself() -> None:
    """/status leaves spec and a Deployment's labels alone and takes annotations; its counts must be possible."""
    strategy = kinds.strategy("apps", "Deployment")
    old = strategy.prepare_create(strategy.default(workload("Deployment")))
    new = {**old, "spec": {}, "status": {"replicas": 1, "readyReplicas": 2}}
    new["metadata"] = {**old["metadata"], "labels": {"x": "y"}, "annotations": {"k": "v"}}
    out = strategy.prepare_update(new, old, "status")
    assert (out["spec"], "labels" in out["metadata"], out["metadata"]["annotations"]) == (
        old["spec"],
        False,
        {"k": "v"},
    )
    assert out["metadata"]["generation"] == 1
    (fault,) = strategy.validate_update(out, old, "status")
    assert str(fault) == "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"


def test_template_generation_counts_templates() -> None:
    """A DaemonSet's annotation is the server's: it rises with the template, and with nothing else."""
    strategy = kinds.strategy("apps", "DaemonSet")
    key = "deprecated.daemonset.template.generation"
    old = strategy.prepare_create(strategy.default(workload("DaemonSet")))
    assert old["metadata"]["annotations"] == {key: "1"}
    changed = strategy.default(workload("DaemonSet", minReadySeconds=5))
    out = strategy.prepare_update(changed, old)
    assert (out["metadata"]["annotations"][key], out["metadata"]["generation"]) == ("1", 2)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "j"
    assert strategy.prepare_update(changed, old)["metadata"]["annotations"][key] == "2"


def test_a_controller_revision_holds_one_state() -> None:
    """data is an object and stays; revision may rise."""
    strategy = kinds.strategy("apps", "ControllerRevision")
    one = {"metadata": {"name": "r", "namespace": "n"}, "data": {"spec": {}}, "revision": 1}
    assert strategy.validate_create(one) == []
    assert [str(each) for each in strategy.validate_create({**one, "data": None})] == [
        "data: Required value: data is mandatory"
    ]
    assert strategy.validate_update({**one, "revision": 2}, one) == []
    assert [each.field for each in strategy.validate_update({**one, "data": {}}, one)] == ["data"]


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"affinity": {"nodeAffinity": {REQUIRED: {}}}}, f"affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"),
        (
            {"affinity": {"podAffinity": {REQUIRED: [{"labelSelector": {}}]}}},
            f"affinity.podAffinity.{REQUIRED}[0].topologyKey",
        ),
        ({"tolerations": [{"operator": "Equal"}]}, "tolerations[0].operator"),
        ({"tolerations": [{"key": "k", "tolerationSeconds": 5, "effect": "NoSchedule"}]}, "tolerations[0].effect"),
        (
            {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]},
            "topologySpreadConstraints[0].maxSkew",
        ),
        ({"nodeSelector": {"bad key!": "x"}}, "nodeSelector"),
    ],
)
def test_faults_of_a_placement(spec: Object, field: str) -> None:
    """What says where a pod may run is judged when it is written, not when it is read."""
    obj = workload("Deployment")
    obj["spec"]["template"]["spec"] |= spec
    assert f"spec.template.spec.{field}" in {fault.partition(": ")[0] for fault in faults("Deployment", obj)}


def test_a_requirement_that_the_scheduler_does_not_know_is_refused_by_name() -> None:
    """A preference of the same kind is not: it only ranks."""
    term = {"topologyKey": "z", "namespaceSelector": {"matchLabels": {"team": "x"}}}
    obj = workload("Deployment")
    obj["spec"]["template"]["spec"]["affinity"] = {"podAntiAffinity": {REQUIRED: [term]}}
    (fault,) = process_node.refusals("Deployment", obj, 1000)
    assert fault.field == f"spec.template.spec.affinity.podAntiAffinity.{REQUIRED}[0].namespaceSelector"
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}
    obj["spec"]["template"]["spec"]["affinity"] = {"podAntiAffinity": preferred}
    assert process_node.refusals("Deployment", obj, 1000) == []
