"""Deployments and DaemonSets whose pods really run, on a whole sandbox."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import _KUBECTLS, Kubectl
from .played_kubelet import apply
from .plumbing import eventually
from .sandbox_process import SandboxProcess

pytestmark = pytest.mark.embedded_only(reason="needs a kubelet that runs the pods as processes")

Object = dict[str, Any]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    running = SandboxProcess(tmp_path_factory.mktemp("workloads-on-a-node") / "data")
    yield running
    running.stop()


@pytest.fixture
def node(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl in a namespace of its own, on a cluster that runs pods."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    tool = Kubectl(_KUBECTLS[-1], sandbox.kubeconfig, tmp_path)
    tool.ok("create", "namespace", namespace)
    tool.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default", "--namespace", namespace)
    yield tool.within(namespace)
    tool.ok("delete", "namespace", namespace, "--wait=false")


def workload(kind: str, script: str, /, **spec: object) -> Object:
    """One named `web` whose pods run `script`."""
    container = {"name": "main", "image": "example:1", "command": ["sh", "-c", script]}
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    whole = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": whole}


def logs(node: Kubectl) -> list[str]:
    return node.ok("logs", "-l", "app=web", "--tail=-1").split()


def test_a_deployment_runs_rolls_and_goes(node: Kubectl) -> None:
    """Its processes run, a new template replaces them, a restart starts them again, deletion ends them."""
    apply(node, workload("Deployment", "echo first; exec sleep 300", replicas=2))
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    assert logs(node) == ["first", "first"]
    apply(node, workload("Deployment", "echo second; exec sleep 300", replicas=2))
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    eventually(lambda: logs(node) == ["second", "second"])
    assert node.ok("logs", "deployment/web") == "second\n"
    node.ok("rollout", "undo", "deployment/web")
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    eventually(lambda: logs(node) == ["first", "first"])
    node.ok("scale", "deployment/web", "--replicas=1")
    eventually(lambda: logs(node) == ["first"])
    node.ok("delete", "deployment", "web", "--cascade=foreground", "--timeout=60s")
    assert node.json("get", "pods")["items"] == []


def test_recreate_never_runs_two_generations_at_once(node: Kubectl) -> None:
    """The second process starts after the first has let go of what only one may hold."""
    held = f"/tmp/held-{uuid.uuid4().hex}"
    script = f"mkdir {held} || exec sleep 0; trap 'sleep 0.3; rmdir {held}; exit 0' TERM; while :; do sleep 0.1; done"
    obj = workload("Deployment", script, strategy={"type": "Recreate"})
    obj["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 20
    apply(node, obj)
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    node.ok("rollout", "restart", "deployment/web")
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    (pod,) = (each for each in node.json("get", "pods")["items"] if "deletionTimestamp" not in each["metadata"])
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    node.ok("delete", "deployment", "web", "--cascade=foreground", "--timeout=60s")


def test_a_crashing_rollout_leaves_the_old_pod(node: Kubectl) -> None:
    """With the default strategy a broken template costs nothing but its own pod."""
    apply(node, workload("Deployment", "echo fine; exec sleep 300", progressDeadlineSeconds=3))
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    apply(node, workload("Deployment", "exit 1", progressDeadlineSeconds=3, minReadySeconds=2))
    said = node.fails("rollout", "status", "deployment/web", "--timeout=60s")
    assert "exceeded its progress deadline" in said
    found = node.json("get", "deployment", "web")["status"]
    assert (found["availableReplicas"], found["updatedReplicas"]) == (1, 1)
    node.ok("rollout", "undo", "deployment/web")
    # the verdict on the broken template stands until the good one is found complete
    eventually(lambda: node.run("rollout", "status", "deployment/web", "--timeout=60s").code == 0)
    eventually(lambda: logs(node) == ["fine"])


def test_a_daemon_set_runs_on_the_node(node: Kubectl) -> None:
    """One pod, on the node, also when the node is cordoned, and none with a selector that it has not."""
    name = node.ok("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    node.ok("cordon", name)
    try:
        apply(node, workload("DaemonSet", "echo here; exec sleep 300"))
        node.ok("rollout", "status", "daemonset/web", "--timeout=60s")
        assert node.ok("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}") == name
    finally:
        node.ok("uncordon", name)
    assert logs(node) == ["here"]
    obj = workload("DaemonSet", "exec sleep 300")
    obj["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/os": "plan9"}
    apply(node, obj)
    eventually(lambda: node.json("get", "pods")["items"] == [])


def test_drain(node: Kubectl) -> None:
    """Draining evicts what a ReplicaSet keeps and leaves what a DaemonSet keeps; uncordon lets the first come back."""
    name = node.ok("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    apply(node, workload("Deployment", "exec sleep 300"))
    agent = workload("DaemonSet", "exec sleep 300") | {"metadata": {"name": "agent"}}
    agent["spec"]["template"]["metadata"]["labels"] = agent["spec"]["selector"]["matchLabels"] = {"app": "agent"}
    apply(node, agent)
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    node.ok("rollout", "status", "daemonset/agent", "--timeout=60s")
    try:
        node.ok("drain", name, "--ignore-daemonsets", "--pod-selector=app in (web,agent)", "--timeout=60s")
        web = node.json("get", "pods", "-l", "app=web")["items"]
        assert [each["status"]["phase"] for each in web if "deletionTimestamp" not in each["metadata"]] == ["Pending"]
        assert node.json("get", "daemonset", "agent")["status"]["numberReady"] == 1
    finally:
        node.ok("uncordon", name)
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")


def test_pods_that_want_a_node_each_wait_for_one(node: Kubectl) -> None:
    """Required anti-affinity by hostname: on one node one runs, and the other says why it does not."""
    obj = workload("Deployment", "exec sleep 300", replicas=2)
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    obj["spec"]["template"]["spec"]["affinity"] = {"podAntiAffinity": required}
    apply(node, obj)

    def phases() -> list[str]:
        return sorted(each["status"]["phase"] for each in node.json("get", "pods")["items"])

    eventually(lambda: phases() == ["Pending", "Running"])
    eventually(lambda: "didn't" in json.dumps(node.json("get", "events")))
    assert "anti-affinity rules" in json.dumps(node.json("get", "events"))
    # when the first goes its place is free
    first = next(each for each in node.json("get", "pods")["items"] if each["status"]["phase"] == "Running")
    node.ok("scale", "deployment/web", "--replicas=1")
    node.ok("delete", "pod", first["metadata"]["name"])
    eventually(lambda: phases() == ["Running"])


def test_what_real_manifests_say_of_their_place_is_accepted(node: Kubectl) -> None:
    """Spread constraints, preferences, tolerations, a system priority and requests: on one node all can be kept."""
    obj = workload("Deployment", "exec sleep 300", replicas=2)
    selector = {"matchLabels": {"app": "web"}}
    place = {
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": selector,
                "matchLabelKeys": ["pod-template-hash"],
            },
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": selector,
            },
        ],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/os", "operator": "Exists"}]}]
                }
            },
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 100,
                        "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector},
                    }
                ]
            },
        },
    }
    obj["spec"]["template"]["spec"] |= place
    obj["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    result = node.run("apply", "-f", "-", stdin=json.dumps(obj))
    assert (result.code, result.error) == (0, "")
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    assert {each["spec"]["priority"] for each in node.json("get", "pods")["items"]} == {2_000_000_000}


def test_a_namespace_takes_its_workloads_along(node: Kubectl) -> None:
    """Nothing makes pods anew in a namespace that is going."""
    apply(node, workload("Deployment", "exec sleep 300", replicas=2))
    node.ok("rollout", "status", "deployment/web", "--timeout=60s")
    doomed = f"doomed-{uuid.uuid4().hex[:8]}"
    node.ok("create", "namespace", doomed)
    within = node.within(doomed)
    within.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
    apply(within, workload("Deployment", "exec sleep 300", replicas=2))
    apply(within, workload("DaemonSet", "exec sleep 300") | {"metadata": {"name": "agent"}})
    within.ok("rollout", "status", "deployment/web", "--timeout=60s")
    node.ok("delete", "namespace", doomed, "--timeout=60s")
    for kind in ("pods", "deployments", "replicasets", "daemonsets", "controllerrevisions"):
        assert within.json("get", kind)["items"] == []
    assert len(node.json("get", "pods")["items"]) == 2
