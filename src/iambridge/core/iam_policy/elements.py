"""The elements of a statement: Principal, Action, Resource and Condition, read with their faults.

Source: IAM User Guide, "IAM JSON policy element reference".
"""

import re
from typing import Final

from iambridge.core.iam_policy.conditions import Condition, OperatorName, UnknownOperatorError
from iambridge.core.iam_policy.json_text import JsonObject
from iambridge.core.iam_policy.matching import split_arn
from iambridge.core.iam_policy.operators import UncomparableValueError
from iambridge.core.iam_policy.principals import FAMILIES, PrincipalElement, fault_in
from iambridge.core.iam_policy.reading import SYNTAX, PolicyKind, Reading, is_text
from iambridge.core.iam_policy.statement import EVERYTHING, ActionElement, ResourceElement
from iambridge.core.iam_policy.variables import VariableError, tokens

_WITH_PRINCIPAL: Final = frozenset(
    {PolicyKind.RESOURCE, PolicyKind.TRUST, PolicyKind.RESOURCE_CONTROL, PolicyKind.ENDPOINT}
)
TRUST_ACTIONS: Final = (
    "sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity", "sts:tagsession",
    "sts:setsourceidentity", "sts:setcontext",
)  # fmt: skip
"""What a role's trust policy is about, in lower case."""
_ACTION: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9*?_.-]+\Z")
_VENDOR: Final = re.compile(r"[A-Za-z0-9-]+\Z")
_PARTITION: Final = re.compile(r"aws(?:-[a-z]+)*\Z|[a-z*?-]*[*?][a-z*?-]*\Z")
_FEDERATED: Final = "Federated principals must be valid domain names or SAML metadata ARNs"
_NO_VENDOR: Final = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."


def _one_of(reading: Reading, entry: JsonObject, path: str, name: str, missing: str) -> str:
    """Which of NAME and NotNAME the statement has, or empty after a fault."""
    present = [choice for choice in (name, f"Not{name}") if choice in entry]
    if len(present) == 1:
        return present[0]
    if present:
        reading.fault(f"{path}.Not{name}", f"stands beside {name}: a statement has one of them", SYNTAX)
    else:
        reading.fault(path, f"has neither {name} nor Not{name}", missing)
    return ""


def action(reading: Reading, entry: JsonObject, path: str) -> ActionElement | None:
    name = _one_of(reading, entry, path, "Action", "Policy statement must contain actions.")
    if not name:
        return None
    values = reading.texts(entry[name], f"{path}.{name}", "Policy statement must contain actions.")
    for where, value in values:
        if value not in EVERYTHING and not _ACTION.match(value):
            vendor, colon, _ = value.partition(":")
            if not colon:
                reading.fault(where, f"`{value}` names no service, as s3:GetObject", _NO_VENDOR)
            elif "*" in vendor or "?" in vendor:
                reading.fault(where, f"`{value}`: a service takes no wildcard", f"Vendor {vendor} is not valid")
            elif not _VENDOR.match(vendor):
                reading.fault(where, f"`{vendor}` is no service's name", f"Vendor {vendor} is not valid")
            elif value.count(":") > 1:
                reading.fault(where, f"`{value}` has two colons", "Actions/Condition can contain only one colon.")
            else:
                reading.fault(where, f"`{value}` is not service:Action", SYNTAX)
        elif reading.kind is PolicyKind.TRUST and not any(
            ActionElement([value], negated=False).matches(known) for known in TRUST_ACTIONS
        ):
            reading.fault(
                where, f"`{value}` is not an action of a trust policy",
                "AssumeRole policy may only specify STS AssumeRole actions.",
            )  # fmt: skip
    return ActionElement([value for _, value in values], negated=name == "NotAction")


def resource(reading: Reading, entry: JsonObject, path: str) -> ResourceElement | None:
    if reading.kind is PolicyKind.TRUST:
        for name in ("Resource", "NotResource"):
            if name in entry:
                reading.fault(f"{path}.{name}", "a trust policy has no resource", f"Has prohibited field {name}")
        return None
    if reading.kind is PolicyKind.RESOURCE and "NotResource" not in entry and _of_a_repository(entry):
        return None
    name = _one_of(reading, entry, path, "Resource", "Policy statement must contain resources.")
    if not name:
        return None
    values = reading.texts(entry[name], f"{path}.{name}", "Policy statement must contain resources.")
    for where, value in values:
        if value != "*":
            _resource_arn(reading, where, value)
    if reading.faults:
        return None
    return ResourceElement([value for _, value in values], negated=name == "NotResource", variables=reading.variables)


def _of_a_repository(entry: JsonObject) -> bool:
    """Whether a statement without Resource is about the ECR repository that its policy is attached to.

    Source: Amazon ECR User Guide, "Private repository policies": their statements have no Resource.
    """
    given = entry.get("Action")
    listed = given if isinstance(given, list) else [given]
    ours = [is_text(value) and str(value).lower().startswith("ecr:") for value in listed]
    return "Resource" not in entry and bool(ours) and all(ours)


