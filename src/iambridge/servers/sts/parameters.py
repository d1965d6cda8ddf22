"""The parameters of STS calls, checked as AWS checks them: every fault in one ValidationError.

Source: botocore's STS service model (constraints); the texts are those of AWS's Coral framework.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from iambridge.core.arn import Arn
from iambridge.core.iam_policy import PolicyDocument, PolicyKind
from iambridge.core.role_trust import SessionTags
from iambridge.errors import PackedPolicyTooLarge, ValidationError
from iambridge.wire.aws_query import members

_WORD = re.compile(r"[\w+=,.@-]*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]*", re.ASCII)
_MAX_SESSION_POLICIES = 10
_MAX_POLICY_CHARACTERS = 2048


class RoleRequest(msgspec.Struct, frozen=True):
    """What AssumeRole and AssumeRoleWithWebIdentity share. `duration` is in seconds."""

    role_arn: str
    account: str
    session_name: str
    duration: int
    policy: str
    policy_arns: tuple[str, ...]

    @property
    def packed_policy_size(self) -> int | None:
        """Per cent of the limit that the session policies take; None without any."""
        return packed_size(self.policy, self.policy_arns)


def packed_size(policy: str, policy_arns: tuple[str, ...]) -> int | None:
    """Per cent of 2,048 characters that session policies take, rounded up; None without any."""
    size = len(policy) + sum(map(len, policy_arns))
    return max(1, -(-size * 100 // _MAX_POLICY_CHARACTERS)) if size else None


class Faults:
    """Collects what is wrong with parameters, then raises all at once."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._parameters = parameters
        self._found: list[str] = []

    def text(
        self, name: str, *, low: int, high: int, required: bool = True, pattern: re.Pattern[str] | None = None,
        secret: bool = False,
    ) -> str:  # fmt: skip
        """The parameter, or empty. A secret one is never repeated in the message."""
        value = self._parameters.get(name)
        if value is None:
            if required:
                self._add("null", name, "Member must not be null")
            return ""
        if low <= len(value) <= high and (pattern is None or pattern.fullmatch(value) is not None):
            return value
        shown = "***" if secret else f"{value[:128]}"
        if len(value) < low:
            self._add(f"'{shown}'", name, f"Member must have length greater than or equal to {low}")
        if len(value) > high:
            self._add(f"'{shown}'", name, f"Member must have length less than or equal to {high}")
        if pattern is not None and pattern.fullmatch(value) is None:
            self._add(f"'{shown}'", name, f"Member must satisfy regular expression pattern: {pattern.pattern}")
        return value

    def number(self, name: str, *, low: int, high: int, default: int) -> int:
        value = self._parameters.get(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            self._add(f"'{value[:32]}'", name, "Member must be a number")
            return default
        if int(value) < low:
            self._add(f"'{value}'", name, f"Member must have value greater than or equal to {low}")
        if int(value) > high:
            self._add(f"'{value}'", name, f"Member must have value less than or equal to {high}")
        return int(value)

    def raise_all(self) -> None:
        """Raises ValidationError when there was a fault."""
        if self._found:
            plural = "s" if len(self._found) > 1 else ""
            raise ValidationError(f"{len(self._found)} validation error{plural} detected: {'; '.join(self._found)}")

    def _add(self, shown: str, name: str, constraint: str) -> None:
        member = name[0].lower() + name[1:]
        self._found.append(f"Value {shown} at '{member}' failed to satisfy constraint: {constraint}")


def role_request(parameters: Mapping[str, str], faults: Faults) -> RoleRequest:
    """Read and check what both AssumeRole calls share, and raise every fault in `faults`.

    Raises:
        ValidationError: faults of shape, or an ARN that is no role's.
        MalformedPolicyDocument: the session policy.
        PackedPolicyTooLarge: the session policies together are over 2048 characters.
    """
    role_arn = faults.text("RoleArn", low=20, high=2048)
    session_name = faults.text("RoleSessionName", low=2, high=64, pattern=_WORD)
    duration = faults.number("DurationSeconds", low=900, high=43200, default=3600)
    policy, arns = session_policies(parameters, faults)
    return RoleRequest(role_arn, _account_of_role(role_arn), session_name, duration, policy, arns)


def session_policies(parameters: Mapping[str, str], faults: Faults) -> tuple[str, tuple[str, ...]]:
    """`Policy` and `PolicyArns`, after every fault in `faults` was raised.

    Raises:
        ValidationError: faults of shape.
        MalformedPolicyDocument: the session policy.
        PackedPolicyTooLarge: the session policies together are over 2048 characters.
    """
    policy = faults.text("Policy", low=1, high=_MAX_POLICY_CHARACTERS, required=False)
    arns = tuple(member.get("arn", "") for member in members(parameters, "PolicyArns"))
    faults.raise_all()
    if len(arns) > _MAX_SESSION_POLICIES or not all(arns):
        raise ValidationError("PolicyArns takes at most 10 policy ARNs")
    if policy:
        PolicyDocument.parse(policy, kind=PolicyKind.SESSION)
    if arns and len(policy) + sum(map(len, arns)) > _MAX_POLICY_CHARACTERS:
        raise PackedPolicyTooLarge("Packed policy consumes more than 100% of allotted space.")
    return policy, arns


@lru_cache(maxsize=1024)
def _account_of_role(role_arn: str) -> str:
    try:
        arn = Arn.parse(role_arn)
    except ValueError:
        raise ValidationError(f"{role_arn[:128]} is invalid") from None
    if arn.service != "iam" or arn.region or not arn.resource.startswith("role/") or len(arn.account) != 12:
        raise ValidationError("Request ARN is invalid")
    return arn.account


def requested_tags(parameters: Mapping[str, str], faults: Faults) -> SessionTags:
    """Tags, TransitiveTagKeys and SourceIdentity of AssumeRole.

    Raises:
        ValidationError: more than 50 tags, a key twice (case does not count), or a transitive key without its tag.
    """
    source = faults.text("SourceIdentity", low=2, high=64, required=False, pattern=_WORD)
    given = [(member.get("Key", ""), member.get("Value", "")) for member in members(parameters, "Tags")]
    transitive = tuple(member.get("", "") for member in members(parameters, "TransitiveTagKeys"))
    if len(given) > 50 or any(not 1 <= len(key) <= 128 or len(value) > 256 for key, value in given):
        raise ValidationError("Tags takes at most 50 tags with keys of 1 to 128 and values of up to 256 characters")
    if len({key.lower() for key, _ in given}) != len(given):
        raise ValidationError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if not set(transitive) <= {key for key, _ in given}:
        raise ValidationError("TransitiveTagKeys names a key that is not among Tags", fix="name keys of Tags only")
    return SessionTags(dict(given), transitive, source)


def external_id(faults: Faults) -> str:
    return faults.text("ExternalId", low=2, high=1224, required=False, pattern=_EXTERNAL_ID)
