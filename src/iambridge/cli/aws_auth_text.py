"""The text that an edit of aws-auth wants: one entry added or taken out, and every other line as it was."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from iambridge.core.arn import Arn, canonical_arn
from iambridge.core.aws_auth import Located, load
from iambridge.core.aws_auth.edit import with_entry, without_entry
from iambridge.core.aws_auth.entry import arn_key
from iambridge.errors import InputError
from iambridge.wire.aws_auth_yaml import read_section, read_sections

Data = Mapping[str, str]


def place(arn: str) -> tuple[str, str]:
    """The section that `arn` belongs to, and how it is written there: a role without its path, as sessions show it.

    Raises:
        InputError: it is no user's or role's ARN.
    """
    try:
        canonical, parsed = canonical_arn(arn), Arn.parse(arn)
    except ValueError as error:
        raise InputError(str(error), where="ARN", fix="give a role's or user's ARN") from error
    if canonical != arn:
        raise InputError(f"`{arn}` is a session's ARN", where="ARN", fix=f"give the role's: {canonical}")
    if parsed.resource_type == "role":
        return "mapRoles", str(replace(parsed, resource=f"role/{parsed.name}"))
    if parsed.resource_type == "user":
        return "mapUsers", arn
    raise InputError(f"`{arn}` is no user's or role's", where="ARN", fix="give a role's or user's ARN")


def added(data: Data, arn: str, *, username: str, groups: Sequence[str], replacing: bool) -> dict[str, str]:
    """`data` with the one entry; itself when it says so already.

    Raises:
        InputError: the principal is mapped otherwise and `replacing` is false, or the section cannot be edited.
    """
    section, written = place(arn)
    key = arn_key(written, ignore_role_path=True)
    present = [entry for entry in load({section: _parsed(data, section)}).entries if entry.key == key]
    if present and (present[0].username, set(present[0].groups)) == (username, set(groups)):
        return dict(data)
    if present and not replacing:
        raise InputError(f"{arn} is mapped to {present[0].username} already", where=present[0].where,
                         fix="give --replace, or remove it first")  # fmt: skip
    bare = _without(data, section, key)
    text = with_entry(
        bare.get(section, ""), section, _parsed(bare, section), arn=written, username=username, groups=groups
    )
    return _checked(data, section, key, text)


def removed(data: Data, arn: str) -> dict[str, str]:
    """`data` without every entry of the principal: of duplicates, the next would come into effect.

    Raises:
        InputError: the section cannot be edited.
    """
    section, written = place(arn)
    key = arn_key(written, ignore_role_path=True)
    bare = _without(data, section, key)
    return dict(data) if bare == data else _checked(data, section, key, bare[section])


def _without(data: Data, section: str, key: str) -> dict[str, str]:
    found = dict(data)
    while True:
        parsed = _parsed(found, section)
        present = [entry for entry in load({section: parsed}).entries if entry.key == key]
        if not present:
            return found
        found[section] = without_entry(found[section], parsed, present[0].index)


def _parsed(data: Data, section: str) -> Located:
    parsed = read_section(data.get(section, ""))
    if not isinstance(parsed, Located):
        raise InputError(f"{section} is not YAML: {parsed.problem}", where=f"{section} line {parsed.line}",
                         fix="mend it first: iambridge aws-auth lint")  # fmt: skip
    return parsed


def _checked(data: Data, section: str, key: str, text: str) -> dict[str, str]:
    """The edited data, read back: every other entry must say what it said."""
    new = {**data, section: text}
    said, says = (
        {entry.key: (entry.username, entry.groups) for entry in load(read_sections(one)).entries if entry.key != key}
        for one in (data, new)
    )
    if said != says:
        raise InputError("the edit would change another entry, and is not made", where=section,
                         fix="edit it by hand, and write it with iambridge aws-auth apply -f FILE")  # fmt: skip
    return new
