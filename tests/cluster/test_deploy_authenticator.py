"""`kubectl apply -k deploy/authenticator`, unedited, on a whole sandbox: it reads aws-auth by its own rights, and nothing else."""

import base64
import fcntl
import json
import os
import shutil
import socket
import ssl
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import _KUBECTLS, Kubectl
from .sandbox_process import SandboxProcess
from .webhook_daemons import eventually

DEPLOY = Path(__file__).parents[2] / "deploy/authenticator"
NAME, PORT = "iambridge-authenticator", 21362
STATE, KUBECONFIG = Path("/var/aws-iam-authenticator"), Path("/etc/kubernetes/aws-iam-authenticator")
ACCOUNT = "system:serviceaccount:kube-system:iambridge-authenticator"


def _free() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) != 0


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the manifest's pod is root and keeps its state below /var"),
    pytest.mark.skipif(STATE.exists() or KUBECONFIG.exists(), reason="this machine has an authenticator of its own"),
    pytest.mark.skipif(not _free(), reason="port 21362 is in use"),
    pytest.mark.skipif(
        bool(os.environ.get("IAMBRIDGE_TEST_KUBECONFIG")), reason="installs an authenticator on the nodes"
    ),
]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    directory = tmp_path_factory.mktemp("deployed")
    with (Path(tempfile.gettempdir()) / "iambridge-deploy-authenticator.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the manifest's paths and port are the machine's: one worker at a time
        yield from installed(directory)


def installed(directory: Path) -> Iterator[Kubectl]:
    sandbox = SandboxProcess(directory / "data")
    try:
        found = Kubectl(_KUBECTLS[-1], sandbox.kubeconfig, directory, "kube-system")
        found.ok("label", "nodes", "--all", "--overwrite", "node-role.kubernetes.io/control-plane=")
        found.ok("apply", "-k", str(DEPLOY))
        found.ok("rollout", "status", f"daemonset/{NAME}", "--timeout=90s")
        yield found
    finally:
        sandbox.stop()
        for left in (STATE, KUBECONFIG):
            shutil.rmtree(left, ignore_errors=True)


def asked(path: str, body: dict[str, Any] | None = None) -> str:
    """What the server says to whoever trusts what the generated kubeconfig pins, as kube-apiserver does."""
    cluster = yaml.safe_load((KUBECONFIG / "kubeconfig.yaml").read_text())["clusters"][0]["cluster"]
    tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    url = cluster["server"].removesuffix("/authenticate") + path
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(url, data, context=tls, timeout=60) as answer:
        return str(answer.read().decode())


def test_it_serves_a_kube_apiserver_of_its_node(kubectl: Kubectl) -> None:
    """By the kubeconfig that it wrote to the host, which pins what it serves with."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "k8s-aws-v1.x"}}
    assert json.loads(asked("/authenticate", review))["status"] == {"authenticated": False}
    assert asked("/readyz") == "ok"
    assert (STATE / "ca.key").stat().st_mode & 0o777 == 0o600


def test_it_follows_aws_auth_and_writes_its_faults_as_events(kubectl: Kubectl) -> None:
    """Under the rights of rbac.yaml alone: get, list and watch of one ConfigMap, and the creation of Events."""
    users = "- userarn: arn:aws:iam::111122223333:user/a\n  username: a\n  groups: not-a-list\n"
    patch = json.dumps({"data": {"mapUsers": users}})
    kubectl.run("create", "configmap", "aws-auth")
    kubectl.ok("patch", "configmap", "aws-auth", "--type=merge", "-p", patch)
    eventually(
        "the entry counts", lambda: 'mapping_faults{source="EKSConfigMap",severity="error"} 1' in asked("/metrics")
    )

    def told() -> bool:
        events = kubectl.json("get", "events")["items"]
        return any(event["reason"] == "AwsAuthFault" and "groups is a list" in event["message"] for event in events)

    eventually("the fault is an Event", told)
    copy = json.loads((STATE / "aws-auth.json").read_text())
    assert copy["cluster_uid"] == kubectl.json("get", "namespace", "kube-system")["metadata"]["uid"]
    assert (STATE / "aws-auth.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (("get", "configmap/aws-auth"), True),
        (("watch", "configmap/aws-auth"), True),
        (("update", "configmap/aws-auth"), False),
        (("get", "configmap/kube-root-ca.crt"), False),
        (("list", "configmaps"), False),
        (("create", "events"), True),
        (("get", "secrets"), False),
        (("create", "tokenreviews.authentication.k8s.io"), False),
        (("get", "pods"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_it_may_do_what_it_does_and_no_more(kubectl: Kubectl, words: tuple[str, str], *, allowed: bool) -> None:
    """Each right of the daemon's ServiceAccount, asked of the API server."""
    assert (kubectl.run("auth", "can-i", *words, "--as", ACCOUNT).out.strip() == "yes") is allowed


def test_a_new_pod_takes_up_what_the_old_one_left(kubectl: Kubectl) -> None:
    """State is the host's: a restart keeps the authority, so that no API server need be restarted."""
    authority = (STATE / "ca.crt").read_bytes()
    kubectl.ok("rollout", "restart", f"daemonset/{NAME}")
    kubectl.ok("rollout", "status", f"daemonset/{NAME}", "--timeout=90s")
    assert (STATE / "ca.crt").read_bytes() == authority
    deadline = time.monotonic() + 60
    while True:
        try:
            assert asked("/readyz") == "ok"
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
