"""One request of `iambridge simulate`: read with every fault, judged, and spelled as SimulateCustomPolicy answers.

Source: IAM API Reference, SimulateCustomPolicy; keys that AWS has not are marked ours.
"""

import re
from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

from iambridge.core.decision import Decision
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    Layer,
    MalformedPolicyDocument,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    PrincipalKind,
    authorize,
)
from iambridge.core.iam_policy.json_text import LONGEST, JsonError, JsonNumber, JsonObject, load
from iambridge.core.iam_policy.layers import in_play
from iambridge.core.iam_policy.operators import binary, boolean, date, network, number
from iambridge.core.iam_policy.request import Question

_LONGEST_REQUEST: Final = 16 * 1024 * 1024
_NAMES: Final = (
    "CallerArn", "ActionNames", "ResourceArns", "ResourceOwner", "PolicyInputList",
    "PermissionsBoundaryPolicyInputList", "ResourcePolicy", "ContextEntries",
    "SessionPolicies", "ServiceControlPolicies", "ResourceControlPolicies", "EndpointPolicies",  # ours
)  # fmt: skip
_ACTION: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9_.-]+\Z")
_ACCOUNT: Final = re.compile(r"(?:arn:[a-z-]+:iam::)?([0-9]{12})(?::root)?\Z")
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z")
_TYPES: Final[dict[str, Callable[[str], object]]] = {
    "string": str, "numeric": number, "boolean": boolean, "ip": network, "binary": binary, "date": date,
}  # fmt: skip
_POLICY_TYPES: Final = {
    Layer.IDENTITY: "PolicyInputList",
    Layer.BOUNDARY: "PermissionsBoundaryPolicyInputList",
    Layer.RESOURCE: "ResourcePolicy",
    Layer.SESSION: "SessionPolicies",
    Layer.SERVICE_CONTROL: "ServiceControlPolicies",
    Layer.RESOURCE_CONTROL: "ResourceControlPolicies",
    Layer.ENDPOINT: "EndpointPolicies",
}


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
                self.fault(name, "is not an input of simulate")
        principal = self._principal(value)
        actions = self._texts(value, "ActionNames", required=True)
        for index, action in actions.items():
            if not _ACTION.match(action):
                self.fault(f"ActionNames[{index}]", f"`{action}` is not one action, as s3:GetObject")
        resources = self._texts(value, "ResourceArns") or {0: "*"}
        for index, resource in resources.items():
            if resource != "*" and (resource.count(":") < 5 or not resource.startswith("arn:")):
                self.fault(f"ResourceArns[{index}]", f"`{resource}` is neither an ARN nor `*`")
        owner = self._owner(value)
        policies = self._policies(value, list(actions.values()))
        context = self._context(value)
        if self.errors:
            return []
        results = []
        for action, resource in product(actions.values(), resources.values()):
            account = (resource.split(":", 5)[4] if resource != "*" else "") or owner or principal.account
            request = AuthorizationRequest(principal, action, resource, account, context)
            results.append(_result(request, policies))
        return results

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
        if ":oidc-provider/" in caller or ":saml-provider/" in caller:
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
        trust = bool(actions) and all(action.lower().startswith("sts:assumerole") for action in actions)
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
            self.fault(f"{path}.ContextKeyName", "is not a string")
        given = entry.get("ContextKeyValues")
        values = (
            [str(one).lower() if isinstance(one, bool) else one for one in given] if isinstance(given, list) else []
        )
        if not isinstance(given, list) or not all(isinstance(one, str) for one in values):
            self.fault(f"{path}.ContextKeyValues", "is not a list of strings")
            values = []
        texts = tuple(str(one) for one in values)
        kind = entry.get("ContextKeyType", "string" if len(texts) == 1 else "stringList")
        base = str(kind).removesuffix("List")
        if base not in _TYPES:
            self.fault(f"{path}.ContextKeyType", f"`{kind}` is not one of {', '.join(_TYPES)}, or one with List")
            return str(key), texts
        for index, text in enumerate(texts):
            if _TYPES[base](text) is None:
                self.fault(f"{path}.ContextKeyValues[{index}]", f"`{text}` is not of the type {base}")
        if base != kind:
            return str(key), texts
        if isinstance(given, list) and len(given) != 1:
            self.fault(f"{path}.ContextKeyValues", f"the type {kind} has exactly one value; {kind}List has several")
        return str(key), texts[0] if texts else ()


def _result(request: AuthorizationRequest, policies: Policies) -> dict[str, object]:
    decision = authorize(request, policies, explain=True)
    deciding = authorize(request, policies, explain=False)
    return {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": decision.outcome.value,
        "MatchedStatements": _matched(deciding),
        "MissingContextValues": _missing(request, policies),
        "Reasons": [
            {"Code": r.code, "Text": r.text, "Where": r.where, "Held": r.held, "Facts": dict(r.facts)}
            for r in decision.reasons
        ],
    }


def _matched(decision: Decision) -> list[dict[str, object]]:
    """The statements that decided."""
    return [
        {
            "SourcePolicyId": reason.facts["document"],
            "SourcePolicyType": _POLICY_TYPES[Layer(reason.facts["policy"])],
            "StatementIndex": int(reason.facts["statement"]),
            "Sid": reason.facts["sid"],
        }
        for reason in decision.reasons
        if "statement" in reason.facts
    ]


def _missing(request: AuthorizationRequest, policies: Policies) -> list[str]:
    """Keys that the statements for this action ask for and the request does not have."""
    question = Question(request)
    missing: dict[str, str] = {}
    for _, named in in_play(policies):
        for key in named.document.context_keys(question.action):
            if question.lookup(key.lower()) is None:
                missing.setdefault(key.lower(), key)
    return list(missing.values())
