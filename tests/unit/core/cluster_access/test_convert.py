"""What each form of access says, and each finding about what the other cannot."""

from collections.abc import Sequence

import pytest

from iambridge.core.aws_auth import Mappings, Rules, load
from iambridge.core.cluster_access import CLUSTER_ADMIN, AccessEntry, AccessPolicy
from iambridge.core.cluster_access.convert import (
    Converted,
    Finding,
    Kind,
    PlainMapping,
    access_entries,
    of_access_entries,
    plain_mappings,
    without_path,
)
from iambridge.wire.aws_auth_yaml import read_sections

A = "111122223333"
ROLE, USER = f"arn:aws:iam::{A}:role/dev", f"arn:aws:iam::{A}:user/dev"
ADMIN = AccessPolicy(CLUSTER_ADMIN)
NODES = ("system:bootstrappers", "system:nodes")
NODE_NAME = "system:node:{{EC2PrivateDNSName}}"


def told(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind.value, finding.code) for finding in findings]


def aws_auth(rules: Rules | None = None, **sections: str) -> Mappings:
    return load(read_sections(sections), rules=rules or Rules())


def to_entry(username: str, *groups: str, arn: str = ROLE, account: str = "") -> tuple[AccessEntry, list[Finding]]:
    converted = access_entries([PlainMapping(arn, username, groups, "here")], Converted(), account=account)
    (entry,) = converted.entries
    assert {finding.where for finding in converted.findings} <= {"here"}
    return entry, converted.findings


@pytest.mark.parametrize(
    ("sections", "kept", "findings"),
    [
        ({"mapRoles": f"[{{rolearn: '{ROLE}', username: u, groups: [g]}}]"}, ["role/dev"], []),
        ({"mapUsers": f"[{{userarn: ' {USER} ', username: u}}]"}, ["user/dev"], []),
        (
            {"mapRoles": f"[{{rolearn: 'arn:aws:iam::{A}:role/t/dev', username: u}}]"},
            ["role/t/dev"],
            [("gained", "path-comes-alive")],
        ),
        ({"mapUsers": f"[{{userarn: 'arn:aws:iam::{A}:root', username: u}}]"}, [], [("lost", "not-a-user-or-role")]),
        (
            {"mapRoles": f"[{{sso: {{permissionSetName: P, accountID: '{A}'}}, username: u}}]"},
            [],
            [("lost", "permission-set")],
        ),
        ({"mapAccounts": f"['{A}']"}, [], [("lost", "map-accounts")]),
        ({"mapRoles": f"[{{rolearn: '{ROLE}'}}]"}, [], [("lost", "username-missing")]),
        (
            {"mapRoles": f"[{{rolearn: '{ROLE}', username: a}}, {{rolearn: '{ROLE}', username: b}}]"},
            ["role/dev"],
            [("changed", "duplicate")],
        ),
    ],
)
def test_what_of_a_config_map_an_object_can_say(
    sections: dict[str, str], kept: list[str], findings: list[tuple[str, str]]
) -> None:
    """Nothing is left out in silence, and what changes nobody's rights is told apart."""
    found = plain_mappings(aws_auth(None, **sections))
    assert [mapping.arn.removeprefix(f"arn:aws:iam::{A}:") for mapping in found.mappings] == kept
    assert [one for one in told(found.findings) if one != ("lost", "unusable")] == findings
    assert told(found.differing) == [one for one in told(found.findings) if one[0] != "changed"]


def test_an_entry_by_unique_id_alone_names_nobody_in_the_other_form() -> None:
    mappings = aws_auth(Rules(by_principal_id=True), mapRoles="[{userid: AROAEXAMPLE123456789, username: u}]")
    found = plain_mappings(mappings)
    assert found.mappings == []
    assert told(found.findings) == [("lost", "not-a-user-or-role")]


