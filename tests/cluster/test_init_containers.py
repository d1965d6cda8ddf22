"""Init containers and sidecars, as the status, kubectl's columns, Jobs and logs show them."""

import json
import uuid
from pathlib import Path

import pytest

from .conftest import Kubectl
from .plumbing import eventually
from .test_workloads import Object, phase, pod, running

pytestmark = pytest.mark.embedded_only(reason="needs a kubelet that runs the pods as processes")


def init(name: str, script: str, **fields: object) -> Object:
    return {"name": name, "image": "example", "command": ["sh", "-c", script], **fields}


def sidecar(name: str, script: str, **fields: object) -> Object:
    return init(name, script, restartPolicy="Always", **fields)


def column(node: Kubectl, name: str, number: int) -> str:
    return node.ok("get", "pod", name, "--no-headers").split()[number]


def conditions(node: Kubectl, name: str) -> dict[str, str]:
    return {each["type"]: each["status"] for each in node.json("get", "pod", name)["status"]["conditions"]}


def test_init_containers_run_in_order_before_the_others(node: Kubectl, tmp_path: Path) -> None:
    """Each init container starts when the one before has succeeded, the main one when all have."""
    record, gate = tmp_path / "record", tmp_path / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.05; done"
    steps = [init("one", f"echo one >> {record}; echo hello from one"), init("two", f"{wait}; echo two >> {record}")]
    node.ok("apply", "-f", "-", stdin=pod("ordered", f"echo main >> {record}", initContainers=steps))
    eventually(lambda: column(node, "ordered", 2) == "Init:1/2")
    eventually(lambda: "running" in node.json("get", "pod", "ordered")["status"]["initContainerStatuses"][1]["state"])
    status = node.json("get", "pod", "ordered")["status"]
    assert status["phase"] == "Pending"
    first, second = status["initContainerStatuses"]
    assert (first["ready"], first["state"]["terminated"]["reason"]) == (True, "Completed")
    assert (second["ready"], "running" in second["state"]) == (False, True)
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    (incomplete,) = [each for each in status["conditions"] if each["type"] == "Initialized"]
    assert incomplete["reason"] == "ContainersNotInitialized"
    assert incomplete["message"] == "containers with incomplete status: [two]"
    assert node.ok("logs", "ordered", "-c", "one") == "hello from one\n"
    assert "is waiting to start: PodInitializing" in node.fails("logs", "ordered", "-c", "main")
    gate.touch()
    phase(node, "ordered", "Succeeded")
    assert record.read_text().split() == ["one", "two", "main"]
    assert conditions(node, "ordered")["Initialized"] == "True"


