"""Laws of aws-auth: garbage has no effect but faults, and entries do not touch each other."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.aws_auth import Mappings, Source, load, map_identity
from iambridge.wire.aws_auth_yaml import read_section, read_sections

ACCOUNT = "111122223333"
NAMES = st.sampled_from(["a", "b", "c", "d"])
GROUPS = st.lists(st.sampled_from(["g", "h", "system:masters"]), max_size=3, unique=True)


@dataclass(frozen=True)
class Caller:
    canonical_arn: str
    arn: str = "arn:aws:sts::111122223333:assumed-role/a/s"
    account: str = ACCOUNT
    user_id: str = "AROA"
    session_name: str = "s"
    access_key_id: str = "ASIA"


def line(name: str, groups: list[str]) -> str:
    return f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/{name}', username: {name}, groups: {groups}}}\n"


def groups_of(name: str, mappings: Mappings) -> tuple[str, ...] | None:
    user = map_identity(Caller(f"arn:aws:iam::{ACCOUNT}:role/{name}"), (Source("s", mappings),)).user
    return None if user is None else user.groups


YAMLISH = st.text(alphabet="-: \n\t[]{}'\"&*!|>#,?ab1~%@`\\\x85\u2028rolearnusgp/", max_size=120)


@given(YAMLISH | st.text(max_size=80))
def test_any_text_is_a_section_or_a_place_where_it_is_not(text: str) -> None:
    """Garbage gives values or a located problem, never another exception; and never an entry's worth of rights."""
    section = read_section(text)
    assert section.line >= 1
    mappings = load(read_sections({"mapRoles": text, "mapUsers": text, "mapAccounts": text}))
    for fault in mappings.faults:
        assert str(fault)


@given(st.dictionaries(NAMES, GROUPS, min_size=1), NAMES, GROUPS)
def test_adding_an_entry_changes_nobody_else(entries: dict[str, list[str]], added: str, groups: list[str]) -> None:
    """An entry concerns its own principal only."""
    text = "".join(line(name, found) for name, found in entries.items())
    before = load(read_sections({"mapRoles": text}))
    after = load(read_sections({"mapRoles": text + line(added, groups)}), previous=before)
    for name in {"a", "b", "c", "d"} - {added}:
        assert groups_of(name, before) == groups_of(name, after)


@given(st.dictionaries(NAMES, GROUPS, min_size=1), st.sampled_from(list("abcd")), YAMLISH)
def test_a_faulty_group_list_never_gives_more(entries: dict[str, list[str]], name: str, garbage: str) -> None:
    """Whatever stands in `groups`, if the entry has a fault its groups are among those that it had."""
    before = load(read_sections({"mapRoles": "".join(line(n, g) for n, g in entries.items())}))
    quoted = garbage.replace("'", "''").replace("\n", " ")
    text = f"- rolearn: arn:aws:iam::{ACCOUNT}:role/{name}\n  username: {name}\n  groups: ['{quoted}', 12, system:masters]\n"
    after = load(read_sections({"mapRoles": text}), previous=before)
    if not after.stale:
        assert set(groups_of(name, after) or ()) <= set(groups_of(name, before) or ())
