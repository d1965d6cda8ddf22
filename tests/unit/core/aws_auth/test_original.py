from typing import Any

import pytest

from iambridge.core.aws_auth import load_as_original
from iambridge.wire.aws_auth_yaml import read_sections

A = "arn:aws:iam::111122223333"


def entries(text: str, **sections: str) -> list[tuple[str, str, tuple[str, ...]]]:
    loaded = load_as_original(read_sections({"mapRoles": text, **sections}))
    return [(entry.arn.rpartition(":")[2], entry.username, entry.groups) for entry in loaded.entries]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"- {{rolearn: '{A}:role/a', username: u, groups: [g]}}", [("role/a", "u", ("g",))]),
        (f"- {{RoLeArN: '{A}:role/a', username: u}}", [("role/a", "u", ())]),
        (f"- {{rolearn: '{A}:role/a', username: u, groups: g}}", [("role/a", "u", ())]),
        (f"- {{rolearn: '{A}:role/a', username: 123, groups: [g]}}", [("role/a", "", ("g",))]),
        (f"- {{rolearn: '{A}:role/a', groups: [g]}}", [("role/a", "", ("g",))]),
        (f"- {{rolearn: '{A}:role/a', username: u, groups: [1, g]}}", [("role/a", "u", ("g",))]),
        (f"- {{rolarn: '{A}:role/a', username: u}}\n- {{rolearn: '{A}:role/b', username: v}}", [("role/b", "v", ())]),
        (f"- {{rolearn: '{A}:role/a', username: u}}\n- {{rolearn: '{A}:ROLE/a', username: v}}", [("ROLE/a", "v", ())]),
        (f"- rolearn: '{A}:role/a'\n  username: system:node: // do not change", []),
        (f"rolearn: '{A}:role/a'", []),
        ("``", []),
        ("nonsense", []),
    ],
)
def test_what_one_entry_or_section_does(text: str, expected: list[Any]) -> None:
    """As the original's table has it: what it cannot read is gone at once, and what it can read stays."""
    assert entries(text) == expected
    assert len(entries(text, mapUsers=f"- {{userarn: '{A}:user/x', username: x}}")) == len(expected) + 1


@pytest.mark.parametrize("arn", [f"{A}:role/team/a", "arn:aws:sts::111122223333:assumed-role/a/s"])
def test_an_arn_is_compared_as_it_is_written(arn: str) -> None:
    """So a path or a session matches nobody."""
    loaded = load_as_original(read_sections({"mapRoles": f"- {{rolearn: '{arn}', username: u}}"}))
    assert loaded.find(f"{A}:role/a", "111122223333") is None
    assert loaded.entries[0].username == "u"


def test_faults_say_that_nobody_gets_in() -> None:
    loaded = load_as_original(read_sections({"mapRoles": "- ["}))
    assert "nobody of the section gets in" in loaded.faults[0].fix


def test_a_permission_set_is_not_read() -> None:
    """The gate is off by default, and EKS has none: the entry lets nobody in, and the fault says so."""
    text = "- {sso: {permissionSetName: Admin, accountID: '111122223333'}, username: u}"
    loaded = load_as_original(read_sections({"mapRoles": text}))
    assert loaded.entries == ()
    assert "sso-not-read" in [fault.code for fault in loaded.faults]


@pytest.mark.parametrize(
    ("arn", "refused"),
    [(f"{A}:role/a", False), (f"{A}:ROLE/A", False), ("nonsense", True), (f"{A}:role/team/a", True)],
)
def test_an_arn_that_no_caller_has_is_said_to_match_nobody(arn: str, *, refused: bool) -> None:
    """The original keeps such an entry in its table, where nothing ever finds it."""
    (entry,) = load_as_original(read_sections({"mapRoles": f"- {{rolearn: '{arn}', username: u}}"})).entries
    assert entry.refusal == ("no caller has this ARN: it matches nobody" if refused else "")
