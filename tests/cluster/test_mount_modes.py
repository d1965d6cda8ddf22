"""A pod's volumes in each way that a machine may allow: mount namespaces, bubblewrap, rewriting of paths."""

import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from iambridge.sandbox.client_environment import client_environment
from iambridge.sandbox.cluster.kubelet.mount_mode import BUBBLEWRAP, MountMode
from iambridge.sandbox.data_dir import read_ports

from .conftest import _KUBECTLS, Kubectl, in_new_namespace
from .plumbing import eventually
from .sandbox_process import SandboxProcess
from .test_workloads import Object, _main, events, phase, pod, running

pytestmark = [
    pytest.mark.embedded_only(reason="needs a kubelet that runs the pods as processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces and bubblewrap are Linux's"),
]
_PROGRAM = str(Path(__file__).with_name("sandbox_in_mode.py"))
_ROLE = "arn:aws:iam::111122223333:role/reader"
_EKS = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
_CALL = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


@pytest.fixture(scope="module", params=[mode.value for mode in MountMode])
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    if request.param == MountMode.BUBBLEWRAP and not Path(BUBBLEWRAP).exists():
        pytest.skip(f"no {BUBBLEWRAP}: install Debian's bubblewrap")
    started = SandboxProcess(tmp_path_factory.mktemp("mode") / "data", None, request.param, program=(_PROGRAM,))
    _give_role(started.data_dir)
    yield started
    started.stop()


def _give_role(data_dir: Path) -> None:
    """A role that the ServiceAccount `reader` of any namespace may assume."""
    environment = client_environment(data_dir)
    iam: Any = boto3.client(
        "iam",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        verify=environment["AWS_CA_BUNDLE"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    issuer = read_ports(data_dir).url("issuer")
    provider = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["sts.amazonaws.com"])
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringLike": {f"{issuer.removeprefix('https://')}:sub": "system:serviceaccount:*:reader"}},
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))


@pytest.fixture
def node(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Kubectl]:
    with in_new_namespace(Kubectl(_KUBECTLS[-1], sandbox.kubeconfig, tmp_path)) as tool:
        tool.ok("create", "serviceaccount", "reader")
        tool.ok("annotate", "serviceaccount", "reader", f"eks.amazonaws.com/role-arn={_ROLE}")
        yield tool


def mode(node: Kubectl) -> str:
    (this,) = node.json("get", "nodes")["items"]
    return str(this["metadata"]["annotations"]["iambridge.dev/mount-mode"])


def test_a_pod_holds_the_role_of_its_service_account(node: Kubectl) -> None:
    """IRSA end to end: the webhook injects, the SDK finds the token where its variable says, STS answers."""
    container = {"command": [sys.executable, "-c", _CALL]}
    node.ok("apply", "-f", "-", stdin=pod("irsa", "", container=container, serviceAccountName="reader"))
    phase(node, "irsa", "Succeeded")
    assert node.ok("logs", "irsa").startswith("arn:aws:sts::111122223333:assumed-role/reader/")


def test_in_cluster_configuration_reaches_the_api(node: Kubectl) -> None:
    """A client library that knows the token only by its fixed path works where that path can be given."""
    program = "import kubernetes as k; k.config.load_incluster_config(); print(k.client.VersionApi().get_code().major)"
    node.ok("apply", "-f", "-", stdin=pod("client", "", container={"command": [sys.executable, "-c", program]}))
    wanted = "Failed" if mode(node) == MountMode.REWRITE else "Succeeded"
    phase(node, "client", wanted)
    if wanted == "Failed":
        assert "Service token file does not exist" in node.ok("logs", "client")
        assert any(
            message.startswith("This machine has no mount namespaces") for message in events(node, "MountPathRewritten")
        )
    else:
        assert node.ok("logs", "client") == "1\n"