@pytest.mark.parametrize(
    ("username", "groups", "kind", "codes"),
    [
        (NODE_NAME, NODES, "EC2_LINUX", ["node-type"]),
        (NODE_NAME, (*NODES, "eks:kube-proxy-windows"), "EC2_WINDOWS", ["node-type"]),
        ("system:node:{{SessionName}}", (*NODES, "system:node-proxier"), "FARGATE_LINUX", ["node-type"]),
        (NODE_NAME, (*NODES, "b", "a"), "EC2_LINUX", ["node-group", "node-group", "node-type"]),
        (NODE_NAME, NODES[:1], "STANDARD", ["system-group", "username"]),
        ("system:node:{{SessionName}}", NODES, "STANDARD", ["system-group", "system-group", "username"]),
    ],
)
def test_a_node_becomes_an_entry_of_its_type(
    username: str, groups: tuple[str, ...], kind: str, codes: list[str]
) -> None:
    """EKS names such a node itself; a group beside the type's own is lost."""
    entry, findings = to_entry(username, *groups)
    assert (entry.type, entry.username, entry.groups, entry.policies) == (kind, "", (), ())
    assert [finding.code for finding in findings] == codes


@pytest.mark.parametrize(("account", "codes"), [("", []), (A, []), ("444455556666", ["node-of-other-account"])])
def test_a_node_of_another_account_is_lost(account: str, codes: list[str]) -> None:
    _, findings = to_entry(NODE_NAME, *NODES, account=account)
    assert [finding.code for finding in findings if finding.kind is Kind.LOST] == codes


def test_a_user_is_no_node() -> None:
    """EKS takes only roles for entries of a node's type, so that a user's mapping is an ordinary one, and loses."""
    entry, findings = to_entry(NODE_NAME, *NODES, "g", arn=USER)
    assert (entry.type, entry.username, entry.groups) == ("STANDARD", "", ("g",))
    assert told(findings) == [("lost", "system-group"), ("lost", "system-group"), ("lost", "username")]


@pytest.mark.parametrize(
    ("group", "groups", "policies", "findings"),
    [
        ("g", ("g",), (), []),
        ("g-{{AccountID}}", (f"g-{A}",), (), []),
        ("system:masters", (), (ADMIN,), [("changed", "masters")]),
        ("system:nodes", (), (), [("lost", "system-group")]),
        ("g-{{SessionName}}", (), (), [("lost", "group-template")]),
    ],
)
def test_groups_of_an_entry(
    group: str, groups: tuple[str, ...], policies: tuple[AccessPolicy, ...], findings: list[tuple[str, str]]
) -> None:
    entry, found = to_entry("u", group)
    assert (entry.groups, entry.policies, told(found)) == (groups, policies, findings)


@pytest.mark.parametrize(
    ("username", "arn", "kept", "why"),
    [
        ("u", ROLE, "u", ""),
        ("u-{{AccountID}}", USER, f"u-{A}", ""),
        ("t:{{SessionName}}", ROLE, "t:{{SessionName}}", ""),
        ("{{SessionName}}", ROLE, "", "a colon must stand before"),
        ("{{SessionName}}:t", ROLE, "", "a colon must stand before"),
        ("t:{{SessionName}}", USER, "", "a user has no session name"),
        ("t:{{AccessKeyID}}", ROLE, "", "{{AccessKeyID}} is no placeholder of access entries"),
        ("iam:u", ROLE, "", "may not begin with iam:"),
    ],
)
def test_usernames_of_an_entry(username: str, arn: str, kept: str, why: str) -> None:
    """One that EKS would refuse is left out, for EKS to make up its own, and that is a loss with its reason."""
    entry, findings = to_entry(username, arn=arn)
    assert entry.username == kept
    assert told(findings) == ([("lost", "username")] if why else [])
    assert all(why in finding.text for finding in findings)


