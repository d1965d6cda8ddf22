"""DaemonSets as people use them with kubectl: on any cluster with its controllers. The tests bring nodes of their own."""

import json
from collections.abc import Iterator

import pytest

from .conftest import Kubectl
from .played_kubelet import Object, apply, is_ready, pods, roll_out, serve, workload
from .plumbing import eventually


class Nodes:
    """Nodes that nobody runs, with a label of their own."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self.label = kubectl.namespace
        self.names: list[str] = []

    def add(self, *, taints: tuple[Object, ...] = ()) -> str:
        name = f"{self.label}-{len(self.names)}"
        self.names.append(name)
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"test": self.label}}}
        self._kubectl.ok("create", "-f", "-", stdin=json.dumps(node | {"spec": {"taints": list(taints)}}))
        return name

    def daemon_set(self, **spec: object) -> Object:
        """A DaemonSet for these nodes, which a cluster may find not ready."""
        obj = workload("DaemonSet", "agent", **spec)
        ailing = ({"key": f"node.kubernetes.io/{name}", "operator": "Exists"} for name in ("not-ready", "unreachable"))
        obj["spec"]["template"]["spec"] |= {"nodeSelector": {"test": self.label}, "tolerations": list(ailing)}
        return obj


@pytest.fixture
def nodes(kubectl: Kubectl) -> Iterator[Nodes]:
    made = Nodes(kubectl)
    yield made
    for name in made.names:
        kubectl.run("delete", "node", name, "--wait=false")


def place(pod: Object) -> str:
    """The node that a pod which nobody schedules was made for."""
    affinity = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(affinity["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])


def bind(kubectl: Kubectl, name: str) -> None:
    """Do the scheduler's part for the pod that was made for a node."""
    (pod,) = (each for each in pods(kubectl, "agent") if place(each) == name)
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]}}
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod['metadata']['name']}/binding"
    kubectl.ok(
        "create", "--raw", path, "-f", "-", stdin=json.dumps(binding | {"target": {"kind": "Node", "name": name}})
    )


def places(kubectl: Kubectl) -> list[str]:
    return sorted(place(pod) for pod in pods(kubectl, "agent"))


def status(kubectl: Kubectl) -> Object:
    return dict(kubectl.json("get", "daemonset", "agent").get("status") or {})


@pytest.mark.embedded_only(
    reason="no kubelet ends the pods of these nodes: kube-controller-manager looks at bound pods alone"
)
def test_one_pod_on_each_chosen_node(kubectl: Kubectl, nodes: Nodes) -> None:
    """A pod for each node of the selector, also for one that comes later; none for the others."""
    first, second = nodes.add(), nodes.add()
    apply(kubectl, nodes.daemon_set())
    eventually(lambda: places(kubectl) == [first, second])
    third = nodes.add()
    eventually(lambda: places(kubectl) == [first, second, third])
    bind(kubectl, second)
    kubectl.ok("label", "node", second, "test=other", "--overwrite")
    eventually(lambda: places(kubectl) == [first, third])
    kubectl.ok("delete", "node", third)
    kubectl.ok("label", "daemonset", "agent", "look=again")
    eventually(lambda: places(kubectl) == [first])


def test_pods_of_a_daemon_set_outlive_what_ails_their_node(kubectl: Kubectl, nodes: Nodes) -> None:
    """They carry the tolerations, the hash of their revision and their owner."""
    nodes.add()
    apply(kubectl, nodes.daemon_set())
    eventually(lambda: len(pods(kubectl, "agent")) == 1)
    (pod,) = pods(kubectl, "agent")
    tolerated = {(each["key"], each.get("effect")) for each in pod["spec"]["tolerations"]}
    drawbacks = ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
    assert {(f"node.kubernetes.io/{name}", "NoExecute") for name in ("not-ready", "unreachable")} <= tolerated
    assert {(f"node.kubernetes.io/{name}", "NoSchedule") for name in drawbacks} <= tolerated
    (revision,) = kubectl.json("get", "controllerrevisions", "-l", "app=agent")["items"]
    assert (
        pod["metadata"]["labels"]["controller-revision-hash"]
        == revision["metadata"]["labels"]["controller-revision-hash"]
    )
    assert pod["metadata"]["labels"]["pod-template-generation"] == "1"
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "DaemonSet"


