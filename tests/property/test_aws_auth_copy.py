"""Laws of the persisted copy: what is read is what was in effect, and nothing else counts."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.adapters.aws_auth_copy import Kept, MappingsCopy
from iambridge.core.aws_auth import Entry, Mappings, PermissionSet, Rules, load
from iambridge.wire.aws_auth_yaml import read_sections

TEXT = st.text(max_size=12)
ENTRIES = st.builds(
    Entry,
    section=st.sampled_from(["mapRoles", "mapUsers"]),
    index=st.integers(0, 9),
    line=st.integers(0, 99),
    arn=TEXT,
    key=st.text(min_size=1, max_size=12),
    username=TEXT,
    groups=st.lists(TEXT, max_size=3).map(tuple),
    sso=st.none() | st.builds(PermissionSet, TEXT, TEXT, TEXT),
    user_id=TEXT,
    has_path=st.booleans(),
    refusal=TEXT,
    pinned_id=TEXT,
    pinned_arn=TEXT,
)
TABLES = st.lists(ENTRIES, max_size=4).map(lambda entries: {entry.key: entry for entry in entries})


@settings(max_examples=60)
@given(TABLES, TABLES, st.dictionaries(TEXT, st.integers(0, 99), max_size=3), st.builds(Rules))
def test_what_is_read_is_what_was_in_effect(
    roles: dict[str, Entry], users: dict[str, Entry], accounts: dict[str, int], rules: Rules
) -> None:
    """Every entry with every field, under the same rules; under others the copy does not count."""
    with tempfile.TemporaryDirectory() as directory:
        copy = MappingsCopy(Path(directory) / "copy", max_age=60, now=lambda: 100.0)
        kept = Kept(Mappings(roles, users, accounts, rules=rules), 50.0, "c", "u", "7")
        assert copy.write(kept) == ""
        found = copy.read(rules)
        assert found is not None
        assert (found.time, found.cluster_uid, found.config_map_uid, found.resource_version) == (50.0, "c", "u", "7")
        assert (found.mappings.section("mapRoles"), found.mappings.section("mapUsers")) == (roles, users)
        assert found.mappings.accounts == accounts
        assert copy.read(Rules(ignore_role_path=not rules.ignore_role_path)) is None


@given(st.binary(max_size=80))
def test_garbage_is_no_copy(content: bytes) -> None:
    """Whatever stands in the file, it is a copy or it is not; it never ends the server."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "copy"
        file.touch(mode=0o600)
        file.write_bytes(content)
        assert MappingsCopy(file, max_age=60, now=lambda: 100.0).read(Rules()) is None


@given(st.lists(st.sampled_from("abcd"), unique=True), st.sampled_from(["[", "a: b", "- x: y: z"]))
def test_the_copy_stands_in_for_nothing_that_can_be_read(names: list[str], broken: str) -> None:
    """A section that parses is what it says, whoever the copy holds; one that does not is the copy's."""
    text = "".join(f"- {{userarn: 'arn:aws:iam::111122223333:user/{name}', username: {name}}}\n" for name in names)
    before = load(read_sections({"mapUsers": "- {userarn: 'arn:aws:iam::111122223333:user/z', username: z}"}))
    after = load(read_sections({"mapUsers": text}), previous=before)
    assert [entry.username for entry in after.entries] == names
    assert [entry.username for entry in load(read_sections({"mapUsers": broken}), previous=before).entries] == ["z"]
