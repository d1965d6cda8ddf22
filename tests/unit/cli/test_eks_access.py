"""The toolbox with access entries from files, and no cluster to ask."""

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
    - rolearn: {A}:role/ops
      username: ops
      groups: [system:masters]
"""
POLICY = {
    "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
    "accessScope": {"type": "cluster"},
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "aws-auth.yaml").write_text(AWS_AUTH)
    (tmp_path / "new.yaml").write_text(AWS_AUTH.replace("role/ops", "role/nobody").replace("system:masters", "g"))
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "a.json").write_text(
        json.dumps({"cluster": {"accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"}}})
    )
    (saved / "b.json").write_text(json.dumps({"accessEntries": [f"{A}:role/team/boss"]}))
    entry = {"principalArn": f"{A}:role/team/boss", "username": "boss", "kubernetesGroups": [], "type": "STANDARD"}
    (saved / "c.json").write_text(
        json.dumps({"accessEntry": entry})
        + json.dumps({"principalArn": entry["principalArn"], "associatedAccessPolicies": [POLICY]})
    )
    return tmp_path


def test_a_directory_of_saved_output_is_read(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An admin by access policy is an admin of the plan; without the file the same plan is a lock-out."""
    words = [
        "aws-auth",
        "plan",
        "-f",
        str(directory / "new.yaml"),
        "--current",
        str(directory / "aws-auth.yaml"),
        "--json",
    ]
    assert main(words) == 3
    assert json.loads(capsys.readouterr().out)["outcome"] == "explicitDeny"
    assert main([*words, "--access-entries", str(directory / "saved")]) == 0
    assert json.loads(capsys.readouterr().out)["admins"] == [f"{A}:role/team/boss"]


def test_an_incomplete_file_is_unknown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "saved/b.json").unlink()
    words = [
        "aws-auth",
        "plan",
        "-f",
        str(directory / "new.yaml"),
        "--current",
        str(directory / "aws-auth.yaml"),
        "--access-entries",
        str(directory / "saved"),
    ]
    assert main(words) == 3
    shown = capsys.readouterr()
    assert "UNKNOWN" in shown.out
    assert "unknown: access entries not visible: the output of `aws eks list-access-entries` was not given" in shown.err
    assert "would be locked out" not in shown.out


def test_explain_login_walks_the_files(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who has an entry, who is in the ConfigMap, and who is in neither."""
    files = ["-f", str(directory / "aws-auth.yaml"), "--access-entries", str(directory / "saved")]
    for arn, code, text in (
        ("arn:aws:sts::111122223333:assumed-role/boss/me", 0, "let in as boss"),
        (f"{A}:role/ops", 0, "let in as ops"),
        (f"{A}:role/other", 1, "refused"),
    ):
        assert main(["explain", "login", arn, *files]) == code
        assert text in capsys.readouterr().out


def test_the_mode_may_be_told(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aws-auth", "lint", str(directory / "aws-auth.yaml"), "--json", "--authentication-mode", "API"]) == 0
    assert "config-map-not-read" in [one["code"] for one in json.loads(capsys.readouterr().out)]


def test_bad_files_are_two(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "wrong.json").write_text("{")
    for file in ("wrong.json", "none.json"):
        assert (
            main(["aws-auth", "lint", str(directory / "aws-auth.yaml"), "--access-entries", str(directory / file)]) == 2
        )
    assert "fix:" in capsys.readouterr().err
