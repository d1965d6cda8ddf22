"""The toolbox on a cluster whose callers EKS knows, too: read live with our own signature, or from the CLI's files."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .conftest import _KUBECTLS as KUBECTLS
from .conftest import Kubectl, in_new_namespace
from .eks_server import EksServer, Entry

pytestmark = pytest.mark.embedded_only(reason="edits who may enter the cluster")

A = "arn:aws:iam::111122223333"
AWS_AUTH = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: aws-auth, namespace: kube-system}}
data:
  mapRoles: |
    - rolearn: {A}:role/ops
      username: ops-by-map
      groups: [system:masters]
    - rolearn: {A}:role/dev
      username: dev
      groups: [devs]
"""
ENTRIES = {
    f"{A}:role/team/ops": Entry("ops-by-entry", ["ops"]),
    f"{A}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Viewer_0123456789abcdef": Entry(
        "viewer", [], {"AmazonEKSViewPolicy": ["shop"]}
    ),
    f"{A}:user/boss": Entry("boss", [], {"AmazonEKSClusterAdminPolicy": []}),
    f"{A}:role/node": Entry("system:node:{{EC2PrivateDNSName}}", ["system:nodes"], type="EC2_LINUX"),
}
NEW = AWS_AUTH.replace("role/ops", "role/nobody")


class Toolbox:
    """Runs iambridge as a person does whose kubeconfig `aws eks update-kubeconfig` wrote."""

    def __init__(self, kubectl: Kubectl, eks: EksServer, directory: Path) -> None:
        self.eks, self.directory = eks, directory
        config = yaml.safe_load(kubectl.kubeconfig.read_text())
        arn = "arn:aws:eks:eu-west-1:111122223333:cluster/demo"
        config["clusters"][0]["name"] = config["contexts"][0]["context"]["cluster"] = arn
        self.kubeconfig = directory / "eks.yaml"
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), **self.eks.environment}
        return subprocess.run(
            [sys.executable, "-m", "iambridge", *words, "--kubeconfig", str(self.kubeconfig)],
            capture_output=True, text=True, check=False, timeout=60, env=environment,
        )  # fmt: skip

    def file(self, text: str) -> str:
        path = self.directory / "aws-auth.yaml"
        path.write_text(text)
        return str(path)


@pytest.fixture
def kubectl(kubeconfig: Path, tmp_path: Path) -> Iterator[Kubectl]:
    """One kubectl is enough where it is not what is tested."""
    with in_new_namespace(Kubectl(KUBECTLS[0], kubeconfig, tmp_path)) as tool:
        yield tool


@pytest.fixture
def eks(tmp_path: Path) -> Iterator[EksServer]:
    server = EksServer(tmp_path / "eks-pki", "API_AND_CONFIG_MAP", ENTRIES)
    yield server
    server.stop()


@pytest.fixture
def toolbox(kubectl: Kubectl, eks: EksServer, tmp_path: Path) -> Toolbox:
    system = kubectl.within("kube-system")
    system.ok("delete", "configmap", "aws-auth", "--ignore-not-found")
    system.ok("create", "-f", "-", stdin=AWS_AUTH)
    return Toolbox(kubectl, eks, tmp_path)


def principals(done: "subprocess.CompletedProcess[str]") -> list[tuple[str, str]]:
    return [
        (one["principal"].rpartition("/")[2].partition("_0")[0], one["username"])
        for one in json.loads(done.stdout)
        if one["entry"]
    ]


def test_entries_policies_map_and_bindings_are_joined(toolbox: Toolbox) -> None:
    """An entry goes before the ConfigMap's for the same role, though its ARN has a path; a policy reaches its scope."""
    done = toolbox.run("who-can", "list", "pods", "-n", "shop", "--json")
    assert done.returncode == 0, done.stderr
    assert principals(done) == [("AWSReservedSSO_Viewer", "viewer"), ("boss", "boss")]
    assert principals(toolbox.run("who-can", "list", "pods", "-n", "mall", "--json")) == [("boss", "boss")]
    admin = toolbox.run("who-can", "--admin", "--json")
    assert principals(admin) == [("boss", "boss")]
    assert "access policy AmazonEKSClusterAdminPolicy" in json.loads(admin.stdout)[0]["by"]
    assert "not visible: client certificates" in admin.stderr


