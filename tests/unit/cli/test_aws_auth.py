"""`iambridge aws-auth lint` and `plan` on files, as a person or a pipeline runs them."""

import io
import json
from pathlib import Path

import pytest

from iambridge.cli.main import main

ADMIN = "arn:aws:iam::111122223333:role/admin"
GOOD = """apiVersion: v1
kind: ConfigMap
metadata:
  name: aws-auth
  namespace: kube-system
data:
  mapRoles: |
    - rolearn: arn:aws:iam::111122223333:role/node
      username: system:node:{{EC2PrivateDNSName}}
      groups: [system:bootstrappers, system:nodes]
    - rolearn: arn:aws:iam::111122223333:role/admin
      username: admin
      groups: [system:masters]
  mapUsers: |
    - userarn: arn:aws:iam::111122223333:user/alice
      username: alice
      groups: [readers]
"""
EXAMPLE = Path(__file__).parents[3] / "examples/aws-auth/aws-auth.yaml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "aws-auth.yaml"
    path.write_text(GOOD)
    return path


def edited(file: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = file.with_name("new.yaml")
    path.write_text(text)
    return path


def findings(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, int]]:
    return [(found["code"], found["line"]) for found in json.loads(capsys.readouterr().out)]


def test_the_example_has_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """What the examples teach is at most worth a warning."""
    assert main(["aws-auth", "lint", str(EXAMPLE)]) == 0
    assert main(["aws-auth", "lint", "--strict", str(EXAMPLE)]) == 1
    assert "system:masters goes past RBAC" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "code", "line"),
    [
        (("username: system:node:{{EC2PrivateDNSName}}", "username: system:node: // do not change"), "yaml", 9),
        (("role/admin", "role/team/admin"), "role-path", 11),
        (("groups: [readers]", "groups: readers"), "groups-not-a-list", 17),
        (("mapUsers:", "mapUser:"), "unknown-section", 0),
        (("system:bootstrappers, ", ""), "node-groups", 8),
        (("name: aws-auth", "name: aws_auth"), "config-map-name", 4),
        (("mapUsers: |", "mapUsers:"), "section-not-a-string", 15),
        (("kind: ConfigMap", "kind: ["), "yaml", 4),
        (("[readers]", "['team-{{AccountID}}']"), "template-in-group", 15),
        (("username: alice", "username: 'team:{{SessionName}}'"), "nobody-can-use-it", 15),
        (("[readers]", "[<readers>]"), "documentation-placeholder", 15),
        (("      username: alice", "\tusername: alice"), "yaml", 16),
        (
            ("role/admin", "role/admin\n      username: a\n    - rolearn: arn:aws:sts::111122223333:assumed-role/x/s"),
            "session-arn",
            13,
        ),
        (
            (
                "    - userarn:",
                "    - userarn: arn:aws:iam::111122223333:user/alice\n      username: b\n    - userarn:",
            ),
            "duplicate-arn",
            15,
        ),
        (("      username: admin\n", ""), "username-missing", 11),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_is_found_on_its_line_of_the_file(
    file: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], code: str, line: int
) -> None:
    """Each fault carries the line of the file that a person must edit."""
    main(["aws-auth", "lint", "--json", str(edited(file, change))])
    assert (code, line) in findings(capsys)


def test_lint_reads_stdin_and_names_other_accounts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe is a file, and principals of another account than the cluster's are worth a warning."""
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD))
    assert main(["aws-auth", "lint", "--json", "--account", "444455556666", "-"]) == 0
    assert [code for code, _ in findings(capsys)].count("other-account") == 3


def test_plan_shows_who_gains_loses_and_changes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The diff is of effective access by principal, nodes apart."""
    new = edited(file, ("user/alice", "user/bob"), ("[readers]", "[writers]"), ("role/node", "role/nodes"))
    assert main(["aws-auth", "plan", "--json", "-f", str(new), "--current", str(file), "--caller", ADMIN]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [change["principal"].rpartition(":")[2] for change in document["gained"]] == ["role/nodes", "user/bob"]
    assert [change["principal"].rpartition(":")[2] for change in document["lost"]] == ["role/node", "user/alice"]
    assert document["nodesAffected"] == ["arn:aws:iam::111122223333:role/node"]
    assert document["admins"] == [ADMIN]


@pytest.mark.parametrize(
    ("changes", "flags", "code"),
    [
        ([("[system:masters]", "[readers]")], [], 3),
        ([("[system:masters]", "[readers]")], ["--force"], 0),
        ([("role/admin", "role/other")], ["--caller", "arn:aws:sts::111122223333:assumed-role/admin/me"], 3),
        ([("role/admin", "role/other")], [], 0),
        ([("user/alice", "user/bob")], ["--caller", ADMIN], 0),
    ],
    ids=["no-admin-left", "forced", "caller-out", "another-admin", "fine"],
)
def test_plan_refuses_a_lock_out(file: Path, changes: list[tuple[str, str]], flags: list[str], code: int) -> None:
    """Exit code 3 when no admin would remain or the caller would be out, unless forced."""
    assert main(["aws-auth", "plan", "-f", str(edited(file, *changes)), "--current", str(file), *flags]) == code


def test_plan_of_a_broken_section_is_what_the_server_would_do(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A section that cannot be read changes nobody's access, and is a fault."""
    new = edited(file, ("username: system:node:{{EC2PrivateDNSName}}", "username: system:node: // do not change"))
    assert main(["aws-auth", "plan", "-f", str(new), "--current", str(file)]) == 1
    shown = capsys.readouterr().out
    assert "nobody's access changes" in shown
    assert "new.yaml:9: error yaml" in shown


def test_bad_input_is_two(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file, no source and a wrong caller are the person's to mend."""
    for words in (
        ["lint"],
        ["lint", str(tmp_path / "none.yaml")],
        ["plan", "-f", str(file)],
        ["plan", "-f", str(file), "--current", str(file), "--caller", "me"],
    ):
        assert main(["aws-auth", *words]) == 2
    assert "fix:" in capsys.readouterr().err


BROKEN = ("username: system:node:{{EC2PrivateDNSName}}", "username: system:node: // do not change")


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (BROKEN, ["role/node", "role/admin"]),
        (("[system:masters]", "system:masters"), []),
        (("role/admin", "role/team/admin"), ["role/admin"]),
    ],
    ids=["a section that is no YAML", "groups that are no list", "a role's path"],
)
def test_plan_for_the_original_is_what_the_original_does(
    file: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], lost: list[str]
) -> None:
    """On EKS there is no last good version: the plan refuses, and the default warns where the two differ."""
    words = ["aws-auth", "plan", "-f", str(edited(file, change)), "--current", str(file), "--json"]
    assert main([*words, "--authenticator", "original"]) == 3
    plan = json.loads(capsys.readouterr().out)
    assert [one["principal"].rpartition(":")[2] for one in plan["lost"]] == lost
    assert plan["outcome"] == "explicitDeny"
    assert main(words) in {0, 1}
    assert "where aws-iam-authenticator or EKS reads it: no admin remains of 1" in capsys.readouterr().err
    assert main([*words, "--authenticator", "iambridge"]) in {0, 1}
    assert "where aws-iam-authenticator" not in capsys.readouterr().err
