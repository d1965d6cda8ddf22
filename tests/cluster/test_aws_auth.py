"""The aws-auth toolbox against an API server: edits with a way back, and who can do what."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Kubectl

pytestmark = pytest.mark.embedded_only(reason="edits who may enter the cluster")

AWS_AUTH = """
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data:
  mapRoles: |
    # the admins
    - rolearn: arn:aws:iam::111122223333:role/admin   # on call
      username: admin
      groups: [system:masters]
    - rolearn: arn:aws:iam::111122223333:role/editor
      username: editor
      groups: [editors]
"""


def iambridge(kubectl: Kubectl, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "iambridge", *words, "--kubeconfig", str(kubectl.kubeconfig)],
        capture_output=True, text=True, check=False, timeout=60, env={"PATH": os.environ["PATH"], "HOME": str(kubectl.home)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def fresh(kubectl: Kubectl) -> None:
    system = kubectl.within("kube-system")
    system.ok("delete", "configmap", "aws-auth", "--ignore-not-found")
    system.ok("create", "-f", "-", stdin=AWS_AUTH)


def test_edits_keep_the_text_refuse_a_lock_out_and_can_be_taken_back(kubectl: Kubectl) -> None:
    """add, remove and restore change their own lines only, and the last admin is not removed by accident."""
    fresh(kubectl)
    before = kubectl.json("get", "configmap", "aws-auth", "-n", "kube-system")["data"]["mapRoles"]
    alice = "arn:aws:iam::111122223333:user/alice"
    assert iambridge(kubectl, "aws-auth", "add", alice, "--username", "alice", "--group", "editors")[0] == 0
    assert (
        "nothing to change"
        in iambridge(kubectl, "aws-auth", "add", alice, "--username", "alice", "--group", "editors")[1]
    )
    assert iambridge(kubectl, "aws-auth", "add", alice, "--username", "other")[0] == 2
    assert iambridge(kubectl, "aws-auth", "remove", "arn:aws:iam::111122223333:role/admin")[0] == 3
    data = kubectl.json("get", "configmap", "aws-auth", "-n", "kube-system")["data"]
    assert data["mapRoles"] == before
    assert "username: alice" in data["mapUsers"]
    assert iambridge(kubectl, "aws-auth", "remove", "arn:aws:iam::111122223333:role/editor")[0] == 0
    assert "# on call" in kubectl.json("get", "configmap", "aws-auth", "-n", "kube-system")["data"]["mapRoles"]
    assert iambridge(kubectl, "aws-auth", "restore")[0] == 0
    assert kubectl.json("get", "configmap", "aws-auth", "-n", "kube-system")["data"] == data


def test_who_can_joins_aws_auth_and_rbac(kubectl: Kubectl, tmp_path: Path) -> None:
    """A principal is named with the entry and the binding by which it can; who may edit aws-auth can become admin."""
    fresh(kubectl)
    kubectl.ok("create", "rolebinding", "editors", "--clusterrole=edit", "--group=editors")
    code, out, _ = iambridge(kubectl, "who-can", "delete", "jobs", "-n", kubectl.namespace, "--json")
    assert code == 0
    assert [found["username"] for found in json.loads(out)] == ["admin", "editor"]
    assert 'RoleBinding "editors' in json.loads(out)[1]["by"]
    code, out, _ = iambridge(kubectl, "who-can", "delete", "jobs", "--json")
    assert [found["username"] for found in json.loads(out)] == ["admin"]
    kubectl.ok("create", "rolebinding", "map-editors", "--clusterrole=edit", "--group=editors", "-n", "kube-system")
    code, out, _ = iambridge(kubectl, "who-can", "--admin", "--json")
    kubectl.ok("delete", "rolebinding", "map-editors", "-n", "kube-system")
    by = {found["username"]: found["by"] for found in json.loads(out) if found["entry"]}
    assert by.keys() == {"admin", "editor"}
    assert by["admin"] == "system:masters: goes past RBAC"
    assert by["editor"].startswith("may impersonate serviceaccounts in kube-system (may act as a controller): RBAC")
    assert 'RoleBinding "map-editors/kube-system" of ClusterRole "edit"' in by["editor"]
    assert [found["principal"] for found in json.loads(out) if not found["entry"]] == []
    assert iambridge(kubectl, "who-can", "get", "nonsense")[0] == 2


def test_break_glass_is_listed(kubectl: Kubectl) -> None:
    """An authenticator's own way in is in no map: its pods say it, or a flag."""
    fresh(kubectl)
    glass, other = "arn:aws:iam::111122223333:role/glass", "arn:aws:iam::111122223333:role/other"
    container = {
        "name": "a",
        "image": "a",
        "args": ["serve", "authenticator", f"--break-glass-arn={glass}", "--break-glass-arn", "nonsense"],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "authenticator"},
        "spec": {"containers": [container]},
    }
    system = kubectl.within("kube-system")
    system.ok("create", "-f", "-", stdin=json.dumps(pod))
    try:
        code, out, _ = iambridge(kubectl, "who-can", "--admin", "--break-glass-arn", other, "--json")
        assert code == 0
        assert [one["principal"] for one in json.loads(out)[:2]] == [glass, other]
        assert "break-glass: authenticator" in iambridge(kubectl, "aws-auth", "lint")[1]
    finally:
        system.ok("delete", "pod", "authenticator", "--force", "--grace-period=0")


