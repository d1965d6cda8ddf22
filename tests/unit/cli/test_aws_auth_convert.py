"""`iambridge aws-auth convert` as a person runs it on files."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from iambridge.cli.main import main

A = "arn:aws:iam::111122223333"


def config_map(roles: str = "", users: str = "", accounts: str = "") -> str:
    data = {name: text for name, text in (("mapRoles", roles), ("mapUsers", users), ("mapAccounts", accounts)) if text}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "aws-auth", "namespace": "kube-system"},
            "data": data,
        }
    )


def entry(arn: str, username: str = "u", *groups: str) -> str:
    field = "userarn" if ":user/" in arn else "rolearn"
    return yaml.safe_dump([{field: arn, "username": username, "groups": list(groups)}])


class Convert:
    def __init__(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._path, self._capsys = tmp_path, capsys

    def __call__(self, text: str, to: str, *words: str) -> tuple[int, str, str]:
        file = self._path / "input"
        file.write_text(text)
        cluster = ["--cluster-name", "c"] if to == "access-entries" else []
        code = main(["aws-auth", "convert", str(file), "--to", to, *cluster, *words])
        shown = self._capsys.readouterr()
        return code, shown.out, shown.err

    def json(self, text: str, to: str, *words: str) -> tuple[int, list[tuple[str, str]], Any]:
        code, out, _ = self(text, to, "--json", *words)
        document = json.loads(out)
        return code, [(one["kind"], one["code"]) for one in document["findings"]], document["result"]


@pytest.fixture
def convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Convert:
    return Convert(tmp_path, capsys)


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        (config_map(entry(f"{A}:role/a", "u", "system:masters")), "changed", "masters"),
        (config_map(entry(f"{A}:role/a", "u", "system:monitoring")), "lost", "system-group"),
        (config_map(entry(f"{A}:role/a", "u", "g-{{EC2PrivateDNSName}}")), "lost", "group-template"),
        (config_map(entry(f"{A}:role/a", "system:u")), "lost", "username"),
        (config_map(entry(f"{A}:role/a", "eks:u")), "lost", "username"),
        (config_map(entry(f"{A}:role/a", "u-{{SessionName}}")), "lost", "username"),
        (config_map(entry(f"{A}:role/a", "u:{{AccessKeyID}}")), "lost", "username"),
        (config_map(entry(f"{A}:role/team/a")), "gained", "path-comes-alive"),
        (config_map(entry(f"{A}:role/AWSReservedSSO_Admin_0123456789abcdef")), "changed", "path-wanted"),
        (config_map(entry(f"{A}:role/AWSServiceRoleForX")), "lost", "service-linked-role"),
        (
            config_map(
                entry(f"{A}:role/a", "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers", "system:nodes", "x")
            ),
            "lost",
            "node-group",
        ),
        (config_map(accounts="- '111122223333'"), "lost", "map-accounts"),
        (config_map(entry(f"{A}:role/a") + entry(f"{A}:role/a", "v")), "changed", "duplicate"),
        (
            config_map("- {sso: {permissionSetName: Admin, accountID: '111122223333'}, username: u}"),
            "lost",
            "permission-set",
        ),
        (config_map(users="- {userarn: 'arn:aws:iam::111122223333:root', username: u}"), "lost", "not-a-user-or-role"),
        (config_map(f"- rolearn: {A}:role/a"), "lost", "username-missing"),
        (config_map(f"- {{rolearn: {A}:role/a, username: u, groups: g}}"), "lost", "groups-not-a-list"),
    ],
)
def test_every_loss_to_access_entries_is_told(convert: Convert, text: str, kind: str, code: str) -> None:
    """A loss or gain withholds the new form, with exit code 3, until its code is accepted; a change does not."""
    exit_code, findings, result = convert.json(text, "access-entries")
    assert (kind, code) in findings
    assert exit_code == (0 if kind == "changed" else 3)
    assert (result is None) is (kind != "changed")
    codes = ",".join(code for _, code in findings)
    assert convert.json(text, "access-entries", "--accept", codes)[0] == 0
    shown = convert(text, "access-entries")
    assert f"{kind:8} {code}" in shown[2]
    assert bool(shown[1]) is (kind == "changed")


def test_of_duplicates_the_last_is_kept(convert: Convert) -> None:
    """As aws-auth has it: the other tools that migrate take the first."""
    _, _, result = convert.json(
        config_map(entry(f"{A}:role/a", "first") + entry(f"{A}:role/a", "last")), "access-entries"
    )
    assert [one["createAccessEntry"]["username"] for one in result] == ["last"]


def test_a_node_of_another_account_is_lost(convert: Convert) -> None:
    text = config_map(entry(f"{A}:role/n", "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers", "system:nodes"))
    assert convert.json(text, "access-entries", "--account", "111122223333")[0] == 0
    assert ("lost", "node-of-other-account") in convert.json(text, "access-entries", "--account", "444455556666")[1]


def test_partitions_reach_the_policy(convert: Convert) -> None:
    _, _, result = convert.json(
        config_map(entry("arn:aws-cn:iam::111122223333:role/a", "u", "system:masters")), "access-entries"
    )
    assert (
        result[0]["associateAccessPolicy"][0]["policyArn"]
        == "arn:aws-cn:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    )


def test_the_shell_form_asks_iam_for_a_path_and_quotes(convert: Convert) -> None:
    roles = entry(f"{A}:role/AWSReservedSSO_Admin_0123456789abcdef", "it's:{{SessionName}}", "two words")
    _, out, _ = convert(config_map(roles), "access-entries")
    assert (
        "arn=$(aws iam get-role --role-name AWSReservedSSO_Admin_0123456789abcdef --query Role.Arn --output text)"
        in out
    )
    assert (
        """--principal-arn "$arn" --type STANDARD --username 'it'"'"'s:{{SessionName}}' --kubernetes-groups 'two words'"""
        in out
    )


def test_to_identity_mappings_and_back(convert: Convert) -> None:
    """What both can say survives the round: principals, usernames, groups."""
    text = config_map(
        entry(f"{A}:role/node", "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers", "system:nodes")
        + entry(f"{A}:role/Admin", "admin: yes", "system:masters", "on"),
        entry(f"{A}:user/team/alice", "alice"),
    )
    code, out, _ = convert(text, "identity-mappings")
    assert code == 0
    objects = list(yaml.safe_load_all(out))
    assert {one["kind"] for one in objects} == {"IAMIdentityMapping"}
    assert len({one["metadata"]["name"] for one in objects}) == 3
    code, back, _ = convert(out, "aws-auth")
    assert code == 0
    said, says = (
        [one for section in ("mapRoles", "mapUsers") for one in yaml.safe_load(yaml.safe_load(form)["data"][section])]
        for form in (text, back)
    )
    assert [{**one, "groups": one.get("groups", [])} for one in says] == said


def test_two_objects_for_one_principal_are_a_loss(convert: Convert) -> None:
    text = "\n---\n".join(
        yaml.safe_dump(
            {
                "apiVersion": "iamauthenticator.k8s.aws/v1alpha1",
                "kind": "IAMIdentityMapping",
                "metadata": {"name": name},
                "spec": {"arn": f"{A}:role/a", "username": name},
            }
        )
        for name in ("one", "two")
    )
    code, findings, _ = convert.json(text, "aws-auth")
    assert (code, findings) == (3, [("lost", "duplicate")])


EKS = json.dumps(
    [
        {"accessEntries": [f"{A}:role/team/a", f"{A}:role/n", f"{A}:role/auto"]},
        {"accessEntry": {"principalArn": f"{A}:role/team/a", "username": "a", "kubernetesGroups": ["g"], "type": "STANDARD"}},
        {"accessEntry": {"principalArn": f"{A}:role/n", "username": "system:node:{{EC2PrivateDNSName}}", "type": "EC2_LINUX"}},
        {"accessEntry": {"principalArn": f"{A}:role/auto", "username": "x", "type": "EC2"}},
        {"principalArn": f"{A}:role/team/a", "associatedAccessPolicies": [
            {"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", "accessScope": {"type": "cluster"}},
            {"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "accessScope": {"type": "namespace", "namespaces": ["x"]}},
        ]},
    ]
)  # fmt: skip


def test_access_entries_to_aws_auth(convert: Convert) -> None:
    """Paths go, cluster-admin becomes system:masters, other policies and Auto Mode's entries are lost by name."""
    code, findings, _ = convert.json(EKS, "aws-auth")
    assert code == 3
    assert findings == [("changed", "masters"), ("lost", "policy"), ("lost", "type"), ("changed", "path-left-out")]
    _, _, result = convert.json(EKS, "aws-auth", "--accept", "policy,type")
    roles = yaml.safe_load(result["data"]["mapRoles"])
    assert roles == [
        {"rolearn": f"{A}:role/a", "username": "a", "groups": ["g", "system:masters"]},
        {
            "rolearn": f"{A}:role/n",
            "username": "system:node:{{EC2PrivateDNSName}}",
            "groups": ["system:bootstrappers", "system:nodes"],
        },
    ]
    assert "kubectl create rolebinding -n NAMESPACE NAME --clusterrole=view" in convert(EKS, "aws-auth")[2]


@pytest.mark.parametrize(
    ("text", "to"),
    [
        (config_map(entry(f"{A}:role/a")), "aws-auth"),
        (config_map("- rolearn: ["), "access-entries"),
        ("nonsense", "access-entries"),
        ("{}", "aws-auth"),
        ('{"accessEntry": {"principalArn": "arn:aws:iam::111122223333:role/a"}}', "aws-auth"),
        ("kind: IAMIdentityMapping\nmetadata: {name: x}\nspec: {arn: 1}", "aws-auth"),
        ("kind: IAMIdentityMapping\nmetadata: {name: x}\nspec: {arn: 'arn:aws:s3:::b', username: u}", "aws-auth"),
        ("kind: IAMIdentityMapping\nmetadata: {name: x}", "aws-auth"),
    ],
)
def test_bad_input_is_two(convert: Convert, text: str, to: str) -> None:
    code, out, err = convert(text, to)
    assert (code, out) == (2, "")
    assert "fix:" in err


def test_access_entries_belong_to_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(config_map(entry(f"{A}:role/a")))
    assert main(["aws-auth", "convert", str(tmp_path / "f"), "--to", "access-entries"]) == 2
