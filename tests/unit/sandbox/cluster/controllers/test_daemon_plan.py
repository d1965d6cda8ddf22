from typing import Any

import pytest

from iambridge.sandbox.cluster.controllers.daemon_plan import (
    HASH,
    Daemons,
    Plan,
    group,
    node_of,
    plan,
    pod_template,
    should_run,
    status,
)

Object = dict[str, Any]
NOW = 1_767_225_660.0
EARLY = "2026-01-01T00:00:00Z"


def daemon_set(**spec: Any) -> Object:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}}
    annotations = {"deprecated.daemonset.template.generation": "2"}
    return {
        "metadata": {"name": "a", "namespace": "n", "uid": "D", "generation": 2, "annotations": annotations},
        "spec": {"template": template, "updateStrategy": rolling, **spec},
    }


def node(name: str, *taints: Object) -> Object:
    return {"metadata": {"name": name, "labels": {}}, "spec": {"taints": list(taints)}}


def pod(where: str, short: str = "new", *, ready: bool = True, phase: str = "Running", name: str = "") -> Object:
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": EARLY}] if ready else []
    labels = {HASH: short, "pod-template-generation": "2" if short == "new" else "1"}
    return {
        "metadata": {
            "name": name or f"{where}-{short}",
            "namespace": "n",
            "labels": labels,
            "creationTimestamp": EARLY,
        },
        "spec": {"nodeName": where},
        "status": {"phase": phase, "conditions": conditions},
    }


def look(obj: Object, nodes: list[Object], *pods: Object) -> Daemons:
    return Daemons(obj, nodes, group(pods), "new", NOW)


def names(pods: Any) -> list[str]:
    return [each["metadata"]["name"] for each in pods]


def step(obj: Object, nodes: list[Object], *pods: Object, held: frozenset[str] = frozenset()) -> Plan:
    return plan(look(obj, nodes, *pods), held)


def test_the_pod_of_a_node_is_bound_to_it_by_affinity() -> None:
    """Whatever nodes the template chooses, and with tolerations that the template has kept once."""
    obj = daemon_set()
    key = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
    other = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "x", "operator": "Exists"}]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": other}}
    obj["spec"]["template"]["spec"] |= {"tolerations": [key], "affinity": affinity, "hostNetwork": True}
    made = pod_template(obj, "new", "n1")
    assert node_of({"spec": made["spec"]}) == "n1"
    assert made["spec"]["tolerations"].count(key) == 1
    assert made["spec"]["tolerations"][-1]["key"] == "node.kubernetes.io/network-unavailable"
    assert made["metadata"]["labels"] == {"app": "a", "pod-template-generation": "2", HASH: "new"}
    assert obj["spec"]["template"]["spec"]["affinity"]["nodeAffinity"] == affinity["nodeAffinity"]


@pytest.mark.parametrize(
    ("effect", "expected"),
    [("NoSchedule", (False, True)), ("NoExecute", (False, False)), ("PreferNoSchedule", (True, True))],
)
def test_taints(effect: str, expected: tuple[bool, bool]) -> None:
    """(shall run, may stay)."""
    assert should_run(daemon_set(), node("n1", {"key": "k", "effect": effect})) == expected


def test_one_pod_for_each_node_and_none_for_what_is_gone() -> None:
    """A second pod of a node goes, the younger by name; one that waits for a node that is not there goes too."""
    waiting = pod("gone", name="waiting")
    waiting["spec"] = pod_template(daemon_set(), "new", "gone")["spec"]
    found = step(daemon_set(), [node("n1"), node("n2")], pod("n1"), pod("n1", name="n1-second"), waiting)
    assert found.create == ["n2"]
    assert names(found.delete) == ["n1-second", "waiting"]


def test_a_failed_pod_is_replaced_unless_its_node_is_held() -> None:
    """It is said in an event; on a held node it is left for now."""
    failed = pod("n1", ready=False, phase="Failed")
    found = step(daemon_set(), [node("n1")], failed)
    assert names(found.delete) == ["n1-new"]
    assert found.events == [
        ("Warning", "FailedDaemonPod", "Found failed daemon pod n/n1-new on node n1, will try to kill it")
    ]
    assert step(daemon_set(), [node("n1")], failed, held=frozenset({"n1"})).delete == []


def test_a_rolling_update_takes_those_first_that_do_not_serve() -> None:
    """Of three old pods the broken one goes and takes the place of the one that may be missing."""
    nodes = [node("n1"), node("n2"), node("n3")]
    old = [pod("n1", "old"), pod("n2", "old", ready=False), pod("n3", "old")]
    assert names(step(daemon_set(), nodes, *old).delete) == ["n2-old"]
    assert names(step(daemon_set(), nodes, old[0], pod("n2"), old[2]).delete) == ["n1-old"]
    assert step(daemon_set(), nodes, old[0], pod("n2", ready=False), old[2]).delete == []
    assert step(daemon_set(updateStrategy={"type": "OnDelete"}), nodes, *old).delete == []


def test_a_surge_makes_the_new_pod_first() -> None:
    """The old one goes when the new one serves, or when it does not serve itself."""
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    obj, nodes = daemon_set(updateStrategy=surge), [node("n1"), node("n2")]
    old = [pod("n1", "old"), pod("n2", "old")]
    assert step(obj, nodes, *old).create == ["n1"]
    waiting = step(obj, nodes, *old, pod("n1", ready=False))
    assert (waiting.create, waiting.delete) == ([], [])
    assert names(step(obj, nodes, *old, pod("n1")).delete) == ["n1-old"]


def test_status() -> None:
    """What shall be, is, is ready, is new; and what is where it should not be."""
    nodes = [node("n1"), node("n2"), node("n3", {"key": "k", "effect": "NoSchedule"})]
    found = status(look(daemon_set(), nodes, pod("n1"), pod("n2", "old", ready=False), pod("n3")))
    assert found == {
        "currentNumberScheduled": 2,
        "numberMisscheduled": 1,
        "desiredNumberScheduled": 2,
        "numberReady": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
        "numberUnavailable": 1,
        "observedGeneration": 2,
    }
