"""One entry of mapRoles or mapUsers, and what a caller is compared with."""

import re
from dataclasses import dataclass

from iambridge.core.arn import Arn
from iambridge.core.aws_auth.templates import placeholders

_NONE: frozenset[str] = frozenset()
_SSO_ROLE = re.compile(r"AWSReservedSSO_(.+)_[0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class PermissionSet:
    """An IAM Identity Center permission set in an account; its role's name ends in a suffix that AWS draws."""

    name: str
    account: str
    partition: str = "aws"

    @property
    def key(self) -> str:
        return f"{self.partition}:{self.account}:{self.name}".lower()


@dataclass(frozen=True, slots=True)
class MappingObject:
    """The IAMIdentityMapping that an entry comes from."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One principal's mapping. `key` is what a caller's canonical ARN, or permission set, is compared with.

    `refusal` says why nobody gets in by this entry, though it matches; empty for a usable one. `pinned_id` is the
    unique id and `pinned_arn` the ARN (as it is compared) that the caller must have besides; empty for any.
    `object` is set for one that stands in an object of its own.
    """

    section: str
    index: int
    line: int
    arn: str
    key: str
    username: str
    groups: tuple[str, ...] = ()
    sso: PermissionSet | None = None
    user_id: str = ""
    has_path: bool = False
    refusal: str = ""
    pinned_id: str = ""
    pinned_arn: str = ""
    object: MappingObject | None = None

    @property
    def placeholders(self) -> frozenset[str]:
        """Every `{{...}}` of the username and the groups."""
        if "{{" not in self.username and not any("{{" in group for group in self.groups):
            return _NONE
        return frozenset().union(*(placeholders(text) for text in (self.username, *self.groups)))

    @property
    def where(self) -> str:
        if self.object is not None:
            return f"IAMIdentityMapping {self.object.name}"
        return f"{self.section} line {self.line}, [{self.index}]" if self.line else f"{self.section} [{self.index}]"


def arn_key(arn: str, *, ignore_role_path: bool) -> str:
    """A canonical ARN as it is compared: without letter case, and for a role without its path."""
    lower = arn.lower()
    if ignore_role_path and ":role/" in lower:
        head, _, resource = lower.partition(":role/")
        return f"{head}:role/{resource.rpartition('/')[2]}"
    return lower


def sso_key(canonical: str) -> str:
    """The permission set behind a role's canonical ARN, or empty: `AWSReservedSSO_NAME_suffix`."""
    try:
        arn = Arn.parse(canonical)
    except ValueError:
        return ""
    found = _SSO_ROLE.fullmatch(arn.name) if arn.resource_type == "role" else None
    return PermissionSet(found.group(1), arn.account, arn.partition).key if found else ""
