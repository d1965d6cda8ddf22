"""`iambridge explain login --kubeconfig` and `whoami` against a whole sandbox: the login that kubectl would do."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iambridge.sandbox.client_environment import client_environment

from .sandbox_process import SandboxProcess

pytestmark = pytest.mark.embedded_only(reason="needs the sandbox's AWS behind the cluster")
BIN = Path(sys.executable).parent
USER = "arn:aws:iam::111122223333:user/alice"


def aws_auth(arn: str, group: str) -> str:
    entry = f"- userarn: {arn}\n  username: alice\n  groups:\n    - {group}\n"
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "aws-auth", "namespace": "kube-system"},
            "data": {"mapUsers": entry},
        }
    )


class World:
    """An administrator, and alice with a kubeconfig that `aws eks update-kubeconfig` wrote."""

    def __init__(self, data_dir: Path) -> None:
        admin = {name: value for name, value in client_environment(data_dir).items() if value is not None}
        self.directory = data_dir.parent
        self.admin = {**admin, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(self.directory)}
        self.run("aws", "iam", "create-user", "--user-name", "alice")
        key = json.loads(
            self.run("aws", "iam", "create-access-key", "--user-name", "alice", "--output", "json").stdout
        )["AccessKey"]
        self.alice = {
            **self.admin,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        self.kubeconfig = str(self.directory / "alice.yaml")
        name = json.loads(self.run("aws", "eks", "list-clusters", "--output", "json").stdout)["clusters"][0]
        self.run("aws", "eks", "update-kubeconfig", "--name", name, "--kubeconfig", self.kubeconfig)

    def run(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words, env=self.admin, input=stdin, capture_output=True, text=True, check=True, timeout=60
        )

    def explain(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "iambridge", *words]
        return subprocess.run(
            command, env={**self.alice, **more}, capture_output=True, text=True, check=False, timeout=60
        )

    def map(self, arn: str, group: str) -> None:
        self.run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=aws_auth(arn, group))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data_dir = tmp_path_factory.mktemp("login") / "sandbox"
    sandbox = SandboxProcess(data_dir)
    try:
        yield World(data_dir)
    finally:
        sandbox.stop()


def test_unauthorized_is_told_apart(world: World, tmp_path: Path) -> None:
    """Who is not mapped cannot read why, but is told who STS says he is; with the ConfigMap he is told the rest."""
    world.map("arn:aws:iam::444455556666:user/alice", "system:masters")
    done = world.explain("explain", "login", "--kubeconfig", world.kubeconfig)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "aws gives a token for https://127.0.0.1" in done.stdout
    assert f"STS says that it is `{USER}`" in done.stdout
    assert "the API server was not read: Unauthorized" in done.stdout
    saved = tmp_path / "aws-auth.yaml"
    saved.write_text(world.run("kubectl", "get", "configmap", "aws-auth", "-n", "kube-system", "-o", "yaml").stdout)
    words = ("explain", "login", "--kubeconfig", world.kubeconfig, "-f", str(saved))
    done = world.explain(*words)
    assert done.returncode == 3
    assert "access entries not visible: eks:DescribeCluster: AccessDeniedException" in done.stdout
    allowed = {"Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    world.run(
        "aws", "iam", "put-user-policy", "--user-name", "alice", "--policy-name", "d", "--policy-document", policy
    )
    done = world.explain(*words)
    assert done.returncode == 1, done.stdout
    assert "other account: 444455556666, the caller is of 111122223333" in done.stdout
    assert f"add `userarn: {USER}`" in done.stdout


def test_a_wrong_key_is_stss_refusal(world: World) -> None:
    done = world.explain("explain", "login", "--kubeconfig", world.kubeconfig, AWS_SECRET_ACCESS_KEY="x" * 40)
    assert done.returncode == 1
    assert "STS says" not in done.stdout
    assert "check the secret key" in done.stdout


def test_who_is_mapped_is_let_in_and_the_binding_is_named(world: World) -> None:
    world.map(USER, "system:masters")
    done = world.explain("explain", "login", "--kubeconfig", world.kubeconfig)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "let in as alice, groups system:masters" in done.stdout
    done = world.explain("whoami", "--kubeconfig", world.kubeconfig, "--json")
    assert (done.returncode, json.loads(done.stdout)["username"]) == (0, "alice")


def test_an_edit_knows_who_makes_it(world: World) -> None:
    """The cluster says whom the authenticator took the editor for, so that he does not lock himself out."""
    world.map(USER, "system:masters")
    done = world.explain("aws-auth", "remove", USER, "--kubeconfig", world.kubeconfig)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"`{USER}` would be locked out" in done.stdout
    new = json.loads(aws_auth("arn:aws:iam::111122223333:user/bob", "system:masters"))
    file = world.directory / "new.yaml"
    file.write_text(json.dumps(new))
    done = world.explain("aws-auth", "apply", "-f", str(file), "--kubeconfig", world.kubeconfig, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["plan"]["outcome"] == "explicitDeny"
    assert not json.loads(done.stdout)["written"]


def test_a_kubeconfig_without_a_plugin_is_unknown(world: World) -> None:
    done = world.explain("explain", "login", "--kubeconfig", world.admin["KUBECONFIG"])
    assert done.returncode == 3
    assert "no authenticator token" in done.stdout or "client certificate" in done.stdout