def test_plan_counts_admins_by_entry(toolbox: Toolbox) -> None:
    """The ConfigMap's last admin may go while an access policy keeps one, and a role with an entry loses nothing."""
    done = toolbox.run("aws-auth", "plan", "-f", toolbox.file(NEW), "--caller", f"{A}:role/ops", "--json")
    plan = json.loads(done.stdout)
    assert (done.returncode, plan["outcome"]) == (0, "allowed"), done.stderr
    assert plan["covered"] == [f"{A}:role/ops"]
    assert f"{A}:user/boss" in plan["admins"]
    assert plan["accessEntries"]["visible"]


@pytest.mark.parametrize("operation", ["DescribeCluster", "ListAccessEntries", "DescribeAccessEntry"])
def test_what_cannot_be_read_is_unknown(toolbox: Toolbox, operation: str) -> None:
    """Never denied, never locked out: the exit code is 3, and the missing permission is named."""
    toolbox.eks.denied = {operation}
    new = toolbox.file(AWS_AUTH.replace("[system:masters]", "[]"))
    done = toolbox.run("aws-auth", "plan", "-f", new, "--json")
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (3, "unknown"), done.stdout
    for words, code in (
        (("aws-auth", "remove", f"{A}:role/ops"), 3),
        (("explain", "login", f"{A}:user/outsider"), 3),
        (("who-can", "create", "nodes"), 0),
        (("who-can", "--admin"), 3),
        (("aws-auth", "lint"), 0),
    ):
        done = toolbox.run(*words)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        shown = done.stdout + done.stderr
        assert "access entries not visible" in shown, words
        assert f"eks:{operation}: AccessDeniedException" in shown
        assert "locked out" not in shown
    assert toolbox.run("aws-auth", "plan", "-f", new, "--force").returncode == 0


def test_policies_that_cannot_be_read_leave_their_entry_open(toolbox: Toolbox) -> None:
    toolbox.eks.denied = {"ListAssociatedAccessPolicies"}
    assert toolbox.run("who-can", "--admin").returncode == 3


def test_explain_walks_through_the_entry(toolbox: Toolbox) -> None:
    session = "arn:aws:sts::111122223333:assumed-role/ops/me"
    done = toolbox.run("explain", "login", session)
    assert "let in as ops-by-entry, groups ops" in done.stdout
    viewer = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Viewer_0123456789abcdef/me@example.org"
    done = toolbox.run("explain", "login", viewer)
    assert done.returncode == 0
    assert "access policy AmazonEKSViewPolicy in namespaces shop" in done.stdout
    assert "no binding names" not in done.stdout


def test_mode_api_does_not_read_the_config_map(toolbox: Toolbox) -> None:
    """Lint says that nothing of it is asked, a plan changes nobody, and who is only in it is refused."""
    toolbox.eks.mode = "API"
    assert "authenticationMode is API" in toolbox.run("aws-auth", "lint").stdout
    assert "does not read the ConfigMap" in toolbox.run("aws-auth", "plan", "-f", toolbox.file(NEW)).stdout
    done = toolbox.run("explain", "login", f"{A}:role/dev")
    assert done.returncode == 1
    assert "aws eks create-access-entry" in done.stdout


def test_mode_config_map_asks_for_no_entries(toolbox: Toolbox) -> None:
    toolbox.eks.mode = "CONFIG_MAP"
    assert principals(toolbox.run("who-can", "--admin", "--json")) == [("ops", "ops-by-map")]
    assert toolbox.eks.operations == ["DescribeCluster"]


def test_throttling_is_waited_for(toolbox: Toolbox) -> None:
    toolbox.eks.throttled = 3
    assert toolbox.run("who-can", "list", "pods", "-n", "shop").returncode == 0