@pytest.mark.embedded_only(
    reason="no kubelet ends the pods of these nodes: kube-controller-manager looks at bound pods alone"
)
def test_taints_keep_pods_away_unless_tolerated(kubectl: Kubectl, nodes: Nodes) -> None:
    """NoSchedule keeps a new pod away and lets one stay that is there; NoExecute takes it."""
    taint = {"key": "example.com/special", "value": "yes", "effect": "NoSchedule"}
    free, tainted = nodes.add(), nodes.add(taints=(taint,))
    apply(kubectl, nodes.daemon_set())
    eventually(lambda: places(kubectl) == [free])
    bind(kubectl, free)
    kubectl.ok("taint", "node", free, "example.com/special=yes:NoSchedule")
    kubectl.ok("label", "daemonset", "agent", "look=again")
    eventually(lambda: status(kubectl).get("numberMisscheduled") == 1)
    assert places(kubectl) == [free]
    kubectl.ok("taint", "node", free, "example.com/special=yes:NoExecute")
    eventually(lambda: places(kubectl) == [])
    # no kubelet ends it
    kubectl.ok("delete", "pods", "-l", "app=agent", "--force", "--grace-period=0")
    obj = nodes.daemon_set()
    obj["spec"]["template"]["spec"]["tolerations"].append({"key": "example.com/special", "operator": "Exists"})
    apply(kubectl, obj)
    eventually(lambda: places(kubectl) == [free, tainted])


def test_pods_of_a_node_that_is_gone_end(kubectl: Kubectl, nodes: Nodes) -> None:
    """Nobody runs them: after a while they are removed without a kubelet, also those that wait for their grace."""
    first, second = nodes.add(), nodes.add()
    apply(kubectl, nodes.daemon_set())
    eventually(lambda: places(kubectl) == [first, second])
    bind(kubectl, first)
    bind(kubectl, second)
    (leaving,) = (each["metadata"]["name"] for each in pods(kubectl, "agent") if place(each) == first)
    kubectl.ok("delete", "pod", leaving, "--wait=false")
    kubectl.ok("delete", "node", first, second)
    eventually(lambda: kubectl.json("get", "pods", "-l", "app=agent")["items"] == [], seconds=150)


def test_columns_and_status(kubectl: Kubectl, nodes: Nodes) -> None:
    """`get ds` counts nodes, and `rollout status` ends when each has a ready pod."""
    nodes.add()
    nodes.add()
    apply(kubectl, nodes.daemon_set())
    roll_out(kubectl, "daemonset", "agent")
    found = status(kubectl)
    assert [found[name] for name in ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")] == [2, 2, 2]
    head, row = kubectl.ok("get", "ds", "-o", "wide").splitlines()
    assert head.split()[:8] == ["NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE", "SELECTOR"]
    assert row.split()[:7] == ["agent", "2", "2", "2", "2", "2", f"test={nodes.label}"]
    assert row.split()[8:] == ["main", "example:1", "app=agent"]


def test_a_rolling_update_takes_one_node_at_a_time(kubectl: Kubectl, nodes: Nodes) -> None:
    """With maxUnavailable 1 of three pods two serve at each moment."""
    for _ in range(3):
        nodes.add()
    apply(kubectl, nodes.daemon_set())
    roll_out(kubectl, "daemonset", "agent")
    serving: list[int] = []
    kubectl.ok("set", "image", "daemonset/agent", "main=example:2")
    roll_out(kubectl, "daemonset", "agent", lambda there: serving.append(sum(is_ready(pod) for pod in there)))
    assert min(serving) == 2
    assert {pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "agent")} == {"example:2"}


def test_a_surge_makes_the_new_pod_first(kubectl: Kubectl, nodes: Nodes) -> None:
    """With maxSurge 1 the old pod goes when the new one serves."""
    nodes.add()
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    apply(kubectl, nodes.daemon_set(updateStrategy=surge))
    roll_out(kubectl, "daemonset", "agent")
    kubectl.ok("set", "image", "daemonset/agent", "main=example:2")
    eventually(lambda: len(pods(kubectl, "agent")) == 2)
    old = next(pod for pod in pods(kubectl, "agent") if is_ready(pod))
    serve(kubectl, *pods(kubectl, "agent"))
    eventually(lambda: old["metadata"]["name"] not in {pod["metadata"]["name"] for pod in pods(kubectl, "agent")})
    assert len(pods(kubectl, "agent")) == 1


