"""What every IAM operation works on: the store, the account's number, the clock, and lookups with AWS's words."""

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from iambridge.errors import (
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
)
from iambridge.sandbox.aws.aws_managed_policies import AwsManagedPolicy, aws_managed_policy
from iambridge.sandbox.aws.entities import (
    Group,
    InstanceProfile,
    ManagedPolicy,
    Named,
    OpenIDConnectProvider,
    Role,
    ServerCertificate,
    Tags,
    User,
)
from iambridge.sandbox.aws.store import Store

Parameters = Mapping[str, Any]
Output = dict[str, Any]
N = TypeVar("N", bound=Named)

_MISSING: dict[type[Named], str] = {
    User: "The user with name {} cannot be found.",
    Group: "The group with name {} cannot be found.",
    Role: "The role with name {} cannot be found.",
    InstanceProfile: "Instance Profile {} cannot be found.",
    ServerCertificate: "The Server Certificate with name {} cannot be found.",
}
_TAKEN: dict[type[Named], str] = {
    User: "User with name {} already exists.",
    Group: "Group with name {} already exists.",
    Role: "Role with name {} already exists.",
    InstanceProfile: "Instance Profile {} already exists.",
    ServerCertificate: "The Server Certificate with name {} already exists.",
    ManagedPolicy: "A policy called {} already exists. Duplicate names are not allowed.",
}
# those that AWS raises on request are at their defaults (IAM User Guide, "IAM and STS quotas")
QUOTAS: dict[type[Named], tuple[str, int]] = {
    User: ("Users", 5000),
    Group: ("Groups", 300),
    Role: ("Roles", 1000),
    InstanceProfile: ("InstanceProfiles", 1000),
    ManagedPolicy: ("Policies", 1500),
    ServerCertificate: ("ServerCertificates", 20),
}
_MAX_TAGS = 50


@dataclass(frozen=True, slots=True)
class IamAccount:
    """`now` gives an aware datetime."""

    store: Store
    account_id: str
    now: Callable[[], dt.datetime]

    def timestamp(self) -> str:
        return self.now().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def arn(self, entity: Named | OpenIDConnectProvider) -> str:
        return entity.arn(self.account_id)

    def of_arn(self, kind: type[N], arn: str) -> N | None:
        """The entity of exactly this ARN, path and case included."""
        found = self.store.get(kind, arn.rpartition("/")[2].lower())
        return found if found is not None and self.arn(found) == arn else None

    def find(self, kind: type[N], name: str) -> N:
        """The entity of exactly this name.

        Raises:
            NoSuchEntity: none, or it differs by case (an ARN would not name it either).
        """
        entity = self.store.get(kind, name.lower())
        if entity is None or entity.name != name:
            raise NoSuchEntity(_MISSING[kind].format(name))
        return entity

    def refuse_taken(self, kind: type[Named], name: str) -> None:
        if self.store.get(kind, name.lower()) is not None:
            raise EntityAlreadyExists(_TAKEN[kind].format(name))

    def refuse_new(self, kind: type[Named], name: str) -> None:
        """As `refuse_taken`, and when the account has all of the kind that it may have.

        Raises:
            EntityAlreadyExists, LimitExceeded.
        """
        self.refuse_taken(kind, name)
        word, quota = QUOTAS[kind]
        if self.store.count(kind) >= quota:
            raise LimitExceeded(f"Cannot exceed quota for {word}PerAccount: {quota}")

    def policy_arn(self, policy: ManagedPolicy | AwsManagedPolicy) -> str:
        return policy.arn if isinstance(policy, AwsManagedPolicy) else self.arn(policy)

    def managed_policy(self, arn: str) -> ManagedPolicy | AwsManagedPolicy | None:
        """A customer managed policy of this account or one of AWS's."""
        if arn.startswith("arn:aws:iam::aws:policy/"):
            return aws_managed_policy(arn)
        return self.of_arn(ManagedPolicy, arn)

    def attachable(self, arn: str) -> ManagedPolicy | AwsManagedPolicy:
        if not arn.startswith("arn:") or ":policy/" not in arn:
            raise InvalidInput(f"ARN {arn} is not valid.")
        policy = self.managed_policy(arn)
        if policy is None:
            raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
        return policy


def tags_from(parameters: Parameters, current: Tags | None = None) -> Tags:
    """The tags of a request over `current` ones.

    Raises:
        InvalidInput: a key twice, differing at most by case.
        LimitExceeded: over 50 tags.
    """
    tags = dict(current or {})
    seen: set[str] = set()
    for tag in parameters.get("Tags", ()):
        folded = tag["Key"].lower()
        if folded in seen:
            raise InvalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        if folded.startswith("aws:"):
            raise InvalidInput("Tag keys beginning with aws: are reserved for system use.")
        seen.add(folded)
        for key in [key for key in tags if key.lower() == folded]:
            del tags[key]
        tags[tag["Key"]] = tag["Value"]
    if len(tags) > _MAX_TAGS:
        raise LimitExceeded("The number of tags has reached the maximum limit.")
    return tags


def tag_list(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def page(items: Sequence[Any], parameters: Parameters, *, member: str, key: Callable[[Any], str]) -> Output:
    """One page of `items`, sorted by `key`: `member`, IsTruncated and Marker.

    Raises:
        ValidationError: a marker that no list call gave.
    """
    ordered = sorted(items, key=key)
    if marker := parameters.get("Marker"):
        try:
            after = base64.b64decode(str(marker), altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise ValidationError("Invalid Marker.") from error
        ordered = [item for item in ordered if key(item) > after]
    limit = int(parameters.get("MaxItems", 100))
    shown = ordered[:limit]
    result: Output = {member: shown, "IsTruncated": len(ordered) > limit}
    if result["IsTruncated"]:
        result["Marker"] = base64.urlsafe_b64encode(key(shown[-1]).encode()).decode()
    return result


def under_path(entities: Sequence[N], parameters: Parameters) -> list[N]:
    prefix = parameters.get("PathPrefix", "/")
    return [entity for entity in entities if entity.path.startswith(prefix)]
