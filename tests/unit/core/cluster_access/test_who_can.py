from collections.abc import Iterable
from typing import Any

import pytest

from iambridge.core.aws_auth import Bound, Rules, break_glass, load, smells
from iambridge.core.cluster_access import (
    BECOMING_ADMIN,
    NOT_EKS,
    AccessEntry,
    AccessPolicy,
    AuthenticationMode,
    Can,
    EksAccess,
    Principal,
    Step,
    Undetermined,
    is_cluster_admin,
    of_entries,
    other_admins,
    principals,
    shadowed,
    who_can,
)
from iambridge.core.rbac import Attributes, Policy
from iambridge.wire.aws_auth_yaml import read_sections

A = "111122223333"
BOTH, API = AuthenticationMode.API_AND_CONFIG_MAP, AuthenticationMode.API
CONFIG_MAP = f"""
- rolearn: arn:aws:iam::{A}:role/ops
  username: ops
  groups: [ops]
- rolearn: arn:aws:iam::{A}:role/dev
  username: dev:{{{{SessionName}}}}
  groups: [devs]
"""


def aws_auth(text: str = CONFIG_MAP, **sections: str) -> Any:
    return load(read_sections({"mapRoles": text, **sections}))


def policy(*bound: tuple[str, str, str, list[dict[str, Any]]]) -> Policy:
    """(kind, subject, namespace, rules), each with a role and a binding of its own."""
    roles: dict[str, list[dict[str, Any]]] = {"Role": [], "ClusterRole": []}
    bindings: dict[str, list[dict[str, Any]]] = {"Role": [], "ClusterRole": []}
    for number, (kind, subject, namespace, rules) in enumerate(bound):
        sort = "Role" if namespace else "ClusterRole"
        meta = {"name": f"r{number}", **({"namespace": namespace} if namespace else {})}
        roles[sort].append({"metadata": meta, "rules": rules})
        bindings[sort].append(
            {
                "metadata": meta,
                "roleRef": {"kind": sort, "name": f"r{number}"},
                "subjects": [{"kind": kind, "name": subject}],
            }
        )
    return Policy.of(roles["Role"], bindings["Role"], roles["ClusterRole"], bindings["ClusterRole"])


def rule(verb: str, resource: str, group: str = "") -> list[dict[str, Any]]:
    return [{"verbs": [verb], "apiGroups": [group], "resources": [resource]}]


def names(verdicts: Iterable[Can | Undetermined | Principal]) -> list[str]:
    found = [one if isinstance(one, Principal) else one.principal for one in verdicts]
    return [one.name.rpartition("/")[2] for one in found]


PODS = [Step(Attributes("list", "", "pods", namespace="shop"), "")]


def test_an_access_entry_goes_before_the_config_map() -> None:
    """For the same principal in API_AND_CONFIG_MAP, a role with a path too; in API the ConfigMap is not asked."""
    entries = [AccessEntry(f"arn:aws:iam::{A}:role/team/ops", username="entry")]
    assert [(one.name, one.username) for one in principals(aws_auth(), EksAccess(BOTH, entries))] == [
        (f"arn:aws:iam::{A}:role/team/ops", "entry"),
        (f"arn:aws:iam::{A}:role/dev", "dev:{{SessionName}}"),
    ]
    assert names(principals(aws_auth(), EksAccess(API, entries))) == ["ops"]
    assert names(principals(aws_auth(), EksAccess(AuthenticationMode.CONFIG_MAP, entries))) == ["ops", "dev"]
    assert [source.name for source in EksAccess(BOTH, entries).sources(aws_auth())] == ["access entries", "aws-auth"]
    assert [source.name for source in EksAccess(API, entries).sources(aws_auth())] == ["access entries"]


def test_a_policy_and_a_binding_both_grant_and_are_named() -> None:
    entries = [
        AccessEntry(f"arn:aws:iam::{A}:role/viewer", policies=(AccessPolicy("AmazonEKSViewPolicy", ("shop",)),)),
        AccessEntry(f"arn:aws:iam::{A}:role/other", policies=(AccessPolicy("AmazonEKSViewPolicy", ("mall",)),)),
    ]
    found = principals(aws_auth(), EksAccess(BOTH, entries))
    verdicts = list(who_can(found, PODS, policy(("Group", "ops", "shop", rule("list", "pods")))))
    assert names(verdicts) == ["viewer", "ops"]
    assert isinstance(verdicts[0], Can)
    assert isinstance(verdicts[1], Can)
    assert "access policy AmazonEKSViewPolicy in namespaces shop" in verdicts[0].by
    assert 'RoleBinding "r0/shop"' in verdicts[1].by


