"""Why a caller that is not mapped may have thought to be: entries for almost its principal, and how they differ."""

import difflib
from collections.abc import Iterator

from iambridge.core.arn import Arn
from iambridge.core.arn import canonical_arn as canonical
from iambridge.core.aws_auth.entry import Entry, sso_key
from iambridge.core.aws_auth.mappings import Mappings
from iambridge.core.decision import Reason

_ALIKE, _MOST = 0.85, 3


def difference(canonical_arn: str, entry: Entry) -> str:
    """How the principal of `entry`, of the same name, is another one than the caller's."""
    try:
        caller, mapped = Arn.parse(canonical_arn), Arn.parse(entry.arn)
    except ValueError:
        return f"`{entry.arn or entry.key}` is another principal of the same name"
    if mapped.service == "sts":
        how = f"session ARN: write the role's, {canonical_arn}"
    elif caller.partition != mapped.partition:
        how = f"other partition: {mapped.partition}, the caller is of {caller.partition}"
    elif caller.account != mapped.account:
        how = f"other account: {mapped.account}, the caller is of {caller.account}"
    elif caller.resource_type != mapped.resource_type:
        how = f"a {mapped.resource_type}'s ARN, the caller is a {caller.resource_type}"
    elif _path(mapped) != _path(caller):
        how = f"path present: a session's ARN has none, write {canonical_arn}" if _path(mapped) else "path missing"
    else:
        how = "it is spelled otherwise"
    return f"`{entry.arn}` is another principal of the same name: {how}"


def _path(arn: Arn) -> str:
    return arn.resource.removeprefix(arn.resource_type).removesuffix(arn.name).strip("/")


def alike(canonical_arn: str, mappings: Mappings) -> Iterator[Reason]:
    """Entries of almost the same name, for who asks why: this looks at each, and no server should.

    A permission set's role of another suffix is one that was made anew.
    """
    name = Arn.parse(canonical_arn).name
    same_set = sso_key(canonical_arn)
    entries = [entry for entry in mappings.entries if entry.arn and _name(entry) != name]
    for entry in entries:
        if entry.arn.split(":")[2:3] == ["sts"] and _canonical(entry.arn) == canonical_arn:
            yield Reason("near-miss", difference(canonical_arn, entry), entry.where)
        if same_set and sso_key(entry.arn) == same_set:
            text = f"`{entry.arn}` is of the same permission set: its role was made anew, with another suffix"
            yield Reason("near-miss", text, entry.where)
    by_name = {_name(entry): entry for entry in entries}
    for close in difflib.get_close_matches(name, by_name, n=_MOST, cutoff=_ALIKE):
        entry = by_name[close]
        if not same_set or sso_key(entry.arn) != same_set:
            yield Reason("near-miss", f"`{entry.arn}` has almost the same name: misspelt?", entry.where)


def _canonical(arn: str) -> str:
    try:
        return canonical(arn)
    except ValueError:
        return ""


def _name(entry: Entry) -> str:
    return entry.arn.rpartition("/")[2]
