"""What an edit of aws-auth changes for whom, and when it is a lockout."""

from typing import Any

import pytest

from iambridge.core.aws_auth import Mappings, load
from iambridge.core.aws_auth.plan import Beside, plan
from iambridge.core.decision import Outcome
from iambridge.wire.aws_auth_yaml import read_sections

A = "111122223333"
OPS, DEV, NODE = (f"arn:aws:iam::{A}:role/{name}" for name in ("ops", "dev", "node"))
ADMINS = "[system:masters]"


def line(arn: str, username: str = "u", groups: str = "[]") -> str:
    return f"- {{rolearn: '{arn}', username: '{username}', groups: {groups}}}\n"


def edit(before: str, after: str, accounts: tuple[str, str] = ("[]", "[]")) -> tuple[Mappings, Mappings]:
    old = load(read_sections({"mapRoles": before, "mapAccounts": accounts[0]}))
    return old, load(read_sections({"mapRoles": after, "mapAccounts": accounts[1]}), previous=old)


def codes(found: Any) -> list[str]:
    return [reason.code for reason in found.decision.reasons]


def test_who_is_gained_lost_and_changed() -> None:
    """By username and by the set of groups, whose order does not count; nodes are told apart."""
    same = line(f"{OPS}1", "s", "[a, b]")
    old, new = edit(
        same + line(OPS, "u", "[g]") + line(DEV) + line(NODE, "system:node:{{EC2PrivateDNSName}}", "[system:nodes]"),
        line(f"{OPS}1", "s", "[b, a]") + line(OPS, "u", "[h]") + line(f"{DEV}2"),
        (f"['{A}', '444455556666']", f"['{A}', '555566667777']"),
    )
    found = plan(old, new)
    assert [change.principal for change in found.gained] == [f"{DEV}2"]
    assert [change.principal for change in found.lost] == [DEV, NODE]
    assert [change.principal for change in found.changed] == [OPS]
    assert (found.accounts_gained, found.accounts_lost) == (("555566667777",), ("444455556666",))
    assert [change.principal for change in found.nodes_affected] == [NODE]
    assert (found.outcome, codes(found)) == ("allowed", [])


def test_an_entry_that_is_refused_counts_as_none() -> None:
    """It gives nobody anything when it is new; one that was good before keeps what it gave, and is no loss."""
    nameless = line(DEV, "")
    assert plan(*edit("[]", nameless)).gained == ()
    old, new = edit(line(DEV, "dev"), nameless)
    assert (plan(old, new).lost, plan(old, new).changed) == ((), ())


@pytest.mark.parametrize(
    ("before", "after", "outcome", "reasons"),
    [
        ([OPS, DEV], [OPS], Outcome.ALLOWED, ["admins-remain"]),
        ([OPS], [DEV], Outcome.ALLOWED, ["admins-remain"]),
        ([OPS], [], Outcome.EXPLICIT_DENY, ["no-admin-left"]),
        ([], [], Outcome.ALLOWED, []),
        ([], [OPS], Outcome.ALLOWED, []),
    ],
)
def test_an_admin_must_remain_where_there_was_one(
    before: list[str], after: list[str], outcome: Outcome, reasons: list[str]
) -> None:
    old, new = edit("".join(line(arn, "u", ADMINS) for arn in before), "".join(line(arn, "u", ADMINS) for arn in after))
    found = plan(old, new)
    assert (found.decision.outcome, codes(found), found.admins) == (outcome, reasons, tuple(after))
    assert bool(found.decision.fix) is (outcome is Outcome.EXPLICIT_DENY)


def test_who_is_an_admin_may_be_asked_of_the_bindings() -> None:
    old, new = edit(line(OPS, "boss"), line(OPS, "clerk"))
    found = plan(old, new, is_admin=lambda username, _groups: username == "boss")
    assert (found.outcome, codes(found)) == ("explicitDeny", ["no-admin-left"])
    assert plan(old, new).outcome == "allowed"