def test_every_principal_is_named_by_what_it_is_mapped_by() -> None:
    """An ARN, a permission set or a unique id; a refused entry lets nobody in; an account is that of its principals."""
    text = f"""
- {{sso: {{permissionSetName: Admin, accountID: '{A}'}}, username: sso}}
- {{rolearn: 'arn:aws:iam::{A}:role/ops', username: ''}}
- {{rolearn: 'arn:aws:iam::{A}:role/dev', username: dev}}
"""
    assert [(one.name, one.account) for one in principals(aws_auth(text), NOT_EKS)] == [
        (f"permission set Admin in account {A}", A),
        (f"arn:aws:iam::{A}:role/dev", A),
    ]
    sections = read_sections({"mapRoles": "[{userid: AROAEXAMPLE123456789, username: u}]"})
    by_id = load(sections, rules=Rules(by_principal_id=True))
    assert [(one.name, one.account) for one in principals(by_id, NOT_EKS)] == [("AROAEXAMPLE123456789", "")]


def test_access_entries_are_found_by_any_spelling_and_all_is_seen_unless_said() -> None:
    """EKS compares principals, so that neither letter case nor a role's path counts."""
    entry = AccessEntry(f"arn:aws:iam::{A}:role/team/Ops")
    access = EksAccess(API, [entry])
    assert access.find(f"arn:aws:iam::{A}:role/ops") is entry
    assert access.find(f"arn:aws:iam::{A}:user/ops") is None
    assert (access.visible, EksAccess(API, unknown="not given").visible) == (True, False)


def test_a_binding_to_a_role_that_is_in_no_file_leaves_it_open() -> None:
    """Only for whom it is bound to, and only where nothing else settles it."""
    meta = {"name": "b"}
    bindings = [
        {"metadata": meta, "roleRef": {"kind": "ClusterRole", "name": "gone"},
         "subjects": [{"kind": "Group", "name": "ops"}]},
    ]  # fmt: skip
    bound = Policy.of([], [], [], bindings)
    (verdict,) = who_can(principals(aws_auth(), NOT_EKS), PODS, bound, missing_roles={"gone"})
    assert isinstance(verdict, Undetermined)
    assert (names([verdict]), verdict.why) == (["ops"], "role gone is in no file")
    assert list(who_can(principals(aws_auth(), NOT_EKS), PODS, bound)) == []
    assert list(who_can(principals(aws_auth(), NOT_EKS), PODS, bound, missing_roles={"other"})) == []


@pytest.mark.parametrize(
    ("kind", "subject", "binding", "others"),
    [
        ("User", "system:serviceaccount:ci:deployer", "r", ['User "system:serviceaccount:ci:deployer"']),
        ("Group", "system:serviceaccounts:ci", "r", ['Group "system:serviceaccounts:ci"']),
        ("User", "carol", "system:controller:x", []),
        ("User", "carol", "r", ['User "carol"']),
    ],
)
def test_other_admins_by_their_bindings(kind: str, subject: str, binding: str, others: list[str]) -> None:
    """A ServiceAccount is named, a user of Kubernetes' own bindings is not."""
    roles = [{"metadata": {"name": "all"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}]
    bindings = [
        {"metadata": {"name": binding}, "roleRef": {"kind": "ClusterRole", "name": "all"},
         "subjects": [{"kind": kind, "name": subject}]},
        {"metadata": {"name": "weak"}, "roleRef": {"kind": "ClusterRole", "name": "gone"},
         "subjects": [{"kind": "User", "name": "dave"}]},
    ]  # fmt: skip
    found = other_admins(BECOMING_ADMIN, Policy.of([], [], roles, bindings))
    assert [one.principal.name for one in found] == others


def test_a_service_account_has_what_its_groups_are_bound_to() -> None:
    """It is bound to nothing that counts itself, and is in the group of its namespace's ServiceAccounts."""
    everything = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    account = "system:serviceaccount:ci:deployer"
    bound = policy(
        ("User", account, "", rule("list", "pods")), ("Group", "system:serviceaccounts:ci", "", everything),
    )  # fmt: skip
    found = {one.principal.name: one.by for one in other_admins(BECOMING_ADMIN, bound)}
    assert 'to Group "system:serviceaccounts:ci"' in found[f'User "{account}"']


def test_many_of_one_group_have_one_answer() -> None:
    """Principals that share groups and have no binding of their own get the same verdict, by the same binding."""
    text = "\n".join(f"- {{rolearn: 'arn:aws:iam::{A}:role/r{n}', username: u{n}, groups: [g]}}" for n in range(3))
    found = list(who_can(principals(aws_auth(text), NOT_EKS), PODS, policy(("Group", "g", "", rule("list", "pods")))))
    assert names(found) == ["r0", "r1", "r2"]
    assert len({one.by for one in found if isinstance(one, Can)}) == 1


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (AccessEntry(f"arn:aws:iam::{A}:role/x", described=False, policies=None), "could not be read"),
        (AccessEntry(f"arn:aws:iam::{A}:role/x", policies=None), "access policies could not be read"),
        (
            AccessEntry(f"arn:aws:iam::{A}:role/x", policies=(AccessPolicy("AmazonEKSNew"),)),
            "AmazonEKSNew grants is not known",
        ),
    ],
)
def test_what_is_not_visible_is_undetermined(entry: AccessEntry, why: str) -> None:
    """Never denied; and what another right settles is settled."""
    (verdict,) = who_can(principals(None, EksAccess(API, [entry])), PODS, policy())
    assert isinstance(verdict, Undetermined)
    assert why in verdict.why