def test_the_clis_files_say_the_same(toolbox: Toolbox) -> None:
    """What `aws eks` prints of this server, appended to one file, gives the live answer without asking again."""
    saved = toolbox.directory / "saved.json"
    aws = [str(Path(sys.executable).with_name("aws")), "eks", "--output", "json"]
    commands = [["describe-cluster", "--name", "demo"], ["list-access-entries", "--cluster-name", "demo"]]
    for arn in toolbox.eks.entries:
        named = ["--cluster-name", "demo", "--principal-arn", arn]
        commands += [["describe-access-entry", *named], ["list-associated-access-policies", *named]]
    with saved.open("w") as stream:
        for command in commands:
            environment = {**toolbox.eks.environment, "PATH": os.environ["PATH"], "HOME": str(toolbox.directory)}
            subprocess.run([*aws, *command], env=environment, stdout=stream, check=True, timeout=60)
    live = toolbox.run("who-can", "list", "pods", "-n", "shop", "--json")
    toolbox.eks.operations.clear()
    filed = toolbox.run("who-can", "list", "pods", "-n", "shop", "--json", "--access-entries", str(saved))
    assert (filed.returncode, filed.stdout) == (live.returncode, live.stdout)
    assert toolbox.eks.operations == []


def test_a_migration_leaves_everybody_what_he_had(toolbox: Toolbox, kubectl: Kubectl) -> None:
    """aws-auth made access entries by the AWS CLI, from the shell lines of convert: who can what stays the same."""
    text = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: aws-auth, namespace: kube-system}}
data:
  mapRoles: |
    - rolearn: {A}:role/ops
      username: ops
      groups: [system:masters]
    - rolearn: {A}:role/dev
      username: "dev:{{{{SessionName}}}}"
      groups: [devs, "it's {{{{AccountID}}}}"]
    - rolearn: {A}:role/node
      username: system:node:{{{{EC2PrivateDNSName}}}}
      groups: [system:bootstrappers, system:nodes]
  mapUsers: |
    - userarn: {A}:user/team/alice
      username: alice
"""
    kubectl.ok("create", "rolebinding", "devs", "--clusterrole=edit", "--group=devs")
    kubectl.ok("create", "rolebinding", "alice", "--clusterrole=view", "--user=alice")
    kubectl.ok("create", "rolebinding", "bob", "--clusterrole=admin", "--user=dev:bob")
    kubectl.within("kube-system").ok("apply", "-f", "-", stdin=text)
    toolbox.eks.entries.clear()
    asked = [("list", "pods"), ("create", "pods"), ("create", "rolebindings"), ("delete", "nodes")]

    def everybody() -> list[list[tuple[str, str]]]:
        words = [("who-can", verb, resource, "-n", kubectl.namespace, "--json") for verb, resource in asked]
        return [sorted(principals(toolbox.run(*one))) for one in words]

    toolbox.eks.mode = "CONFIG_MAP"
    before = everybody()
    words = ["aws-auth", "convert", toolbox.file(text), "--to", "access-entries", "--cluster-name", "demo"]
    script = subprocess.run(
        [sys.executable, "-m", "iambridge", *words], capture_output=True, text=True, check=True, timeout=60
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**toolbox.eks.environment, "PATH": path, "HOME": str(toolbox.directory)}
    done = subprocess.run(
        ["sh"], input=script.stdout, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    toolbox.eks.mode = "API"
    assert everybody() == before
    assert [len(found) for found in before] == [3, 2, 2, 1]
    assert toolbox.eks.entries[f"{A}:role/dev"].groups == ["devs", "it's 111122223333"]
    assert toolbox.eks.entries[f"{A}:role/node"].type == "EC2_LINUX"


def test_eks_reads_the_config_map_as_the_original(toolbox: Toolbox) -> None:
    """A section that is no YAML would throw out everybody of it, and a role's path matches nobody: the plan knows."""
    toolbox.eks.entries.clear()
    broken = toolbox.file(AWS_AUTH.replace("username: dev", "username: dev: // do not change"))
    done = toolbox.run("aws-auth", "plan", "-f", broken, "--json")
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (3, "explicitDeny")
    assert len(json.loads(done.stdout)["lost"]) == 2
    toolbox.eks.platform = ""
    assert toolbox.run("aws-auth", "plan", "-f", broken).returncode == 1