def test_a_failed_init_container_fails_a_pod_that_never_restarts(node: Kubectl) -> None:
    """restartPolicy Never: the pod has Failed, the others never ran, and kubectl shows Init:Error."""
    broken = [init("breaks", "echo oh no; exit 3"), init("later", "echo never")]
    node.ok("apply", "-f", "-", stdin=pod("fails", "echo never", initContainers=broken))
    phase(node, "fails", "Failed")
    assert column(node, "fails", 2) == "Init:Error"
    status = node.json("get", "pod", "fails")["status"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert "waiting" in status["initContainerStatuses"][1]["state"]
    assert "waiting" in status["containerStatuses"][0]["state"]
    assert node.ok("logs", "fails", "-c", "breaks") == "oh no\n"


def test_a_failing_init_container_backs_off(node: Kubectl) -> None:
    """Any other restartPolicy: it is started again, with back-off, and its restarts are counted in the column."""
    broken = [init("breaks", "exit 1")]
    node.ok("apply", "-f", "-", stdin=pod("again", "true", initContainers=broken, restartPolicy="OnFailure"))
    eventually(lambda: column(node, "again", 2) == "Init:CrashLoopBackOff")
    assert column(node, "again", 3) == "1"
    assert node.json("get", "pod", "again")["status"]["phase"] == "Pending"


def test_a_sidecar_starts_before_and_ends_after_the_others(node: Kubectl, tmp_path: Path) -> None:
    """A sidecar runs while a later init container and the main one do, counts in READY, and ends last."""
    record, gate = tmp_path / "record", tmp_path / "gate"
    ends = f"trap 'echo sidecar ends >> {record}; exit 0' TERM; echo sidecar starts >> {record}; while :; do sleep 0.05; done"
    main = f"echo main starts >> {record}; until [ -e {gate} ]; do sleep 0.05; done; echo main ends >> {record}"
    before = [sidecar("helper", ends), init("step", f"echo step >> {record}")]
    node.ok("apply", "-f", "-", stdin=pod("beside", main, initContainers=before))
    node.ok("wait", "--for=condition=ready", "pod/beside", "--timeout=60s")
    assert column(node, "beside", 1) == "2/2"
    assert column(node, "beside", 2) == "Running"
    gate.touch()
    phase(node, "beside", "Succeeded")
    lines = record.read_text().splitlines()
    assert lines == ["sidecar starts", "step", "main starts", "main ends", "sidecar ends"]
    assert column(node, "beside", 2) == "Completed"


def test_a_sidecar_is_started_again_and_does_not_decide(node: Kubectl) -> None:
    """A sidecar that fails is restarted whatever the pod's policy; its exit code does not fail the pod."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    before = [sidecar("fails", f"if [ -e $HOME/ran ]; then exec sleep {marker}; fi; touch $HOME/ran; exit 1")]
    script = "until [ -e $HOME/go ]; do sleep 0.1; done"
    node.ok("apply", "-f", "-", stdin=pod("steady", script, initContainers=before))
    eventually(lambda: bool(running(marker)))
    eventually(lambda: node.json("get", "pod", "steady")["status"]["initContainerStatuses"][0]["restartCount"] == 1)
    node.ok("delete", "pod", "steady", "--grace-period=3", "--timeout=60s")
    assert running(marker) == []


def test_a_job_completes_although_a_sidecar_runs(node: Kubectl) -> None:
    """A Job's pod has Succeeded when its main containers have; the sidecar is ended for it, even one that resists."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    template = json.loads(pod("unused", "echo done"))["spec"]
    template["initContainers"] = [sidecar("helper", f"trap '' TERM; sleep {marker} & while :; do wait; done")]
    template["terminationGracePeriodSeconds"] = 1
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "whole"},
        "spec": {"template": {"spec": template}},
    }
    node.ok("apply", "-f", "-", stdin=json.dumps(job))
    node.ok("wait", "--for=condition=complete", "job/whole", "--timeout=60s")
    assert node.ok("logs", "job/whole", "-c", "main") == "done\n"
    (one,) = node.json("get", "pods", "-l", "job-name=whole")["items"]
    assert one["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 137
    assert running(marker) == []


def test_what_only_sidecars_may_have_is_refused_elsewhere(node: Kubectl) -> None:
    """Kubernetes' own words for a probe on an init container and for a restartPolicy that is not one."""
    probed = [init("one", "true", readinessProbe={"tcpSocket": {"port": 1}})]
    said = node.fails("apply", "-f", "-", stdin=pod("bad", "true", initContainers=probed))
    assert "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without" in said
    other = [init("one", "true", restartPolicy="Other")]
    said = node.fails("apply", "-f", "-", stdin=pod("bad", "true", initContainers=other))
    assert (
        'spec.initContainers[0].restartPolicy: Unsupported value: "Other": supported values: "Always", "Never", '
        in said
    )
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [3]}}]
    container = {"restartPolicy": "Never", "restartPolicyRules": rules}
    said = node.fails("apply", "-f", "-", stdin=pod("bad", "true", container=container))
    assert (
        "spec.containers[0].restartPolicyRules: Forbidden: this node restarts containers by their restartPolicy" in said
    )


def test_a_container_s_own_restart_policy_goes_first(node: Kubectl) -> None:
    """Never under a pod that always restarts, for init containers and others; a pod with nothing to restart has ended."""
    once = [init("once", "exit 3", restartPolicy="Never")]
    node.ok("apply", "-f", "-", stdin=pod("init", "true", initContainers=once, restartPolicy="Always"))
    phase(node, "init", "Failed")
    node.ok("apply", "-f", "-", stdin=pod("main", "true", container={"restartPolicy": "Never"}, restartPolicy="Always"))
    phase(node, "main", "Succeeded")
    script = "if [ -e $HOME/ran ]; then exit 0; fi; touch $HOME/ran; exit 1"
    node.ok("apply", "-f", "-", stdin=pod("again", script, container={"restartPolicy": "OnFailure"}))
    phase(node, "again", "Succeeded")
    assert node.json("get", "pod", "again")["status"]["containerStatuses"][0]["restartCount"] == 1
