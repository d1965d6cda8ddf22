"""`kill -9` of the whole sandbox while pods run: no process is left, and what was to be done gets done."""

import os
import uuid
from pathlib import Path

import pytest

from .conftest import _KUBECTLS, Kubectl
from .plumbing import eventually
from .sandbox_process import SandboxProcess
from .test_workloads import job, pod, running

pytestmark = pytest.mark.embedded_only(reason="needs a kubelet that runs the pods")


def test_a_killed_sandbox_leaves_no_process_and_goes_on_with_its_pods(tmp_path: Path) -> None:
    """No orphan after kill -9; after the next start the Job completes and the pod that never restarts has failed."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    gate = tmp_path / "gate"
    first = SandboxProcess(tmp_path / "data")
    kubectl = Kubectl(_KUBECTLS[-1], first.kubeconfig, tmp_path)
    kubectl.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
    script = f"if [ -e {gate} ]; then echo done; else sleep {marker} & sleep {marker}; fi"
    kubectl.ok("apply", "-f", "-", stdin=job("survivor", script, backoffLimit=3))
    kubectl.ok("apply", "-f", "-", stdin=pod("restarted", script, restartPolicy="OnFailure"))
    kubectl.ok("apply", "-f", "-", stdin=pod("once", script))
    eventually(lambda: len(running(f"sleep\0{marker}")) == 6)
    first.kill()
    eventually(lambda: running(marker) == [])
    gate.touch()
    second = SandboxProcess(tmp_path / "data")
    try:
        kubectl.ok("wait", "--for=condition=complete", "job/survivor", "--timeout=60s")
        kubectl.ok("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/restarted", "--timeout=60s")
        kubectl.ok("wait", "--for=jsonpath={.status.phase}=Failed", "pod/once", "--timeout=60s")
        pods = kubectl.json("get", "pods", "-l", "job-name=survivor")["items"]
        (ended,) = [each["metadata"]["name"] for each in pods if each["status"]["phase"] == "Succeeded"]
        assert kubectl.ok("logs", ended) == "done\n"
    finally:
        second.stop()
    assert running(marker) == []


def test_a_killed_sandbox_goes_on_with_sidecars_users_and_addresses(tmp_path: Path) -> None:
    """A pod of another user with a sidecar: nothing of it outlives kill -9; it runs again, sidecar first, where it was."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    first = SandboxProcess(tmp_path / "data")
    kubectl = Kubectl(_KUBECTLS[-1], first.kubeconfig, tmp_path)
    kubectl.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
    beside = {"name": "beside", "image": "example", "command": ["sleep", marker], "restartPolicy": "Always"}
    security = {"runAsNonRoot": True, "runAsUser": 4321 if os.getuid() == 0 else os.getuid()}
    stays = pod(
        "stays", f"exec sleep {marker}", initContainers=[beside], securityContext=security, restartPolicy="Always"
    )
    kubectl.ok("apply", "-f", "-", stdin=stays)
    kubectl.ok("wait", "--for=condition=ready", "pod/stays", "--timeout=60s")
    before = kubectl.json("get", "pod", "stays")["status"]
    assert len(running(f"sleep\0{marker}")) == 2
    first.kill()
    eventually(lambda: running(marker) == [])
    second = SandboxProcess(tmp_path / "data")
    try:

        def restarts() -> list[int]:
            status = kubectl.json("get", "pod", "stays")["status"]
            return [
                each["restartCount"] for key in ("initContainerStatuses", "containerStatuses") for each in status[key]
            ]

        eventually(lambda: restarts() == [1, 1])
        kubectl.ok("wait", "--for=condition=ready", "pod/stays", "--timeout=60s")
        assert kubectl.json("get", "pod", "stays")["status"]["podIP"] == before["podIP"]
        assert len(running(f"sleep\0{marker}")) == 2
    finally:
        second.stop()
    assert running(marker) == []


def test_init_containers_run_again_as_after_a_reboot(tmp_path: Path) -> None:
    """What had succeeded runs again before the others; under restartPolicy Never one that was killed fails its pod."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    ran = tmp_path / "ran"
    first = SandboxProcess(tmp_path / "data")
    kubectl = Kubectl(_KUBECTLS[-1], first.kubeconfig, tmp_path)
    kubectl.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
    counts = {"name": "counts", "image": "example", "command": ["sh", "-c", f"echo init >> {ran}"]}
    hangs = {"name": "hangs", "image": "example", "command": ["sleep", marker]}
    script = f"echo main >> {ran}; exec sleep {marker}"
    kubectl.ok("apply", "-f", "-", stdin=pod("again", script, initContainers=[counts], restartPolicy="Always"))
    kubectl.ok("apply", "-f", "-", stdin=pod("never", f"echo never >> {ran}", initContainers=[hangs]))
    eventually(lambda: len(running(f"sleep\0{marker}")) == 2)
    kubectl.ok("wait", "--for=condition=ready", "pod/again", "--timeout=60s")
    first.kill()
    eventually(lambda: running(marker) == [])
    second = SandboxProcess(tmp_path / "data")
    try:
        kubectl.ok("wait", "--for=jsonpath={.status.phase}=Failed", "pod/never", "--timeout=60s")
        kubectl.ok("wait", "--for=condition=ready", "pod/again", "--timeout=60s")
        eventually(lambda: ran.read_text().split() == ["init", "main"] * 2)
        (init,) = kubectl.json("get", "pod", "again")["status"]["initContainerStatuses"]
        assert (init["restartCount"], init["state"]["terminated"]["exitCode"]) == (1, 0)
        (ended,) = kubectl.json("get", "pod", "never")["status"]["initContainerStatuses"]
        assert ended["state"]["terminated"]["reason"] == "ContainerStatusUnknown"
    finally:
        second.stop()
    assert running(marker) == []
