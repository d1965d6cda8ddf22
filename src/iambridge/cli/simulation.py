"""One request of `iambridge simulate`: read with every fault, judged, and spelled as SimulateCustomPolicy answers.

Source: IAM API Reference, SimulateCustomPolicy; keys that AWS has not are marked ours.
"""

import difflib
import re
from collections.abc import Sequence
from itertools import product
from typing import Final

from msgspec.structs import replace

from iambridge.cli.simulation_result import result_of
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    Context,
    MalformedPolicyDocument,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    PrincipalKind,
)
from iambridge.core.iam_policy.elements import TRUST_ACTIONS
from iambridge.core.iam_policy.json_text import LONGEST, JsonError, JsonNumber, JsonObject, load
from iambridge.core.iam_policy.operators import CONTEXT_KEY_TYPES
from iambridge.core.iam_policy.principals import ACCOUNT, KNOWN_PROVIDERS, PROVIDER
from iambridge.core.iam_policy.request import ACTION_NAME, RESOURCE_ARN

_LONGEST_REQUEST: Final = 16 * 1024 * 1024
_MOST_REASONS: Final = 500_000
"""Reasons of one answer, about 1.5 KB of memory each: a few kilobytes of request can ask for millions."""
_NAMES: Final = (
    "CallerArn", "ActionNames", "ResourceArns", "ResourceOwner", "PolicyInputList",
    "PermissionsBoundaryPolicyInputList", "ResourcePolicy", "ContextEntries",
    "SessionPolicies", "ServiceControlPolicies", "ResourceControlPolicies", "EndpointPolicies",  # ours
)  # fmt: skip
_LOWERED: Final = {name.lower(): name for name in _NAMES}
_ACCOUNT: Final = re.compile(r"(?:arn:[a-z-]+:iam::)?([0-9]{12})(?::root)?\Z")
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z")


def answer(text: bytes) -> dict[str, object]:
    """{"EvaluationResults": [...]}, one for each action on each resource, or {"Errors": [{Path, Message}]}, all."""
    reading = _Reading()
    try:
        _, value = load(text, longest=_LONGEST_REQUEST)
    except JsonError as error:
        return {"Errors": [{"Path": "", "Message": str(error)}]}
    if not isinstance(value, JsonObject):
        return {"Errors": [{"Path": "", "Message": "a request is a JSON object"}]}
    results = reading.read(value)
    if reading.errors:
        return {"Errors": reading.errors}
    return {"EvaluationResults": results}


def is_request(text: bytes) -> bool:
    """Whether a text is by itself one JSON object that names actions, whatever else is wrong with it."""
    if b"ActionNames" not in text:
        return False
    try:
        value = load(text, longest=_LONGEST_REQUEST)[1]
    except JsonError:
        return False
    return isinstance(value, JsonObject) and "ActionNames" in value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, JsonNumber)