def test_a_cluster_that_cannot_be_read_is_unknown(kubectl: Kubectl, tmp_path: Path) -> None:
    """Neither a finding nor a denial: exit code 3, and what to run next."""
    config = json.loads(kubectl.ok("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": "nonsense"}
    (tmp_path / "wrong.yaml").write_text(json.dumps(config))
    wrong = Kubectl(kubectl.program, tmp_path / "wrong.yaml", kubectl.home)
    for words in (("aws-auth", "lint"), ("who-can", "list", "pods"), ("who-can", "--admin")):
        code, _, error = iambridge(wrong, *words)
        assert code == 3, error
        assert "unknown: the cluster could not be read" in error
        assert "iambridge explain login --kubeconfig" in error


def test_an_edit_between_reading_and_writing_is_not_lost(kubectl: Kubectl) -> None:
    """The write carries the resourceVersion that was read: what somebody else wrote meanwhile stays, and the backup."""
    fresh(kubectl)
    assert iambridge(kubectl, "aws-auth", "remove", "arn:aws:iam::111122223333:role/editor")[0] == 0
    backup = kubectl.json("get", "configmap", "aws-auth-backup", "-n", "kube-system")["data"]
    process = subprocess.Popen(
        [sys.executable, "-m", "iambridge", "aws-auth", "apply", "-f", "-", "--kubeconfig", str(kubectl.kubeconfig)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(kubectl.home)},
    )  # fmt: skip
    with process:
        assert process.stdin is not None
        # more than a pipe holds: this returns when the command reads, and it reads after the ConfigMap
        process.stdin.write("# a long comment\n" * 20_000)
        process.stdin.flush()
        patch = json.dumps({"metadata": {"annotations": {"somebody": "else"}}})
        kubectl.within("kube-system").ok("patch", "configmap", "aws-auth", "-p", patch)
        process.stdin.write(AWS_AUTH.replace("username: editor", "username: writer"))
        _, error = process.communicate(timeout=60)
        assert process.returncode == 2, error
    assert "somebody else has edited aws-auth meanwhile" in error
    found = kubectl.json("get", "configmap", "aws-auth", "-n", "kube-system")
    assert found["metadata"]["annotations"] == {"somebody": "else"}
    assert "editor" not in found["data"]["mapRoles"]
    assert kubectl.json("get", "configmap", "aws-auth-backup", "-n", "kube-system")["data"] == backup


def test_admins_by_binding_are_not_counted_where_bindings_cannot_be_seen(kubectl: Kubectl, tmp_path: Path) -> None:
    """Whoever may read the ConfigMap only is told what his plan leaves out, and who-can leaves it open."""
    fresh(kubectl)
    system = kubectl.within("kube-system")
    name = f"reader-{kubectl.namespace}"
    kubectl.ok("create", "serviceaccount", name)
    system.ok("create", "role", name, "--verb=get", "--resource=configmaps")
    system.ok("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={kubectl.namespace}:{name}")
    config = json.loads(kubectl.ok("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": kubectl.ok("create", "token", name).strip()}
    (tmp_path / "reader.yaml").write_text(json.dumps(config))
    (tmp_path / "new.yaml").write_text(AWS_AUTH.replace("editors", "writers"))
    reader = Kubectl(kubectl.program, tmp_path / "reader.yaml", kubectl.home)
    code, _, error = iambridge(reader, "aws-auth", "plan", "-f", str(tmp_path / "new.yaml"))
    assert code == 0
    assert "unknown: roles and bindings may not be listed" in error
    code, out, error = iambridge(reader, "who-can", "delete", "pods.", "--json")
    assert (code, [one["username"] for one in json.loads(out)]) == (0, ["admin"])
    assert "unknown: arn:aws:iam::111122223333:role/editor" in error
    assert iambridge(reader, "who-can", "--admin")[0] == 3