def test_a_binding_settles_it_though_policies_are_not_visible() -> None:
    entry = AccessEntry(f"arn:aws:iam::{A}:role/x", username="x", policies=None)
    bound = policy(("User", "x", "shop", rule("list", "pods")))
    assert [type(one) for one in who_can(principals(None, EksAccess(API, [entry])), PODS, bound)] == [Can]


def test_without_rbac_only_the_sure_are_told() -> None:
    """system:masters and an access policy are sure; all others are undetermined."""
    text = CONFIG_MAP.replace("[ops]", "[system:masters]")
    verdicts = list(who_can(principals(aws_auth(text), NOT_EKS), PODS, None))
    assert [(names([one]), type(one)) for one in verdicts] == [(["ops"], Can), (["dev"], Undetermined)]


def test_a_template_can_become_a_bound_name() -> None:
    """The caller chooses the session's name, and so which of the bound users he is; a foreign name he cannot be."""
    bound = policy(("User", "dev:alice", "shop", rule("list", "pods")))
    assert names(who_can(principals(aws_auth(), NOT_EKS), PODS, bound)) == ["dev"]
    bound = policy(
        ("User", "prod:alice", "shop", rule("list", "pods")), ("User", "dev:a/b", "shop", rule("list", "pods"))
    )
    assert names(who_can(principals(aws_auth(), NOT_EKS), PODS, bound)) == []


def test_a_mapped_account_is_each_of_its_arns() -> None:
    bound = policy(("User", f"arn:aws:iam::{A}:user/alice", "shop", rule("list", "pods")))
    found = principals(aws_auth("", mapAccounts=f"- '{A}'"), NOT_EKS)
    assert [one.principal.name for one in who_can(found, PODS, bound)] == [f"every principal of account {A}"]
    other = principals(aws_auth("", mapAccounts="- '444455556666'"), NOT_EKS)
    assert list(who_can(other, PODS, bound)) == []