@pytest.mark.parametrize(
    ("caller", "before", "after", "code", "held"),
    [
        (DEV, line(DEV), line(DEV, "other"), "caller-stays", True),
        (DEV, line(DEV), "", "caller-locked-out", False),
        (DEV, "", "", "caller-not-mapped", True),
        (DEV, "", line(DEV), "caller-not-mapped", True),
        (DEV, line(DEV, "u", ADMINS), line(DEV, "u", "[g]"), "caller-no-admin", False),
        (DEV, line(DEV, "u", ADMINS), line(DEV, "v", "[system:masters, g]"), "caller-stays", True),
        ("nonsense", line(DEV), "", "caller-not-mapped", True),
    ],
)
def test_the_caller_must_stay_what_he_is(caller: str, before: str, after: str, code: str, *, held: bool) -> None:
    """Another admin stays throughout, so that only the caller decides."""
    admin = line(OPS, "u", ADMINS)
    old, new = edit(admin + before, admin + after)
    found = plan(old, new, caller=caller)
    assert (codes(found), found.decision.allowed) == (["admins-remain", code], held)


def test_a_caller_by_his_account_stays_by_it_and_never_was_an_admin_by_it() -> None:
    """The whole account maps him, before the edit or after it."""
    old, new = edit("[]", "[]", (f"['{A}']", f"['{A}']"))
    assert codes(plan(old, new, caller=DEV)) == ["caller-stays"]
    old, new = edit("[]", "[]", (f"['{A}']", "[]"))
    assert codes(plan(old, new, caller=DEV)) == ["caller-locked-out"]
    old, new = edit(line(DEV, "u", ADMINS) + line(OPS, "u", ADMINS), line(OPS, "u", ADMINS), ("[]", f"['{A}']"))
    assert codes(plan(old, new, caller=DEV)) == ["admins-remain", "caller-no-admin"]


def test_a_caller_whose_new_entry_is_refused_is_locked_out() -> None:
    """His account's entry let him in; an entry of his own without a username keeps him out."""
    old, new = edit("[]", line(DEV, ""), (f"['{A}']", f"['{A}']"))
    assert codes(plan(old, new, caller=DEV)) == ["caller-locked-out"]


def test_an_access_entry_goes_first() -> None:
    """What it covers is no change, its admins are admins, and its caller is not locked out."""
    old, new = edit(line(OPS, "u", ADMINS) + line(DEV), "[]")
    found = plan(old, new, caller=DEV, beside=Beside(covers=lambda key: key == DEV, admins=("entry",)))
    assert (found.covered, [change.principal for change in found.lost]) == ((DEV,), [OPS])
    assert (found.outcome, codes(found), found.admins) == (
        "allowed", ["admins-remain", "caller-has-access-entry"], ("entry",),
    )  # fmt: skip
    # an admin of the ConfigMap whom an access entry covers is none by the ConfigMap
    assert codes(plan(old, new, beside=Beside(covers=lambda key: key == OPS))) == []


def test_where_the_config_map_is_not_read_nothing_changes() -> None:
    old, new = edit(line(OPS, "u", ADMINS), "[]")
    found = plan(old, new, caller=OPS, beside=Beside(ignored=True, admins=("entry",)))
    assert (found.outcome, codes(found), found.admins, found.lost) == (
        "allowed",
        ["config-map-not-read"],
        ("entry",),
        (),
    )


def test_where_access_entries_are_not_visible_a_lockout_is_not_called_one() -> None:
    """It is a denial for want of sight, which says why; what is held stays said."""
    old, new = edit(line(OPS, "u", ADMINS) + line(DEV), line(OPS, "u", ADMINS))
    found = plan(old, new, caller=DEV, beside=Beside(unknown="not allowed to list"))
    assert (found.outcome, found.decision.outcome) == ("unknown", Outcome.IMPLICIT_DENY)
    assert codes(found) == ["admins-remain", "access-entries-unknown"]
    assert found.decision.fix.startswith("not allowed to list: ")
    assert "by the ConfigMap alone" in found.decision.reasons[1].text
    assert plan(old, new, beside=Beside(unknown="not allowed to list")).outcome == "allowed"
