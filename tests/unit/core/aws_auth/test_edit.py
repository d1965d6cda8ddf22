"""Edits of a section's text: one entry more or less, and every other line as it was."""

import pytest

from iambridge.core.aws_auth import Located, load
from iambridge.core.aws_auth.edit import with_entry, without_entry
from iambridge.errors import InputError
from iambridge.wire.aws_auth_yaml import read_section

TEXT = """# nodes: do not touch
- rolearn: arn:aws:iam::111122223333:role/node   # the node role
  username: "system:node:{{EC2PrivateDNSName}}"
  groups:
  - system:nodes

# people
- rolearn: arn:aws:iam::111122223333:role/admin
  username: admin
  groups: [system:masters]
"""


def parsed(text: str) -> Located:
    section = read_section(text)
    assert isinstance(section, Located)
    return section


def usernames(text: str) -> list[str]:
    return [entry.username for entry in load({"mapRoles": parsed(text)}).entries]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("\n"),
        "",
        "[]\n",
        "# only a comment\n",
        "  - {rolearn: 'arn:aws:iam::111122223333:role/x', username: x}\n",
    ],
)
@pytest.mark.parametrize("username", ["dev", "yes", "12", "a: b", "team:{{SessionName}}", "ünï"])
def test_an_added_entry_is_read_back_as_given(text: str, username: str) -> None:
    """Whatever the name, the new entry is the last one, and what stood before stands still."""
    changed = with_entry(
        text,
        "mapRoles",
        parsed(text),
        arn="arn:aws:iam::111122223333:role/dev",
        username=username,
        groups=["g", "true"],
    )
    mappings = load({"mapRoles": parsed(changed)})
    assert mappings.errors == ()
    assert (mappings.entries[-1].username, mappings.entries[-1].groups) == (username, ("g", "true"))
    assert usernames(changed)[:-1] == usernames(text)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in changed.splitlines() if line.startswith("#")
    ]


def test_a_removed_entry_takes_its_own_lines_only() -> None:
    """Comments of the neighbours stay where they were."""
    assert without_entry(TEXT, parsed(TEXT), 0) == TEXT[: TEXT.index("- rolearn")] + TEXT[TEXT.index("\n# people") :]
    assert without_entry(TEXT, parsed(TEXT), 1).endswith("# people\n")


def test_removing_the_last_entry_leaves_an_empty_list() -> None:
    """An emptied section stays YAML, with its comments."""
    once = without_entry(TEXT, parsed(TEXT), 1)
    assert usernames(without_entry(once, parsed(once), 0)) == []


@pytest.mark.parametrize("text", ["[{rolearn: 'arn:aws:iam::111122223333:role/a', username: a}]\n", "rolearn: x\n"])
def test_what_is_no_list_of_lines_is_left_to_a_person(text: str) -> None:
    """Flow style and maps are not edited by guessing."""
    with pytest.raises(InputError, match="cannot be edited"):
        with_entry(text, "mapRoles", parsed(text), arn="arn:aws:iam::111122223333:role/b", username="b", groups=[])


ON_ITS_OWN = """- rolearn: arn:aws:iam::111122223333:role/a
  username: a
- rolearn: arn:aws:iam::111122223333:role/b
  username: b
-
  rolearn: arn:aws:iam::111122223333:role/c
  username: c
- rolearn: arn:aws:iam::111122223333:role/d
  username: d
"""


@pytest.mark.parametrize(("index", "left"), [(0, "bcd"), (1, None), (2, None), (3, "abc")])
def test_a_dash_on_a_line_of_its_own_is_never_taken_from_its_entry(index: int, left: str | None) -> None:
    """Without b's lines and c's dash the values of c would be those of a."""
    if left is None:
        with pytest.raises(InputError, match="cannot be edited"):
            without_entry(ON_ITS_OWN, parsed(ON_ITS_OWN), index)
    else:
        assert usernames(without_entry(ON_ITS_OWN, parsed(ON_ITS_OWN), index)) == list(left)