def test_on_delete_waits_for_the_person(kubectl: Kubectl, nodes: Nodes) -> None:
    """OnDelete: an old pod stays until it is deleted, then the new template is used."""
    nodes.add()
    apply(kubectl, nodes.daemon_set(updateStrategy={"type": "OnDelete"}))
    eventually(lambda: len(pods(kubectl, "agent")) == 1)
    (old,) = pods(kubectl, "agent")
    serve(kubectl, old)
    kubectl.ok("set", "image", "daemonset/agent", "main=example:2")
    eventually(lambda: status(kubectl).get("observedGeneration") == 2)
    assert status(kubectl).get("updatedNumberScheduled", 0) == 0
    assert [pod["metadata"]["uid"] for pod in pods(kubectl, "agent")] == [old["metadata"]["uid"]]
    kubectl.ok("delete", "pod", old["metadata"]["name"])
    eventually(lambda: [pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "agent")] == ["example:2"])


def test_history_undo_and_restart(kubectl: Kubectl, nodes: Nodes) -> None:
    """ControllerRevisions hold the templates; undo brings one back, restart makes a new one."""
    nodes.add()
    apply(kubectl, nodes.daemon_set(revisionHistoryLimit=1))
    roll_out(kubectl, "daemonset", "agent")
    kubectl.ok("set", "image", "daemonset/agent", "main=example:2")
    roll_out(kubectl, "daemonset", "agent")
    said = kubectl.ok("rollout", "history", "daemonset/agent")
    assert [line.split()[0] for line in said.splitlines()[2:] if line] == ["1", "2"]
    assert "example:1" in kubectl.ok("rollout", "history", "daemonset/agent", "--revision=1")
    kubectl.ok("rollout", "undo", "daemonset/agent")
    roll_out(kubectl, "daemonset", "agent")
    assert [pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "agent")] == ["example:1"]
    kubectl.ok("rollout", "restart", "daemonset/agent")
    roll_out(kubectl, "daemonset", "agent")

    def revisions() -> list[int]:
        found = kubectl.json("get", "controllerrevisions", "-l", "app=agent")["items"]
        return sorted(each["revision"] for each in found)

    eventually(lambda: revisions() == [3, 4])


def test_a_failed_pod_is_replaced(kubectl: Kubectl, nodes: Nodes) -> None:
    """A pod that ended as Failed is deleted, and its node gets another."""
    nodes.add()
    apply(kubectl, nodes.daemon_set())
    eventually(lambda: len(pods(kubectl, "agent")) == 1)
    (old,) = pods(kubectl, "agent")
    failed = json.dumps({"status": {"phase": "Failed", "reason": "Evicted"}})
    kubectl.ok("patch", "pod", old["metadata"]["name"], "--subresource=status", "--type=merge", "-p", failed)
    eventually(lambda: [pod["metadata"]["uid"] for pod in pods(kubectl, "agent")] not in ([], [old["metadata"]["uid"]]))


def test_all_goes_with_the_daemon_set(kubectl: Kubectl, nodes: Nodes) -> None:
    """Pods and revisions are collected."""
    nodes.add()
    apply(kubectl, nodes.daemon_set())
    eventually(lambda: len(pods(kubectl, "agent")) == 1)
    kubectl.ok("delete", "daemonset", "agent", "--timeout=60s")
    eventually(lambda: pods(kubectl, "agent") == [])
    eventually(lambda: kubectl.json("get", "controllerrevisions")["items"] == [])


def test_faults_are_named(kubectl: Kubectl) -> None:
    """Kubernetes' own words for a DaemonSet that cannot be."""

    def fault(**spec: object) -> str:
        return kubectl.fails("create", "-f", "-", stdin=json.dumps(workload("DaemonSet", "bad", **spec)))

    both = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    assert "may not be set when maxUnavailable is non-zero" in fault(updateStrategy=both)
    neither = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}
    assert "cannot be 0 when maxSurge is 0" in fault(updateStrategy=neither)
    assert "empty selector is invalid for daemonset" in fault(selector={})
    assert "`selector` does not match template `labels`" in fault(selector={"matchLabels": {"app": "other"}})
