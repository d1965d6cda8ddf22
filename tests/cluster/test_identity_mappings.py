"""The authenticator's CRD backend: IAMIdentityMapping objects by kubectl, tokens by IAM users, on a whole sandbox."""

import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port

from iambridge.sandbox.client_environment import client_environment
from iambridge.sandbox.data_dir import read_ports

from .conftest import Kubectl
from .plumbing import eventually
from .sandbox_process import SandboxProcess

pytestmark = pytest.mark.embedded_only(reason="needs the sandbox's STS behind the authenticator")
ROOT = Path(__file__).parents[2]
ROLE = ROOT / "deploy/authenticator/identity-mappings-role.yaml"
MANIFEST = ROOT / "deploy/authenticator/iamidentitymapping.yaml"
RESOURCE = "iamidentitymappings.iamauthenticator.k8s.aws"
ACCOUNT = "111122223333"
JANE = f"arn:aws:iam::{ACCOUNT}:user/jane"


class World:
    """A sandbox, an IAM user, and an authenticator of our own beside the sandbox's."""

    def __init__(self, directory: Path, kubectl: Kubectl, port: int) -> None:
        self.directory, self.kubectl, self.port = directory, kubectl, port
        data_dir = directory / "sandbox"
        own = {name: value for name, value in client_environment(data_dir).items() if value is not None}
        self.environment = {
            **own,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
        }
        self._run("aws", "iam", "create-user", "--user-name", "jane")
        key = json.loads(self._run("aws", "iam", "create-access-key", "--user-name", "jane"))["AccessKey"]
        self.jane = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def _run(self, *words: str, **more: str) -> str:
        done = subprocess.run(
            words, env={**self.environment, **more}, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def login(self) -> tuple[str, list[str]] | None:
        """Who jane is to the authenticator, None when it does not let her in."""
        words = ("iambridge", "token", "--cluster-name", "crossing", "--token-only")
        token = self._run(*words, **self.jane).strip()
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        request = urllib.request.Request(
            f"https://localhost:{self.port}/authenticate",
            data=json.dumps(review).encode(),
            headers={"content-type": "application/json"},
        )
        context = ssl.create_default_context(cafile=str(self.directory / "state/ca.crt"))
        try:
            with urllib.request.urlopen(request, context=context, timeout=60) as answer:
                status = json.load(answer)["status"]
        except urllib.error.HTTPError as error:
            if error.code != 403:
                raise
            return None
        if not status.get("authenticated"):
            return None
        return status["user"]["username"], status["user"].get("groups", [])

    def apply(self, name: str, **spec: Any) -> None:
        self.kubectl.ok("apply", "-f", "-", stdin=mapping(name, **spec))


def mapping(name: str, **spec: Any) -> str:
    return json.dumps(
        {
            "apiVersion": "iamauthenticator.k8s.aws/v1alpha1",
            "kind": "IAMIdentityMapping",
            "metadata": {"name": name},
            "spec": spec,
        }
    )


def least_rights(kubectl: Kubectl, directory: Path) -> Path:
    """The kubeconfig of a ServiceAccount that may do what the deployed role says, and nothing else."""
    kubectl.ok("apply", "-f", str(ROLE))
    kubectl.ok("create", "serviceaccount", "authenticator", "-n", "kube-system")
    role = "iambridge-authenticator-identity-mappings"
    kubectl.ok(
        "create", "clusterrolebinding", "a", f"--clusterrole={role}", "--serviceaccount=kube-system:authenticator"
    )
    token = kubectl.ok("create", "token", "authenticator", "-n", "kube-system").strip()
    config = json.loads(kubectl.ok("config", "view", "--raw", "-o", "json"))
    for user in config["users"]:
        user["user"] = {"token": token}
    path = directory / "authenticator.kubeconfig"
    path.write_text(json.dumps(config))
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:

    directory = tmp_path_factory.mktemp("crossing")
    sandbox = SandboxProcess(directory / "sandbox")
    port = free_port()
    ports = read_ports(directory / "sandbox")
    program = str(Path(sys.executable).with_name("kubectl"))
    kubectl = Kubectl(program if Path(program).exists() else "kubectl", sandbox.kubeconfig, directory)
    own = least_rights(kubectl, directory)
    log = (directory / "authenticator.log").open("w")
    daemon = subprocess.Popen(
        [
            sys.executable, "-m", "iambridge", "serve", "authenticator", "--cluster-id", "crossing",
            "--backend-mode", "CRD", "--feature-gates", "IAMIdentityMappingCRD=true",
            "--kubeconfig", str(own), "--state-dir", str(directory / "state"), "--port", str(port),
            "--sts-endpoint", ports.url("aws"), "--sts-ca-file", client_environment(directory / "sandbox")["AWS_CA_BUNDLE"] or "",
            "--token-cache-ttl", "0s",
        ],
        stdout=subprocess.DEVNULL, stderr=log, env={"PATH": os.environ["PATH"], "HOME": str(directory)},
    )  # fmt: skip
    try:
        eventually(lambda: "is listening" in (directory / "authenticator.log").read_text(), 60)
        yield World(directory, kubectl, port)
    finally:
        daemon.terminate()
        daemon.wait(60)
        log.close()
        sandbox.stop()


def test_objects_decide_who_gets_in(world: World) -> None:
    """Without the kind nobody gets in; an object lets its principal in; a bad edit and a deletion throw him out."""
    kubectl = world.kubectl
    eventually(lambda: "the cluster has no IAMIdentityMapping" in (world.directory / "authenticator.log").read_text())
    assert world.login() is None
    kubectl.ok("apply", "-f", str(MANIFEST))
    kubectl.ok("wait", "--for=condition=Established", f"crd/{RESOURCE}", "--timeout=60s")
    world.apply("jane", arn=JANE, username="jane:{{AccountID}}", groups=["devs"])
    eventually(lambda: world.login() == (f"jane:{ACCOUNT}", ["devs"]))
    eventually(lambda: kubectl.json("get", RESOURCE, "jane").get("status") == {"canonicalARN": JANE})

    world.apply("younger", arn=JANE, username="root", groups=["system:masters"])
    eventually(lambda: "IdentityMappingFault" in kubectl.ok("get", "events", "-n", "default"))
    assert world.login() == (f"jane:{ACCOUNT}", ["devs"])
    said = [
        event for event in kubectl.json("get", "events", "-n", "default")["items"]
        if event["involvedObject"]["name"] == "younger"
    ]  # fmt: skip
    assert "the older IAMIdentityMapping jane, which wins" in said[0]["message"]
    assert said[0]["involvedObject"]["kind"] == "IAMIdentityMapping"
    kubectl.ok("delete", RESOURCE, "younger")

    # an ARN that the schema lets through and that is none
    world.apply("jane", arn=f"arn:aws:iam::{ACCOUNT}:nonsense/jane", username="jane", groups=["system:masters"])
    eventually(lambda: world.login() is None)
    eventually(lambda: "canonicalARN" not in kubectl.json("get", RESOURCE, "jane").get("status", {}))
    assert world.login() is None
    world.apply("jane", arn=JANE, username="jane", groups=["devs", "ops"])
    eventually(lambda: world.login() == ("jane", ["devs", "ops"]))
    kubectl.ok("delete", RESOURCE, "jane")
    eventually(lambda: world.login() is None)


def test_the_schema_refuses_what_nobody_could_mean(world: World) -> None:
    """A wrong type, a missing name and a typo do not get as far as the authenticator."""
    kubectl = world.kubectl
    kubectl.ok("apply", "-f", str(MANIFEST))
    kubectl.ok("wait", "--for=condition=Established", f"crd/{RESOURCE}", "--timeout=60s")
    for spec, words in (
        ({"arn": JANE}, "spec.username: Required value"),
        ({"arn": "jane", "username": "jane"}, "spec.arn: Invalid value"),
        ({"arn": JANE, "username": "jane", "groups": "system:masters"}, "spec.groups: Invalid value"),
        ({"arn": JANE, "username": "jane", "groups": [7]}, "spec.groups[0]: Invalid value"),
        ({"arn": JANE, "username": "jane", "gruops": []}, 'unknown field "spec.gruops"'),
    ):
        assert words in kubectl.fails("create", "-f", "-", stdin=mapping("bad", **spec))
    world.apply("columns", arn=JANE, username="jane", groups=["a", "b"])
    head, row = kubectl.ok("get", RESOURCE, "columns").splitlines()
    assert head.split() == ["NAME", "ARN", "USERNAME", "GROUPS", "AGE"]
    assert row.split()[:4] == ["columns", JANE, "jane", '["a","b"]']
    kubectl.ok("delete", RESOURCE, "columns")


def test_the_end_of_the_kind_is_the_end_of_its_mappings(world: World) -> None:
    """Whoever deletes the definition deletes every mapping."""
    kubectl = world.kubectl
    kubectl.ok("apply", "-f", str(MANIFEST))
    kubectl.ok("wait", "--for=condition=Established", f"crd/{RESOURCE}", "--timeout=60s")
    world.apply("jane", arn=JANE, username="jane", groups=["devs"])
    eventually(lambda: world.login() is not None)
    kubectl.ok("delete", "crd", RESOURCE)
    eventually(lambda: world.login() is None)
