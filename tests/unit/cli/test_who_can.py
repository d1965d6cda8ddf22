"""`iambridge who-can` on saved files, without a cluster."""

import json
from pathlib import Path

import pytest

from iambridge.cli.main import main

A = "arn:aws:iam::111122223333"
AWS_AUTH = f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: aws-auth, namespace: kube-system}}
data:
  mapRoles: |
    - {{rolearn: '{A}:role/ops', username: ops, groups: [ops]}}
    - {{rolearn: '{A}:role/dev', username: dev, groups: [devs]}}
    - {{rolearn: '{A}:role/odd', username: odd, groups: [odd]}}
"""
RBAC = """apiVersion: v1
kind: List
items:
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRoleBinding
  metadata: {name: ops}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
  subjects: [{kind: Group, name: ops}]
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  metadata: {name: devs, namespace: shop}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
  subjects: [{kind: Group, name: devs}]
"""
ODD = """---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: odd}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: of-a-chart}
subjects: [{kind: Group, name: odd}]
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "aws-auth.yaml").write_text(AWS_AUTH)
    (tmp_path / "rbac.yaml").write_text(RBAC)
    return ["-f", str(tmp_path / "aws-auth.yaml"), "-f", str(tmp_path / "rbac.yaml"), "--json"]


def able(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [one["username"] for one in json.loads(capsys.readouterr().out)]


def test_kubernetes_own_roles_are_known(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """edit and cluster-admin need no file: manifests do not hold them, and edit is what it aggregates."""
    assert main(["who-can", "create", "deployments", "-n", "shop", *words]) == 0
    assert able(capsys) == ["ops", "dev"]
    assert main(["who-can", "create", "deployments", "-n", "mall", *words]) == 0
    assert able(capsys) == ["ops"]
    assert main(["who-can", "--admin", *words]) == 0
    assert "ops" in able(capsys)
    assert (
        main(["who-can", "fly", "pods", "-n", "shop", *words[:-1]]) == 0
    )  # cluster-admin may do what is not there yet


def test_a_role_that_is_in_no_file_is_unknown(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is bound to it may be able: that is not nobody."""
    (tmp_path / "rbac.yaml").write_text(ODD)
    assert main(["who-can", "list", "pods", "-n", "shop", *words]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out) == []
    assert f"unknown: {A}:role/odd" in shown.err
    assert "role of-a-chart is in no file" in shown.err


@pytest.mark.parametrize(
    ("replaced", "asked"),
    [
        ({"aws-auth.yaml": "kind: ConfigMap\nmetadata: {name: other}"}, ["list", "pods"]),
        ({"aws-auth.yaml": "- nonsense"}, ["list", "pods"]),
        ({"rbac.yaml": "kind: ["}, ["list", "pods"]),
        ({"rbac.yaml": "kind: RoleBinding\nmetadata: {name: x}"}, ["list", "pods"]),
        ({}, ["list", "widgets"]),
        ({}, ["list", "pods", "--kubeconfig", "k"]),
    ],
)
def test_bad_input_is_two(
    words: list[str], tmp_path: Path, replaced: dict[str, str], asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in replaced.items():
        (tmp_path / name).write_text(text)
    assert main(["who-can", *asked, *words]) == 2
    assert "fix:" in capsys.readouterr().err


def test_lint_and_plan_take_bindings_from_files(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An admin by a saved binding is one whom the last edit must not throw out; an unbound group is told."""
    aws_auth, rbac = words[1], words[3]
    assert main(["aws-auth", "lint", aws_auth, "--rbac", rbac, "--json"]) == 0
    found = [(one["code"], one["line"]) for one in json.loads(capsys.readouterr().out)]
    assert ("group-unbound", 8) in found
    assert ("group-unbound", 6) not in found
    (tmp_path / "new.yaml").write_text(AWS_AUTH.replace("groups: [ops]", "groups: []"))
    change = ["aws-auth", "plan", "-f", str(tmp_path / "new.yaml"), "--current", aws_auth]
    assert main(change) == 0
    assert main([*change, "--rbac", rbac]) == 3


def test_explain_login_names_the_saved_binding(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "login", f"{A}:role/dev", *words[:4]]) == 0
    assert "bindings name devs" in capsys.readouterr().out
