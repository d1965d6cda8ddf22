"""IAMIdentityMapping objects: what they map, in which order, and what a fault leaves of one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.aws_auth import IdentityMapping, Mappings, Rules, load_objects
from iambridge.wire.located_json import located

ROLE = "arn:aws:iam::111122223333:role/admin"
USER = "arn:aws:iam::111122223333:user/jane"


def made(name: str, spec: Any, *, age: int = 0, uid: str = "") -> IdentityMapping:
    return IdentityMapping(name, uid or name, f"2026-01-01T00:00:{59 - age:02}Z", located(spec))


def loaded(*objects: IdentityMapping, before: Mappings | None = None, **rules: bool) -> Mappings:
    return load_objects(objects, previous=before, rules=Rules(session_arns=True, **rules))


def shown(mappings: Mappings) -> list[str]:
    return [f"{entry.key}: {entry.username} [{','.join(entry.groups)}]" for entry in mappings.entries]


def test_a_role_and_a_user() -> None:
    """Whose ARN it is decides how it is looked up; the object's name is where it stands."""
    found = loaded(
        made("a", {"arn": ROLE, "username": "admin", "groups": ["system:masters"]}),
        made("b", {"arn": USER, "username": "jane"}),
    )
    assert found.faults == ()
    match = found.find(ROLE, "111122223333")
    assert match is not None
    assert match.where == "IAMIdentityMapping a"
    assert match.entry is not None
    assert match.entry.groups == ("system:masters",)
    assert found.find(USER, "111122223333") is not None
    assert found.find("arn:aws:iam::111122223333:user/other", "111122223333") is None


def test_a_sessions_arn_stands_for_its_role() -> None:
    """As in the original, whose controller canonicalises; status says the canonical form in lower case."""
    session = made("a", {"arn": "arn:aws:sts::111122223333:assumed-role/Admin/x", "username": "a"})
    assert shown(loaded(session)) == [f"{ROLE}: a []"]
    assert session.canonical_arn == ROLE
    assert made("b", {"arn": "nonsense"}).canonical_arn == ""


def test_the_oldest_of_several_wins_whatever_the_order() -> None:
    """Two objects for one principal: the older decides, the younger is a fault that names it; groups do not merge."""
    old = made("old", {"arn": ROLE, "username": "old", "groups": ["a"]}, age=9)
    young = made(
        "young",
        {
            "arn": ROLE.upper().replace("ARN:AWS:IAM", "arn:aws:iam").replace("ROLE", "role"),
            "username": "young",
            "groups": ["b"],
        },
    )
    for objects in ((old, young), (young, old)):
        found = loaded(*objects)
        assert shown(found) == [f"{ROLE}: old [a]"]
        assert [(fault.code, fault.where) for fault in found.faults] == [
            ("duplicate-arn", "IAMIdentityMapping young, spec.arn")
        ]
        assert "older IAMIdentityMapping old" in found.faults[0].cause
    same_age = (made("b", {"arn": ROLE, "username": "b"}), made("a", {"arn": ROLE, "username": "a"}))
    assert shown(loaded(*same_age)) == [f"{ROLE}: a []"]


@pytest.mark.parametrize("arn", ["nonsense", "", None, [ROLE], "arn:aws:iam::111122223333:group/g"])
def test_what_is_no_principals_arn_maps_nobody_and_is_told(arn: Any) -> None:
    found = loaded(made("a", {"arn": arn, "username": "a"}))
    assert found.entries == ()
    assert [fault.where for fault in found.errors] == ["IAMIdentityMapping a, spec.arn"]


def test_a_bad_edit_of_the_arn_maps_nobody() -> None:
    """The original goes on granting to the old ARN: here it is out at once."""
    before = loaded(made("a", {"arn": ROLE, "username": "admin", "groups": ["system:masters"]}))
    after = loaded(
        made("a", {"arn": "arn:aws:iam::1111:role", "username": "admin", "groups": ["system:masters"]}), before=before
    )
    assert after.entries == ()
    assert [(fault.code, fault.where) for fault in after.faults] == [
        ("arn-malformed", "IAMIdentityMapping a, spec.arn")
    ]


def test_a_faulty_object_keeps_at_most_the_groups_it_had() -> None:
    """A fault never adds a group, and does not take the old ones that are still named legibly."""
    before = loaded(made("a", {"arn": ROLE, "username": "admin", "groups": ["one", "two"]}))
    after = loaded(made("a", {"arn": ROLE, "username": "root", "groups": ["two", "three", 7]}), before=before)
    assert shown(after) == [f"{ROLE}: admin [two]"]
    assert [(fault.code, fault.where) for fault in after.faults] == [
        ("group-not-a-string", "IAMIdentityMapping a, spec.groups[2]")
    ]


def test_what_another_object_had_is_not_inherited() -> None:
    """A faulty object made in the place of another, of the same name or ARN, starts with nothing."""
    before = loaded(made("a", {"arn": ROLE, "username": "admin", "groups": ["system:masters"]}, uid="1"))
    for other in (made("a", {}, uid="2"), made("b", {}, uid="1")):
        spec = located({"arn": ROLE, "username": "admin", "groups": ["system:masters", 7]})
        faulty = IdentityMapping(other.name, other.uid, other.created, spec)
        assert shown(loaded(faulty, before=before)) == [f"{ROLE}: admin []"]


def test_faults_speak_of_the_objects_own_fields() -> None:
    """No word of rolearn or of list entries, which an object does not have."""
    found = loaded(
        made("none", None),
        made("empty", {}),
        made("number", {"arn": ROLE, "username": 7}),
        made("list", {"arn": [USER]}),
    )
    assert found.find(ROLE, "111122223333") is not None
    said = [str(fault) for fault in found.faults]
    assert len(said) >= 4
    for text in said:
        assert text.startswith("IAMIdentityMapping ")
        assert "rolearn" not in text
        assert "userarn" not in text


def test_role_paths_as_in_the_config_map() -> None:
    """A path in a role's ARN matches without it, unless that is switched off."""
    item = made("a", {"arn": "arn:aws:iam::111122223333:role/team/admin", "username": "a"})
    assert loaded(item).find(ROLE, "111122223333") is not None
    assert loaded(item, ignore_role_path=False).entries == ()


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from([ROLE, USER, "a", "{{SessionName}}", "system:masters"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["arn", "username", "groups", "sso", "rolearn"]), inner, max_size=4)
    ),
    max_leaves=8,
)
_SPECS = st.fixed_dictionaries({}, optional={"arn": _JSON, "username": _JSON, "groups": _JSON})


@given(st.lists(_SPECS, max_size=4), st.lists(_SPECS, max_size=4))
def test_a_fault_never_grants(first: list[Any], second: list[Any]) -> None:
    """Whatever objects hold: one with an error has no group that this very object had not in effect before."""
    before = loaded(*(made(f"o{n}", spec) for n, spec in enumerate(first)))
    after = loaded(*(made(f"o{n}", spec) for n, spec in enumerate(second)), before=before)
    faulty = {fault.section for fault in after.errors}
    had = {entry.object: entry for entry in before.entries}
    for entry in after.entries:
        if entry.where in faulty:
            mine = had.get(entry.object)
            assert set(entry.groups) <= set(mine.groups if mine is not None and mine.key == entry.key else ())