@pytest.mark.parametrize(
    ("namespace", "rules", "becomes"),
    [
        ("", [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], True),
        ("", rule("escalate", "clusterroles", "rbac.authorization.k8s.io"), True),
        ("", rule("bind", "clusterroles", "rbac.authorization.k8s.io"), True),
        ("", rule("impersonate", "groups"), True),
        ("kube-system", rule("impersonate", "serviceaccounts"), True),
        ("kube-system", rule("create", "serviceaccounts/token"), True),
        ("kube-system", rule("create", "secrets"), True),
        ("kube-system", rule("get", "secrets"), True),
        ("kube-system", rule("create", "pods"), True),
        ("kube-system", rule("create", "pods/exec"), True),
        ("kube-system", rule("create", "daemonsets", "apps"), True),
        ("kube-system", rule("patch", "deployments", "apps"), True),
        ("kube-system", rule("patch", "pods/ephemeralcontainers"), True),
        ("", rule("get", "nodes/proxy"), True),
        ("", rule("patch", "mutatingwebhookconfigurations", "admissionregistration.k8s.io"), True),
        ("kube-system", rule("patch", "configmaps"), True),
        ("", rule("create", "nodes/proxy"), True),
        ("shop", rule("create", "pods"), False),
        ("shop", rule("create", "secrets"), False),
        ("kube-system", rule("get", "configmaps"), False),
        ("", rule("list", "pods"), False),
        (
            "kube-system",
            [{"verbs": ["update"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["other"]}],
            False,
        ),
    ],
)
def test_who_can_become_admin(namespace: str, rules: list[dict[str, Any]], *, becomes: bool) -> None:
    """By each of the ways of Kubernetes' good practices, and by nothing less."""
    bound = policy(("Group", "ops", namespace, rules))
    assert names(who_can(principals(aws_auth(), NOT_EKS), BECOMING_ADMIN, bound)) == (["ops"] if becomes else [])
    found = next(iter(principals(aws_auth(), NOT_EKS)))
    assert is_cluster_admin(found, bound) is (rules[0]["verbs"] == ["*"])


def test_break_glass_and_other_authenticators_are_named() -> None:
    """Break-glass ARNs first; subjects of bindings that are no AWS principal's apart; Kubernetes' own left out."""
    everything = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    bound = policy(("User", "carol", "", everything), ("Group", "ops", "", everything))
    found = list(principals(aws_auth(), NOT_EKS, break_glass([f"arn:aws:iam::{A}:user/root-key"])))
    can = [one for one in who_can(found, BECOMING_ADMIN, bound) if isinstance(one, Can)]
    assert [(one.principal.name.rpartition("/")[2], one.principal.where) for one in can] == [
        ("root-key", "--break-glass-arn [0]"),
        ("ops", "mapRoles line 2, [0]"),
    ]
    others = other_admins(BECOMING_ADMIN, bound, [one.principal for one in can])
    assert [one.principal.name for one in others] == ['User "carol"']


def test_lint_says_which_entries_are_not_asked() -> None:
    entries = [AccessEntry(f"arn:aws:iam::{A}:role/team/ops")]
    assert [fault.code for fault in shadowed(aws_auth(), EksAccess(BOTH, entries))] == ["access-entry-first"]
    assert [fault.code for fault in shadowed(aws_auth(), EksAccess(API, entries))] == ["config-map-not-read"]
    assert [fault.code for fault in shadowed(aws_auth(), EksAccess(unknown="why"))] == ["access-entries-unknown"]
    assert list(shadowed(aws_auth(), NOT_EKS)) == []


def test_lint_looks_at_access_entries_too() -> None:
    """Groups that nobody has bound, entries that give nothing; a node's entry and one with a policy are fine."""
    entries = [
        AccessEntry(f"arn:aws:iam::{A}:role/a", username="a", groups=("nobody-bound-it",)),
        AccessEntry(f"arn:aws:iam::{A}:role/b", username="b", policies=(AccessPolicy("AmazonEKSViewPolicy"),)),
        AccessEntry(f"arn:aws:iam::{A}:role/n", "EC2_LINUX", "system:node:{{EC2PrivateDNSName}}", ("system:nodes",)),
        AccessEntry(f"arn:aws:iam::{A}:role/c", username="c", groups=("bound",)),
        AccessEntry(f"arn:aws:iam::{A}:role/d", username="d"),
    ]
    found = of_entries(EksAccess(BOTH, entries), Bound(groups={"bound"}, users=set()))
    assert [(fault.code, fault.cause.rpartition("/")[2][0]) for fault in found] == [
        ("group-unbound", "a"), ("entry-without-rights", "a"), ("entry-without-rights", "d"),
    ]  # fmt: skip


def test_a_binding_that_spells_the_session_otherwise_is_told() -> None:
    """{{SessionName}} writes an @ as -, so that a binding to the address itself names nobody."""
    text = f"- {{rolearn: 'arn:aws:iam::{A}:role/a', username: 'dev:{{{{SessionName}}}}', groups: [bound]}}"
    bound = Bound(groups={"bound"}, users={"dev:me@example.org", "ops:me@example.org", "dev:me-example.org"})
    found = [fault for fault in smells(aws_auth(text), bound=bound) if fault.code == "session-name-at"]
    assert [fault.fix for fault in found] == ["bind dev:me-example.org, or write {{SessionNameRaw}}"]
