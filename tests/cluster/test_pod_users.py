"""Which user a pod's process is, on a kubelet that is root and on one that is not."""

import json
import os
import sys
import uuid
from pathlib import Path

import pytest

from .conftest import Kubectl
from .plumbing import eventually
from .sandbox_process import SandboxProcess
from .test_workloads import Object, _main, events, phase, pod, running

pytestmark = [
    pytest.mark.embedded_only(reason="needs a kubelet that runs the pods as processes"),
    pytest.mark.skipif(os.getuid() != 0, reason="only a kubelet that is root can give a pod another user"),
]
HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
EKS = "/var/run/secrets/eks.amazonaws.com/serviceaccount"


def test_a_hardened_pod_is_nobody_and_has_all_it_needs(node: Kubectl) -> None:
    """runAsNonRoot under a root kubelet: an unprivileged user with token, home and CA bundle, and none of root's files."""
    script = (
        "exec 2>&1; id -u; id -g; grep -E 'CapEff|NoNewPrivs' /proc/self/status; head -c 2 " + TOKEN + "; echo;"
        " echo kept > /work-here/file && cat /work-here/file; head -n 1 $AWS_CA_BUNDLE;"
        ' cat "${AWS_CA_BUNDLE%.crt}.key"; touch $HOME/x $TMPDIR/x /tmp/x; echo out > /dev/stdout'
    )
    volumes = [{"name": "here", "emptyDir": {}}]
    container = {"securityContext": HARDENED, "volumeMounts": [{"name": "here", "mountPath": "/work-here"}]}
    made = node.run("apply", "-f", "-", stdin=pod("hardened", script, container=container, volumes=volumes))
    assert made.code == 0
    field = "spec.containers[0].securityContext"
    assert made.error == f"Warning: {field}.seccompProfile: not enforced: pods run as host processes on this node\n"
    phase(node, "hardened", "Succeeded")
    said = node.ok("logs", "hardened").splitlines()
    assert said[:2] == ["65532", "65532"]
    assert int(said[2].split()[1], 16) == 0
    assert said[3].split() == ["NoNewPrivs:", "1"]
    assert said[4:7] == ["ey", "kept", "-----BEGIN CERTIFICATE-----"]
    assert "No such file" in said[7]
    assert [line.rpartition(": ")[2] for line in said[8:-1]] == ["Read-only file system"] * 3
    assert said[-1] == "out"
    assert any("as a host process of user 65532" in each for each in events(node, "ImageIgnored"))


def test_a_user_of_its_own_has_a_home(node: Kubectl) -> None:
    """HOME and TMPDIR are the pod user's to write."""
    script = "echo kept > $HOME/file && echo kept > $TMPDIR/file && cat $HOME/file"
    node.ok("apply", "-f", "-", stdin=pod("home", script, securityContext={"runAsUser": 4321}))
    phase(node, "home", "Succeeded")
    assert node.ok("logs", "home") == "kept\n"


def test_this_python_and_its_packages_run_for_another_user(node: Kubectl) -> None:
    """Wherever root keeps this interpreter, a pod of another user can import what is installed with it, and use TLS."""
    program = "import iambridge, boto3, os; print(os.getuid(), boto3.client('sts').meta.endpoint_url.startswith('https://127'))"
    container = {"command": [sys.executable, "-c", program], "securityContext": {"runAsUser": 4321}}
    node.ok("apply", "-f", "-", stdin=pod("python", "", container=container))
    phase(node, "python", "Succeeded")
    assert node.ok("logs", "python") == "4321 True\n"


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        ({"runAsUser": 4321}, "600 4321 0"),
        ({"runAsUser": 4321, "fsGroup": 4444}, "640 4321 4444"),
        ({"runAsNonRoot": True}, "644 0 0"),
        ({}, "644 0 0"),
    ],
)
def test_a_token_is_readable_by_its_pod_as_on_a_real_node(
    node: Kubectl, security: dict[str, object], expected: str
) -> None:
    """The projected token's mode and owner follow KEP-1205, and the process can read it."""
    source = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "token"}}
    volumes = [{"name": "aws-iam-token", "projected": {"sources": [source]}}, {"name": "scratch", "emptyDir": {}}]
    mounts = [{"name": "aws-iam-token", "mountPath": EKS}, {"name": "scratch", "mountPath": "/scratch"}]
    script = f"stat -L -c '%a %u %g' {EKS}/token; head -c 2 {EKS}/token; touch /scratch/mine && stat -c ' %u %g' /scratch/mine"
    one = pod("reads", script, container={"volumeMounts": mounts}, volumes=volumes, securityContext=security)
    node.ok("apply", "-f", "-", stdin=one)
    phase(node, "reads", "Succeeded")
    mode, rest = node.ok("logs", "reads").splitlines()
    assert mode == expected
    token, user, group = rest.split()
    assert token == "ey"
    assert user == str(security.get("runAsUser", 65532 if security else 0))
    assert group == str(security.get("fsGroup", user))


