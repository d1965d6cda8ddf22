"""What a simulation is given, read with every fault told as InvalidInput.

Source: IAM API Reference, SimulatePrincipalPolicy, SimulateCustomPolicy and ContextEntry.
"""

import re
from collections.abc import Iterable, Sequence

from iambridge.core.iam_policy import (
    MalformedPolicyDocument,
    NamedDocument,
    PolicyDocument,
    PolicyKind,
    Principal,
    PrincipalKind,
)
from iambridge.core.iam_policy.operators import CONTEXT_KEY_TYPES
from iambridge.core.iam_policy.principals import ACCOUNT
from iambridge.core.iam_policy.request import ACTION_NAME, RESOURCE_ARN
from iambridge.errors import InvalidInput, NotImplementedBySandbox
from iambridge.sandbox.aws.entities import Group, Role, User
from iambridge.sandbox.aws.entities import Principal as Entity
from iambridge.sandbox.aws.iam_account import IamAccount, Parameters

ENTITIES: dict[str, type[Entity]] = {"user": User, "group": Group, "role": Role}
_NOT_MODELLED = ("OrderedOrganizationPolicyInputList", "PolicyExclusionList")
_LONGEST = 1_000_000
_OWNER = re.compile(r"(?:arn:aws:iam::)?([0-9]{12})(?::root)?")
_INSTANCE = ("instance", "image", "security-group", "network-interface")
# ResourceHandlingOption: the kinds of EC2's resources that a scenario must name
_SCENARIOS = {
    "EC2-VPC-InstanceStore": _INSTANCE,
    "EC2-VPC-InstanceStore-Subnet": (*_INSTANCE, "subnet"),
    "EC2-VPC-EBS": (*_INSTANCE, "volume"),
    "EC2-VPC-EBS-Subnet": (*_INSTANCE, "subnet", "volume"),
}


def refuse_not_modelled(parameters: Parameters) -> None:
    """Raises NotImplementedBySandbox."""
    for name in _NOT_MODELLED:
        if parameters.get(name):
            raise NotImplementedBySandbox(f"{name} is not available in this sandbox's policy simulator.")


def documents(parameters: Parameters, name: str) -> tuple[NamedDocument, ...]:
    """The identity policies of a list, named `NAME.1` and so on."""
    given = parameters.get(name) or ()
    return tuple(document(f"{name}.{i}", text, PolicyKind.IDENTITY) for i, text in enumerate(given, 1))


def document(name: str, text: str, kind: PolicyKind) -> NamedDocument:
    try:
        return NamedDocument(name, PolicyDocument.parse(text, kind=kind, limit=_LONGEST))
    except MalformedPolicyDocument as error:
        told = "; ".join(f"{fault.path or 'document'}: {fault.message}" for fault in error.faults)
        raise InvalidInput(f"Invalid Input Policy: {name}: {error.message} ({told})") from error


def boundary(parameters: Parameters) -> tuple[NamedDocument, ...]:
    """The boundary given, if any: an entity has one at most."""
    found = documents(parameters, "PermissionsBoundaryPolicyInputList")
    if len(found) > 1:
        raise InvalidInput("PermissionsBoundaryPolicyInputList takes only one policy.")
    return found


def actions(parameters: Parameters) -> list[str]:
    for name in parameters["ActionNames"]:
        if not ACTION_NAME.match(name):
            raise InvalidInput(f"Invalid action name: {name}", fix="name actions in full, as s3:GetObject")
    return list(dict.fromkeys(parameters["ActionNames"]))


def resources(parameters: Parameters) -> list[str]:
    """`*` when none are given. A scenario that is named must have its resources among them."""
    found = list(dict.fromkeys(parameters.get("ResourceArns") or ["*"]))
    for arn in found:
        if arn != "*" and not RESOURCE_ARN.match(arn):
            raise InvalidInput(f"Invalid resource ARN: {arn}")
    if scenario := parameters.get("ResourceHandlingOption"):
        if scenario not in _SCENARIOS:
            raise InvalidInput(f"Invalid ResourceHandlingOption: {scenario}", fix=f"one of {', '.join(_SCENARIOS)}")
        kinds = {arn.split(":", 5)[5].partition("/")[0] for arn in found if arn.startswith("arn:")}
        if missing := [kind for kind in _SCENARIOS[scenario] if kind not in kinds]:
            raise InvalidInput(f"{scenario} needs resources that are not given: {', '.join(missing)}")
    return found


def source(account: IamAccount, arn: str) -> Entity | None:
    """The user, group or role of an ARN; None when the account has none.

    Raises:
        InvalidInput: the ARN of something else.
    """
    kind = ENTITIES.get(arn.rpartition(":")[2].partition("/")[0])
    if kind is None or not arn.startswith("arn:aws:iam::"):
        raise InvalidInput(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    return account.of_arn(kind, arn)


def caller(account: IamAccount, arn: str) -> Principal:
    """The simulated caller: one who is in the account has its id and tags; a group, or none, has no name.

    Raises:
        InvalidInput: not the ARN of a user, group or role.
    """
    nobody = Principal(arn="", account=account.account_id, kind=PrincipalKind.USER)
    if not arn:
        return nobody
    entity = source(account, arn)
    if ":group/" in arn:
        return nobody
    try:
        bare = Principal.from_arn(arn)
    except ValueError as error:
        raise InvalidInput(f"Invalid ARN: {arn}") from error
    return bare if entity is None else Principal.from_arn(arn, user_id=entity.id, tags=entity.tags)


def owner(parameters: Parameters, resource: str, principal: Principal) -> str:
    """The account that a resource is of: its ARN's, else ResourceOwner, else the caller's.

    Without a resource policy the caller's: only what may be granted there makes another account's side count.
    """
    given = parameters.get("ResourceOwner", "")
    found = _OWNER.fullmatch(given)
    if given and found is None:
        raise InvalidInput(f"Invalid resource owner: {given}")
    if found is None and "ResourcePolicy" not in parameters:
        return principal.account
    own = resource.split(":", 5)[4] if resource != "*" else ""
    if ACCOUNT.match(own):
        return own
    return found[1] if found is not None else principal.account


def context(entries: Iterable[Parameters]) -> dict[str, str | tuple[str, ...]]:
    """The condition keys given, each of one value, or of several where its type is a list."""
    found: dict[str, str | tuple[str, ...]] = {}
    for index, entry in enumerate(entries, 1):
        name, kind = entry.get("ContextKeyName", ""), entry.get("ContextKeyType", "string")
        values: Sequence[str] = entry.get("ContextKeyValues") or ()
        base = kind.removesuffix("List")
        if not name:
            raise InvalidInput(f"ContextEntries.{index} has no ContextKeyName.")
        for value in values:
            if CONTEXT_KEY_TYPES[base](value) is None:
                raise InvalidInput(f"Invalid value for the context key {name}: {value} is not of the type {base}.")
        if base == kind and len(values) > 1:
            raise InvalidInput(f"The context key {name} has several values: its type is {kind}, not {kind}List.")
        found[name] = tuple(values) if base != kind or not values else values[0]
    return found
