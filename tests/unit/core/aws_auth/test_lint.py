"""What is suspicious in a document that can be read."""

import pytest

from iambridge.core.aws_auth import Bound, load, smells
from iambridge.wire.aws_auth_yaml import read_sections

A = "111122223333"
NOBODY = Bound(groups=frozenset(), users=frozenset())


def role(username: str = "u", groups: str = "[]", arn: str = f"arn:aws:iam::{A}:role/a") -> dict[str, str]:
    return {"mapRoles": f"[{{rolearn: '{arn}', username: '{username}', groups: {groups}}}]"}


def codes(sections: dict[str, str], account: str = "", bound: Bound | None = None) -> list[str]:
    found = smells(load(read_sections(sections)), account=account, bound=bound)
    assert all(fault.cause and fault.fix for fault in found)
    return [fault.code for fault in found]


MASTERS = "[system:masters]"
NODES = "[system:bootstrappers, system:nodes]"


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({}, []),
        (role(), ["no-admin"]),
        (role(groups=MASTERS), ["system-masters"]),
        (role("system:node:{{EC2PrivateDNSName}}", NODES), ["no-admin"]),
        (role("system:node:{{EC2PrivateDNSName}}", "[system:nodes]"), ["node-groups", "no-admin"]),
        (role("someone", NODES), ["node-username", "no-admin"]),
        (role("u", "['dev-{{AccountID}}']"), ["template-in-group", "no-admin"]),
        (role("t:{{SessionName}}"), ["no-admin"]),
        (
            {"mapUsers": f"[{{userarn: 'arn:aws:iam::{A}:user/a', username: 't:{{{{SessionName}}}}'}}]"},
            ["nobody-can-use-it", "no-admin"],
        ),
        (
            {"mapUsers": f"[{{userarn: 'arn:aws:iam::{A}:root', username: 't:{{{{SessionName}}}}'}}]"},
            ["nobody-can-use-it", "no-admin"],
        ),
        (
            {"mapUsers": f"[{{userarn: 'arn:aws:iam::{A}:user/a', username: 't:{{{{AccountID}}}}'}}]"},
            ["no-admin"],
        ),
        (role("u", "['<group>']"), ["documentation-placeholder", "no-admin"]),
        (role("<you>", "[]"), ["documentation-placeholder", "no-admin"]),
        ({"mapAccounts": f"['{A}']"}, ["account-mapped"]),
    ],
)
def test_what_one_entry_smells_of(sections: dict[str, str], expected: list[str]) -> None:
    assert codes(sections) == expected


def test_a_principal_of_another_account_is_told_where_the_clusters_is_known() -> None:
    assert codes(role(groups=MASTERS), "444455556666") == ["system-masters", "other-account"]
    assert codes(role(groups=MASTERS), A) == ["system-masters"]


def test_with_bindings_in_sight_an_admin_is_not_looked_for_in_groups() -> None:
    """A binding may make one; but an entry that nothing is bound to may do nothing."""
    assert codes(role(), bound=Bound(groups=frozenset(), users={"u"})) == []
    assert codes(role(), bound=NOBODY) == ["entry-without-rights"]
    assert codes(role(groups="[g]"), bound=NOBODY) == ["group-unbound", "entry-without-rights"]
    assert codes(role(groups="[g]"), bound=Bound(groups={"g"}, users=frozenset())) == []
    assert codes(role("t:{{SessionName}}"), bound=NOBODY) == []


@pytest.mark.parametrize(("roles", "said"), [({"g"}, True), (set(), False)])
def test_a_group_named_as_a_cluster_role_is_told_so(roles: set[str], *, said: bool) -> None:
    """Taking a role's name for a group's is the usual mistake."""
    bound = Bound(groups=frozenset(), users={"u"}, cluster_roles=roles)
    (fault,) = smells(load(read_sections(role(groups="[g]"))), bound=bound)
    assert ("though a ClusterRole `g` exists" in fault.cause) is said


def test_a_template_with_two_placeholders_is_compared_with_no_binding() -> None:
    """Which user it can become is then not told by a prefix and a suffix."""
    bound = Bound(groups=frozenset(), users={f"{A}:me@example.org"})
    assert codes(role("{{AccountID}}:{{SessionName}}"), bound=bound) == []
    assert codes(role(f"{A}:{{{{SessionName}}}}"), bound=bound) == ["session-name-at"]
    assert codes(role("other:{{SessionName}}"), bound=bound) == []