def _resource_arn(reading: Reading, where: str, value: str) -> None:
    try:
        segments = split_arn(tokens(value, variables=reading.variables))
    except VariableError as fault:
        reading.fault(where, str(fault), SYNTAX)
        return
    if segments is None or segments[0] != ["arn"]:
        reading.fault(where, f"`{value}` is neither an ARN nor `*`", f'Resource {value} must be in ARN format or "*".')
        return
    _, partition, service = value.split(":", 3)[:3]
    if not _PARTITION.match(partition):
        reading.fault(
            where, f"`{partition}` is not a partition", f'Partition "{partition}" is not valid for resource "{value}".'
        )
    if not service or "*" in service or "?" in service:
        reading.fault(
            where, f"`{value}`: the service takes no wildcard",
            "Resource vendor must be fully qualified and cannot contain regexes.",
        )  # fmt: skip


def principal(reading: Reading, entry: JsonObject, path: str) -> PrincipalElement | None:
    if reading.kind not in _WITH_PRINCIPAL:
        for name in ("Principal", "NotPrincipal"):
            if name in entry:
                reading.fault(
                    f"{path}.{name}", f"a {reading.kind} policy has no principal",
                    "Policy document should not specify a principal.",
                )  # fmt: skip
        return None
    name = _one_of(reading, entry, path, "Principal", "Missing required field Principal")
    if not name:
        return None
    path = f"{path}.{name}"
    if name == "NotPrincipal" and reading.kind is PolicyKind.TRUST:
        reading.fault(path, "a trust policy names whom it trusts by Principal", "Has prohibited field NotPrincipal")
    pairs = _principal_pairs(reading, entry[name], path)
    if reading.kind is PolicyKind.RESOURCE_CONTROL and (name != "Principal" or pairs != [("AWS", "*")]):
        reading.fault(path, "a resource-control policy has the principal `*` only", SYNTAX)
    return PrincipalElement(pairs, negated=name == "NotPrincipal")


def _principal_pairs(reading: Reading, given: object, path: str) -> list[tuple[str, str]]:
    if given == "*":
        return [("AWS", "*")]
    if not isinstance(given, JsonObject):
        shown = f"`{given}` " if is_text(given) else ""
        reading.fault(path, f"{shown}is neither `*` nor an object", "Invalid principal in policy")
        return []
    reading.repeated(given, path)
    if not given:
        reading.fault(path, "is empty", "Invalid principal in policy")
    pairs: list[tuple[str, str]] = []
    for family, values in given.items():
        if family not in FAMILIES:
            reading.unknown_name(path, family, FAMILIES)
            continue
        for where, value in reading.texts(values, f"{path}.{family}", "Invalid principal in policy"):
            wrong = fault_in(family, value)
            if wrong:
                aws = _FEDERATED if family == "Federated" else f'Invalid principal in policy: "{family}":"{value}"'
                reading.fault(where, wrong, aws)
            pairs.append((family, value))
    return pairs


def conditions(reading: Reading, entry: JsonObject, path: str) -> tuple[Condition, ...]:
    if "Condition" not in entry:
        return ()
    block = entry["Condition"]
    path = f"{path}.Condition"
    if not isinstance(block, JsonObject):
        reading.fault(path, "is not an object", SYNTAX)
        return ()
    reading.repeated(block, path)
    made: list[Condition] = []
    for name, keys in block.items():
        known = _is_operator(reading, name, f"{path}.{name}")
        if not isinstance(keys, JsonObject):
            if known:
                reading.fault(f"{path}.{name}", "is not an object of condition keys", SYNTAX)
            continue
        reading.repeated(keys, f"{path}.{name}")
        for key, given in keys.items():
            values = _values(reading, f"{path}.{name}.{key}", key, given)
            condition = _condition(reading, name, key, values) if known else None
            if condition is not None:
                made.append(condition)
    return tuple(made)


def _is_operator(reading: Reading, name: str, path: str) -> bool:
    try:
        OperatorName.parse(name)
    except UnknownOperatorError as fault:
        reading.fault(path, str(fault), f"Invalid Condition type : {name}")
        return False
    return True


def _values(reading: Reading, path: str, key: str, given: object) -> list[tuple[str, str]]:
    """(path, text) of each value of a condition key."""
    if ":" not in key:
        reading.fault(path, f"the key `{key}` names no service, as aws:SourceIp", _NO_VENDOR)
    values: list[tuple[str, str]] = []
    for index, value in enumerate(given if isinstance(given, list) else [given]):
        where = f"{path}[{index}]" if isinstance(given, list) else path
        if isinstance(value, bool):
            values.append((where, "true" if value else "false"))
        elif isinstance(value, str):
            values.append((where, str(value)))
        else:
            reading.fault(where, "is neither a string, a number nor a boolean", SYNTAX)
    return values


def _condition(reading: Reading, name: str, key: str, values: list[tuple[str, str]]) -> Condition | None:
    before = len(reading.faults)
    for where, value in values:
        try:
            Condition(name, key, [value], variables=reading.variables)
        except UncomparableValueError as fault:
            reading.fault(where, str(fault), SYNTAX)
    if len(reading.faults) > before:
        return None
    return Condition(name, key, [value for _, value in values], variables=reading.variables)