class _Reading:
    def __init__(self) -> None:
        self.errors: list[dict[str, str]] = []

    def fault(self, path: str, message: str) -> None:
        self.errors.append({"Path": path, "Message": message})

    def read(self, value: JsonObject) -> list[dict[str, object]]:
        for name in value.repeated:
            self.fault(name, "is given more than once")
        for name in value:
            if name not in _NAMES:
                near = difflib.get_close_matches(name.lower(), _LOWERED, n=1)
                meant = f"; did you mean {_LOWERED[near[0]]}?" if near else ""
                self.fault(name, f"is not an input of simulate{meant}")
        principal = self._principal(value)
        actions, resources = self._actions(value), self._resources(value)
        owner = self._owner(value)
        policies = self._policies(value, actions)
        context = self._context(value)
        told = 1 + sum(len(named.document.statements) for named in policies.documents())
        if len(actions) * len(resources) * told > _MOST_REASONS:
            asked = f"{len(actions)} actions on {len(resources)} resources, each with {told} reasons"
            self.fault("", f"{asked}, are more than {_MOST_REASONS} reasons: ask for fewer at a time")
        if self.errors:
            return []
        principal = _with_context(principal, context)
        results = []
        for action, resource in product(actions, resources):
            account = _account_of(resource) or owner or principal.account
            request = AuthorizationRequest(principal, action, resource, account, context)
            results.append(result_of(request, policies))
        return results

    def _actions(self, value: JsonObject) -> list[str]:
        actions = self._texts(value, "ActionNames", required=True)
        for index, action in actions.items():
            if not ACTION_NAME.match(action):
                self.fault(f"ActionNames[{index}]", f"`{action}` is not one action, as s3:GetObject")
        return list(actions.values())

    def _resources(self, value: JsonObject) -> list[str]:
        resources = self._texts(value, "ResourceArns")
        for index, resource in resources.items():
            if resource != "*" and not RESOURCE_ARN.match(resource):
                self.fault(f"ResourceArns[{index}]", f"`{resource}` is neither an ARN nor `*`")
        return list(resources.values()) or ["*"]

    def _principal(self, value: JsonObject) -> Principal:
        nobody = Principal(arn="", account="", kind=PrincipalKind.USER)
        if "CallerArn" not in value:
            if "ResourcePolicy" in value:
                self.fault("CallerArn", "is required with ResourcePolicy")
            return nobody
        caller = value["CallerArn"]
        if not _is_text(caller):
            self.fault("CallerArn", "is not a string")
            return nobody
        caller = str(caller)
        if caller == "anonymous":
            return Principal.anonymous()
        if caller in KNOWN_PROVIDERS or PROVIDER.match(caller):
            return Principal(arn=caller, account="", kind=PrincipalKind.FEDERATED)
        if _SERVICE.match(caller):
            return Principal(arn=caller, account="", kind=PrincipalKind.SERVICE)
        try:
            return Principal.from_arn(caller)
        except ValueError as error:
            self.fault("CallerArn", str(error))
            return nobody

    def _owner(self, value: JsonObject) -> str:
        if "ResourceOwner" not in value:
            return ""
        owner = value["ResourceOwner"]
        found = _ACCOUNT.match(str(owner)) if _is_text(owner) else None
        if not found:
            self.fault("ResourceOwner", "is not an account id: a string of 12 digits")
        return found[1] if found else ""

    def _list(self, value: JsonObject, name: str) -> list[object]:
        given = value.get(name, [])
        if isinstance(given, list):
            return given
        self.fault(name, "is not a list")
        return []

    def _texts(self, value: JsonObject, name: str, *, required: bool = False) -> dict[int, str]:
        """The strings of a list by their places in it; whatever else is there is a fault."""
        given = self._list(value, name)
        if required and not given and not any(error["Path"] == name for error in self.errors):
            self.fault(name, "is required, with at least one action")
        for index, text in enumerate(given):
            if not _is_text(text):
                self.fault(f"{name}[{index}]", "is not a string")
        return {index: str(text) for index, text in enumerate(given) if _is_text(text)}

    def _policies(self, value: JsonObject, actions: Sequence[str]) -> Policies:
        trust = bool(actions) and all(action.lower() in TRUST_ACTIONS for action in actions)
        resource = [value["ResourcePolicy"]] if "ResourcePolicy" in value else []
        return Policies(
            identity=self._documents(value, "PolicyInputList", PolicyKind.IDENTITY),
            boundary=self._documents(value, "PermissionsBoundaryPolicyInputList", PolicyKind.BOUNDARY),
            session=self._documents(value, "SessionPolicies", PolicyKind.SESSION),
            endpoint=self._documents(value, "EndpointPolicies", PolicyKind.ENDPOINT),
            resource=tuple(
                one
                for document in resource
                for one in self._document(
                    document, "ResourcePolicy", PolicyKind.TRUST if trust else PolicyKind.RESOURCE
                )
            ),
            service_control=self._levels(value, "ServiceControlPolicies", PolicyKind.SERVICE_CONTROL),
            resource_control=self._levels(value, "ResourceControlPolicies", PolicyKind.RESOURCE_CONTROL),
        )

    def _levels(self, value: JsonObject, name: str, kind: PolicyKind) -> tuple[tuple[NamedDocument, ...], ...]:
        levels = []
        for index, level in enumerate(self._list(value, name)):
            path = f"{name}[{index}]"
            if isinstance(level, list):
                documents = [d for i, one in enumerate(level) for d in self._document(one, f"{path}[{i}]", kind)]
                levels.append(tuple(documents))
            else:
                self.fault(path, "is not a list of documents")
        return tuple(levels)

    def _documents(self, value: JsonObject, name: str, kind: PolicyKind) -> tuple[NamedDocument, ...]:
        given = self._list(value, name)
        return tuple(one for i, entry in enumerate(given) for one in self._document(entry, f"{name}[{i}]", kind))

    def _document(self, given: object, path: str, kind: PolicyKind) -> list[NamedDocument]:
        if not _is_text(given) and not isinstance(given, JsonObject):
            self.fault(path, "is neither a policy document nor the text of one")
            return []
        document = given if isinstance(given, JsonObject) else str(given)
        try:
            return [NamedDocument(path, PolicyDocument.parse(document, kind=kind, limit=LONGEST))]
        except MalformedPolicyDocument as error:
            for fault in error.faults:
                self.fault(f"{path}.{fault.path}".rstrip("."), fault.message)
            return []

    def _context(self, value: JsonObject) -> dict[str, str | tuple[str, ...]]:
        context: dict[str, str | tuple[str, ...]] = {}
        seen: set[str] = set()
        for index, entry in enumerate(self._list(value, "ContextEntries")):
            path = f"ContextEntries[{index}]"
            if not isinstance(entry, JsonObject):
                self.fault(path, "is not an object")
                continue
            for name in entry.repeated:
                self.fault(f"{path}.{name}", "is given more than once")
            for name in entry:
                if name not in ("ContextKeyName", "ContextKeyValues", "ContextKeyType"):
                    self.fault(f"{path}.{name}", "is not a part of a context entry")
            key, values = self._context_entry(entry, path)
            if key and key.lower() in seen:
                self.fault(f"{path}.ContextKeyName", f"`{key}` is given more than once")
            seen.add(key.lower())
            context[key] = values
        return context

    def _context_entry(self, entry: JsonObject, path: str) -> tuple[str, str | tuple[str, ...]]:
        key = entry.get("ContextKeyName", "")
        if not _is_text(key) or not key:
            self.fault(f"{path}.ContextKeyName", "is not a string that names a key")
        given = entry.get("ContextKeyValues")
        values = (
            [str(one).lower() if isinstance(one, bool) else one for one in given] if isinstance(given, list) else []
        )
        if not isinstance(given, list) or not all(isinstance(one, str) for one in values):
            self.fault(f"{path}.ContextKeyValues", "is not a list of strings")
            values = []
        texts = tuple(str(one) for one in values)
        kind = entry.get("ContextKeyType", "string" if len(texts) == 1 else "stringList")
        base = str(kind).removesuffix("List") if _is_text(kind) else ""
        if base not in CONTEXT_KEY_TYPES:
            shown = f"`{kind}`" if _is_text(kind) else "the type"
            known = ", ".join(CONTEXT_KEY_TYPES)
            self.fault(f"{path}.ContextKeyType", f"{shown} is not one of {known}, or one with List")
            return str(key), texts
        for index, text in enumerate(texts):
            if CONTEXT_KEY_TYPES[base](text) is None:
                self.fault(f"{path}.ContextKeyValues[{index}]", f"`{text}` is not of the type {base}")
        if base != kind:
            return str(key), texts
        if isinstance(given, list) and len(given) != 1:
            self.fault(f"{path}.ContextKeyValues", f"the type {kind} has exactly one value; {kind}List has several")
        return str(key), texts[0] if texts else ()


def _account_of(resource: str) -> str:
    """The account in a resource's ARN; empty for an ARN that names none, as S3's or those of policies of AWS."""
    account = resource.split(":", 5)[4] if resource != "*" else ""
    return account if ACCOUNT.match(account) else ""


def _with_context(principal: Principal, context: Context) -> Principal:
    """The caller with what its ARN does not tell: a role's path by aws:PrincipalArn, a unique id by aws:userid."""
    given = {key.lower(): value for key, value in context.items()}
    arn, user_id = given.get("aws:principalarn"), given.get("aws:userid")
    if isinstance(user_id, str):
        principal = replace(principal, user_id=user_id)
    prefix, slash, name = principal.role_arn.rpartition("/")
    if isinstance(arn, str) and slash and arn.startswith(f"{prefix}/") and arn.endswith(f"/{name}"):
        principal = replace(principal, role_arn=arn)
    return principal