def test_a_memory_volume_is_shared_by_containers_and_touches_no_disk(node: Kubectl, sandbox: SandboxProcess) -> None:
    """emptyDir of medium Memory: on a memory file system, one for the pod, gone with it; sizeLimit is warned of."""
    volumes = [{"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}]
    mounts = {"volumeMounts": [{"name": "run", "mountPath": "/run/iambridge-test"}]}
    before = [
        {"name": "first", "image": "example", "command": ["sh", "-c", "echo x > /run/iambridge-test/x"], **mounts}
    ]
    script = "cat /run/iambridge-test/x; stat -f -c %T /run/iambridge-test; exec sleep 300"
    one = pod(
        "memory", script, container=mounts, volumes=volumes, initContainers=before, securityContext={"runAsUser": 7}
    )
    made = node.run("apply", "-f", "-", stdin=one)
    assert made.error == "Warning: spec.volumes[0].emptyDir.sizeLimit: not enforced by this node\n"
    eventually(lambda: node.run("logs", "memory", "-c", "main").out == "x\ntmpfs\n")
    uid = node.json("get", "pod", "memory")["metadata"]["uid"]
    assert list(Path("/dev/shm").glob(f"iambridge-*/{uid}/run/x"))
    assert not list((sandbox.data_dir / "pods" / uid / "volumes").glob("run"))
    node.ok("delete", "pod", "memory", "--grace-period=1", "--timeout=60s")
    eventually(lambda: not list(Path("/dev/shm").glob(f"iambridge-*/{uid}")))


def test_a_host_path_is_the_machine_s_own(node: Kubectl, tmp_path: Path) -> None:
    """A hostPath is written through, by whom its owner allows; a wrong type keeps the container waiting with the reason."""
    place = tmp_path / "state"
    volumes: list[Object] = [{"name": "state", "hostPath": {"path": str(place), "type": "DirectoryOrCreate"}}]
    mounts = {"volumeMounts": [{"name": "state", "mountPath": "/var/iambridge-test"}]}
    node.ok(
        "apply", "-f", "-", stdin=pod("host", "echo kept > /var/iambridge-test/x", container=mounts, volumes=volumes)
    )
    phase(node, "host", "Succeeded")
    assert (place / "x").read_text() == "kept\n"
    volumes[0]["hostPath"]["type"] = "File"
    node.ok("apply", "-f", "-", stdin=pod("wrong", "true", container=mounts, volumes=volumes))
    wrong = f"MountVolume.SetUp failed for volume 'state' : hostPath type check failed: {place} is not a file"
    eventually(lambda: wrong in events(node, "FailedMount"))
    assert node.ok("get", "pod", "wrong", "--no-headers").split()[2] == "ContainerCreating"
    unknown = [{"name": "state", "hostPath": {"path": "/x", "type": "Other"}}]
    said = node.fails("apply", "-f", "-", stdin=pod("bad", "true", volumes=unknown))
    assert 'spec.volumes[0].hostPath.type: Unsupported value: "Other"' in said


def test_root_under_a_non_root_policy_waits_with_the_kubelet_s_words(node: Kubectl) -> None:
    """runAsUser 0 with runAsNonRoot never runs: CreateContainerConfigError."""
    security = {"runAsUser": 0, "runAsNonRoot": True}
    node.ok("apply", "-f", "-", stdin=pod("torn", "true", securityContext=security))
    eventually(lambda: "CreateContainerConfigError" in json.dumps(_main(node, "torn")))
    assert "container's runAsUser breaks non-root policy" in _main(node, "torn")["state"]["waiting"]["message"]


def test_another_user_s_processes_end_with_their_pod(node: Kubectl) -> None:
    """Deletion reaches a process that has given up the kubelet's user."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    script = f": {marker}; trap '' TERM; echo up; while :; do sleep 0.1; done"
    node.ok("apply", "-f", "-", stdin=pod("stays", script, securityContext={"runAsUser": 4321}))
    eventually(lambda: node.run("logs", "stays").out == "up\n")
    assert running(marker)
    node.ok("delete", "pod", "stays", "--grace-period=1", "--timeout=60s")
    eventually(lambda: running(marker) == [])