def test_volumes_are_where_the_pod_says(node: Kubectl) -> None:
    """ConfigMap, Secret and emptyDir, by env, command and args; what the kubelet writes stays read-only in namespaces."""
    node.ok("create", "configmap", "settings", "--from-literal=a=1")
    node.ok("create", "secret", "generic", "keys", "--from-literal=b=2")
    volumes: list[Object] = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "work", "emptyDir": {}},
    ]
    mounts = [
        {"name": "settings", "mountPath": "/etc/settings"},
        {"name": "keys", "mountPath": "/run/keys/b", "subPath": "b"},
        {"name": "work", "mountPath": "/iambridge-work"},
    ]
    script = "cat $SETTINGS /run/keys/b > /iambridge-work/both; cat /iambridge-work/both; echo x > /etc/settings/a"
    container = {"volumeMounts": mounts, "env": [{"name": "SETTINGS", "value": "/etc/settings/a"}]}
    node.ok(
        "apply",
        "-f",
        "-",
        stdin=pod("mounts", f"{{ {script} && echo written; }} 2>&1; true", container=container, volumes=volumes),
    )
    phase(node, "mounts", "Succeeded")
    said = node.ok("logs", "mounts")
    assert said.startswith("12")
    if mode(node) != MountMode.REWRITE:
        assert "Read-only file system" in said
        assert "written" not in said
    assert not Path("/iambridge-work").exists()
    assert not Path("/etc/settings").exists()


def test_signals_and_exit_codes_are_the_process_s_own(node: Kubectl) -> None:
    """SIGTERM reaches the pod's process and not what wraps it; its exit code is the container's; nothing stays."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    done = node.home / "done"
    script = f"trap 'echo bye > {done}; exit 7' TERM; echo up; while :; do sleep 0.1; done; : {marker}"
    node.ok("apply", "-f", "-", stdin=pod("polite", script))
    eventually(lambda: node.run("logs", "polite").out == "up\n")
    assert running(marker)
    node.ok("delete", "pod", "polite", "--grace-period=90", "--timeout=60s")
    assert done.read_text() == "bye\n"
    eventually(lambda: running(marker) == [])
    node.ok("apply", "-f", "-", stdin=pod("code", "exit 7"))
    phase(node, "code", "Failed")
    assert _main(node, "code")["state"]["terminated"]["exitCode"] == 7


def test_a_read_only_root_is_enforced_or_said_not_to_be(node: Kubectl) -> None:
    """Only mount namespaces of our own make the root read-only; in other modes a warning event says that it is not."""
    container = {"securityContext": {"readOnlyRootFilesystem": True}}
    node.ok("apply", "-f", "-", stdin=pod("hard", "touch $HOME/x && echo written; true", container=container))
    phase(node, "hard", "Succeeded")
    enforced = mode(node) == MountMode.NAMESPACE
    assert ("written" in node.ok("logs", "hard")) is not enforced
    assert any("readOnlyRootFilesystem: not enforced" in each for each in events(node, "NotEnforced")) is not enforced


def test_rights_that_a_container_gives_up_are_gone(node: Kubectl) -> None:
    """allowPrivilegeEscalation: false and drop ALL hold in every mode, for root too."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    script = "grep -E 'CapEff|NoNewPrivs' /proc/self/status"
    node.ok("apply", "-f", "-", stdin=pod("weak", script, container={"securityContext": security}))
    phase(node, "weak", "Succeeded")
    assert node.ok("logs", "weak").split() == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"]


@pytest.mark.skipif(os.getuid() != 0, reason="only a kubelet that is root can give a pod another user")
def test_another_user_is_given_or_refused(node: Kubectl) -> None:
    """Without mount namespaces another user could not reach its volumes, so its container does not start."""
    node.ok("apply", "-f", "-", stdin=pod("other", "id -u", securityContext={"runAsUser": 4321}))
    if mode(node) == MountMode.NAMESPACE:
        phase(node, "other", "Succeeded")
        assert node.ok("logs", "other") == "4321\n"
    else:
        eventually(lambda: "CreateContainerConfigError" in json.dumps(_main(node, "other")))
        assert "no mount namespaces for root" in _main(node, "other")["state"]["waiting"]["message"]