def test_service_linked_roles_have_no_entry_and_permission_sets_want_their_path() -> None:
    base = f"arn:aws:iam::{A}:role"
    arns = [f"{base}/AWSServiceRoleForX", f"{base}/aws-service-role/x/y", f"{base}/AWSReservedSSO_P_0a", ROLE]
    found = access_entries([PlainMapping(arn, "u", (), arn) for arn in arns], Converted())
    assert [entry.principal_arn for entry in found.entries] == arns[2:]
    assert [(finding.code, finding.where) for finding in found.findings] == [
        ("service-linked-role", arns[0]), ("service-linked-role", arns[1]), ("path-wanted", arns[2]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "username", "groups"),
    [
        ("EC2_LINUX", NODE_NAME, NODES),
        ("EC2_WINDOWS", NODE_NAME, ("eks:kube-proxy-windows", *NODES)),
        ("FARGATE_LINUX", "system:node:{{SessionName}}", (NODES[0], "system:node-proxier", NODES[1])),
        ("HYBRID_LINUX", "system:node:{{SessionName}}", NODES),
    ],
)
def test_a_nodes_entry_comes_back_as_the_mapping_that_eks_documents(
    kind: str, username: str, groups: tuple[str, ...]
) -> None:
    found = of_access_entries([AccessEntry(ROLE, kind)])
    assert found.mappings == [PlainMapping(ROLE, username, groups, "access-entries [0]")]
    assert found.findings == []


@pytest.mark.parametrize(
    ("entry", "groups", "findings", "fix"),
    [
        (AccessEntry(ROLE, username="u", groups=("g",)), ("g",), [], ""),
        (AccessEntry(ROLE, username="u", policies=(ADMIN,)), ("system:masters",), [("changed", "masters")], ""),
        (AccessEntry(ROLE, username="u", policies=None), (), [("lost", "policies-not-visible")], ""),
        (AccessEntry(ROLE, "EC2"), None, [("lost", "type")], ""),
        (AccessEntry(ROLE, described=False), None, [("lost", "not-described")], ""),
        (
            AccessEntry(ROLE, username="u", policies=(AccessPolicy("AmazonEKSEditPolicy", ("shop",)),)),
            (),
            [("lost", "policy")],
            "kubectl create rolebinding -n NAMESPACE NAME --clusterrole=edit --group=GROUP",
        ),
        (
            AccessEntry(ROLE, username="u", policies=(AccessPolicy("AmazonEKSViewPolicy"),)),
            (),
            [("lost", "policy")],
            "kubectl create clusterrolebinding NAME --clusterrole=view --group=GROUP",
        ),
        (
            AccessEntry(ROLE, username="u", policies=(AccessPolicy(CLUSTER_ADMIN, ("shop",)),)),
            (),
            [("lost", "policy")],
            "write a ClusterRole with its rules, and bind it to a group of dev",
        ),
    ],
)
def test_what_of_an_access_entry_aws_auth_can_say(
    entry: AccessEntry, groups: tuple[str, ...] | None, findings: list[tuple[str, str]], fix: str
) -> None:
    """Admin in one namespace is not system:masters; and each policy that is lost says which binding stands for it."""
    found = of_access_entries([entry])
    assert [one.groups for one in found.mappings] == ([] if groups is None else [groups])
    assert told(found.findings) == findings
    assert all(finding.fix.startswith(fix) for finding in found.findings)


def test_paths_are_left_out_and_two_roles_of_one_name_are_told() -> None:
    """aws-auth compares sessions, which show no path; a user's ARN keeps his."""
    found = Converted()
    arns = [f"arn:aws:iam::{A}:role/a/dev", f"arn:aws:iam::{A}:role/b/dev", f"arn:aws:iam::{A}:user/c/dev"]
    plain = list(without_path([PlainMapping(arn, "u", (), arn) for arn in arns], found))
    assert [mapping.arn for mapping in plain] == [ROLE, ROLE, arns[2]]
    assert [(finding.kind.value, finding.code, finding.where) for finding in found.findings] == [
        ("changed", "path-left-out", arns[0]), ("changed", "path-left-out", arns[1]), ("lost", "duplicate", arns[1]),
    ]  # fmt: skip
