"""Principals that get in whatever the mapping says: for the day when the mapping is wrong."""

from collections.abc import Iterable

from iambridge.core.arn import Arn, canonical_arn
from iambridge.core.aws_auth.entry import Entry, arn_key
from iambridge.core.aws_auth.mappings import Mappings
from iambridge.errors import InputError

_GROUP = "system:masters"


def break_glass(arns: Iterable[str]) -> Mappings:
    """Exact IAM users and roles, each with username `break-glass:ARN` in system:masters.

    Raises:
        InputError: a wildcard, the root user, a session, or no ARN at all.
    """
    found: dict[str, Entry] = {}
    for index, arn in enumerate(arns):
        try:
            exact = canonical_arn(arn) == arn and Arn.parse(arn).resource_type in {"user", "role"}
        except ValueError:
            exact = False
        if not exact or "*" in arn or "?" in arn:
            raise InputError(f"`{arn}` is not the ARN of one IAM user or role", where="--break-glass-arn",
                             fix="write it in full: no wildcard, no root, no session")  # fmt: skip
        key = arn_key(arn, ignore_role_path=True)
        found[key] = Entry("break-glass", index, 0, arn, key, f"break-glass:{arn}", (_GROUP,))
    return Mappings(found)
