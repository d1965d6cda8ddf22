"""The parameters of STS calls, checked as AWS checks them: every fault in one ValidationError.

Source: botocore's STS service model (constraints); the texts are those of AWS's Coral framework.
"""

import re
import sys
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from iambridge.core.arn import Arn
from iambridge.core.iam_policy import PolicyDocument, PolicyKind
from iambridge.core.session_tags import packed_tags
from iambridge.errors import PackedPolicyTooLarge, ValidationError
from iambridge.wire.aws_query import members

SOURCE_IDENTITY = _WORD = re.compile(r"[\w+=,.@-]*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]*", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_POLICY = re.compile("[\t\n\r\x20-\xff]*")
_POLICY_PATTERN = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
_MAX_SESSION_POLICIES = 10
_MAX_POLICY_CHARACTERS = 2048
_LOW_ARN, _HIGH_ARN = 20, 2048


class RoleRequest(msgspec.Struct, frozen=True):
    """What AssumeRole and AssumeRoleWithWebIdentity share. `duration` is in seconds, `least_token` in characters."""

    role_arn: str
    account: str
    session_name: str
    duration: int
    policy: str
    policy_arns: tuple[str, ...]
    least_token: int = 0


def packed_size(policy: str, policy_arns: tuple[str, ...], tags: Mapping[str, str]) -> int | None:
    """Per cent of their space that session policies and session tags take, 1 to 100; None without any."""
    if not (policy or policy_arns or tags):
        return None
    return min(100, max(1, _packed_policies(policy, policy_arns) + packed_tags(tags)))


def _packed_policies(policy: str, policy_arns: tuple[str, ...]) -> int:
    """Per cent of 2,048 characters, rounded up."""
    return -(-(len(policy) + sum(map(len, policy_arns))) * 100 // _MAX_POLICY_CHARACTERS)


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
        if _NUMBER.fullmatch(value) is None:
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

    def add(self, shown: str, member: str, constraint: str) -> None:
        """`shown` is in quotes, or `null`; `member` is the path as AWS writes it: `tags.1.member.key`."""
        self._found.append(f"Value {shown} at '{member}' failed to satisfy constraint: {constraint}")

    def _add(self, shown: str, name: str, constraint: str) -> None:
        self.add(shown, name[0].lower() + name[1:], constraint)


def role_request(parameters: Mapping[str, str], faults: Faults, *, limited: bool = True) -> RoleRequest:
    """Read and check what both AssumeRole calls share, and raise every fault in `faults`.

    `limited` is as in `session_policies`.

    Raises:
        ValidationError: faults of shape, or an ARN that is no role's.
        MalformedPolicyDocument: the session policy.
        PackedPolicyTooLarge: the session policies together are over 2048 characters.
    """
    role_arn = faults.text("RoleArn", low=20, high=2048)
    session_name = faults.text("RoleSessionName", low=2, high=64, pattern=_WORD)
    duration = faults.number("DurationSeconds", low=900, high=43200, default=3600)
    least = least_token(faults)
    policy, arns = session_policies(parameters, faults, limited=limited)
    return RoleRequest(role_arn, _account_of_role(role_arn), session_name, duration, policy, arns, least)


def least_token(faults: Faults) -> int:
    """MinimumSessionTokenSize: characters that the session token has at least."""
    return faults.number("MinimumSessionTokenSize", low=0, high=4096, default=0)


def session_policies(
    parameters: Mapping[str, str], faults: Faults, *, limited: bool = True
) -> tuple[str, tuple[str, ...]]:
    """`Policy` and `PolicyArns`, after every fault in `faults` was raised.

    Without `limited`, as in AssumeRole, the length of `Policy` is no fault of its shape.

    Raises:
        ValidationError: faults of shape.
        MalformedPolicyDocument: the session policy.
        PackedPolicyTooLarge: the session policies together are over 2048 characters.
    """
    if "Policy" not in "\n".join(parameters):  # as in most calls
        faults.raise_all()
        return "", ()
    policy = faults.text("Policy", low=1, high=_MAX_POLICY_CHARACTERS if limited else sys.maxsize, required=False)
    if _POLICY.fullmatch(policy) is None:
        faults.add(f"'{policy[:128]}'", "policy", f"Member must satisfy regular expression pattern: {_POLICY_PATTERN}")
    arns = tuple(member.get("arn", "") for member in members(parameters, "PolicyArns"))
    for number, arn in enumerate(arns, 1):
        if not _LOW_ARN <= len(arn) <= _HIGH_ARN:
            bound = "greater than or equal to 20" if len(arn) < _LOW_ARN else "less than or equal to 2048"
            faults.add(f"'{arn[:128]}'", f"policyArns.{number}.member.arn", f"Member must have length {bound}")
    faults.raise_all()
    if len(arns) > _MAX_SESSION_POLICIES:
        raise ValidationError("PolicyArns takes at most 10 policy ARNs")
    size = _packed_policies(policy, arns)
    if size > 100:
        raise PackedPolicyTooLarge(
            f"Packed policy consumes {size}% of allotted space.",
            fix="session policies have 2,048 characters together, ARNs included: pass fewer or shorter ones",
        )
    if policy:
        PolicyDocument.parse(policy, kind=PolicyKind.SESSION)
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


def external_id(faults: Faults) -> str:
    return faults.text("ExternalId", low=2, high=1224, required=False, pattern=_EXTERNAL_ID)
