"""IAM's policy simulator over the engine that decides the real calls.

Source: IAM API Reference, SimulatePrincipalPolicy and SimulateCustomPolicy.
"""

import itertools
import re
from collections.abc import Sequence

from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    PrincipalKind,
    authorize,
)
from iambridge.core.iam_policy.elements import TRUST_ACTIONS
from iambridge.core.iam_policy.request import Question
from iambridge.errors import InvalidInput, NoSuchEntity, NotImplementedBySandbox
from iambridge.sandbox.aws.entities import Group, Role, User
from iambridge.sandbox.aws.entities import Principal as Entity
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page
from iambridge.sandbox.aws.sts_facts import StsFacts

_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9_.-]+")
_NOT_MODELLED = ("ResourceHandlingOption", "OrderedOrganizationPolicyInputList", "PolicyExclusionList")
_LONGEST = 1_000_000
_ENTITIES: dict[str, type[Entity]] = {"user": User, "group": Group, "role": Role}


def simulate_custom_policy(account: IamAccount, parameters: Parameters) -> Output:
    """Nothing but the given documents is in play."""
    return _simulate(account, parameters, Policies(), _caller(account, parameters.get("CallerArn", "")))


def simulate_principal_policy(account: IamAccount, parameters: Parameters) -> Output:
    """The policies of a user (with those of its groups), a group or a role, and the given documents beside them.

    Raises:
        NoSuchEntity: the source is not in the account.
    """
    arn = parameters["PolicySourceArn"]
    entity = _source(account, arn)
    facts = StsFacts(account)
    if isinstance(entity, Group):
        return _simulate(account, parameters, Policies(identity=facts.documents(entity)), _caller(account, ""))
    principal = _caller(account, parameters.get("CallerArn", "") or arn)
    return _simulate(account, parameters, facts.policies(_caller(account, arn), None), principal)


def _source(account: IamAccount, arn: str) -> Entity:
    kind = _ENTITIES.get(arn.rpartition(":")[2].partition("/")[0])
    entity = account.store.get(kind, arn.rpartition("/")[2].lower()) if kind is not None else None
    if entity is None or account.arn(entity) != arn:
        raise NoSuchEntity(f"No such entity: {arn}")
    return entity


def _caller(account: IamAccount, arn: str) -> Principal:
    if not arn:
        return Principal(arn="", account=account.account_id, kind=PrincipalKind.USER)
    try:
        bare = Principal.from_arn(arn)
    except ValueError as error:
        raise InvalidInput(f"Invalid ARN: {arn}") from error
    kinds: dict[PrincipalKind, type[Entity]] = {PrincipalKind.USER: User, PrincipalKind.ROLE: Role}
    kind = kinds.get(PrincipalKind(bare.kind))
    entity = account.store.get(kind, arn.rpartition("/")[2].lower()) if kind is not None else None
    if entity is None or account.arn(entity) != arn:
        return bare
    return Principal.from_arn(arn, user_id=entity.id, tags=entity.tags)


def _simulate(account: IamAccount, parameters: Parameters, own: Policies, principal: Principal) -> Output:
    for name in _NOT_MODELLED:
        if parameters.get(name):
            raise NotImplementedBySandbox(f"{name} is not available in this sandbox's policy simulator.")
    resource_policy = parameters.get("ResourcePolicy")
    trust = all(action.lower() in TRUST_ACTIONS for action in parameters["ActionNames"])
    kind = PolicyKind.TRUST if trust else PolicyKind.RESOURCE
    boundary = _documents(parameters, "PermissionsBoundaryPolicyInputList")
    policies = Policies(
        identity=own.identity + _documents(parameters, "PolicyInputList"),
        # a given boundary takes the place of the principal's own
        boundary=boundary or own.boundary,
        resource=(_document("ResourcePolicy", resource_policy, kind),) if resource_policy else None,
    )
    asked = itertools.product(parameters["ActionNames"], parameters.get("ResourceArns") or ["*"])
    context = _context(parameters)
    owner = parameters.get("ResourceOwner", "").rpartition("::")[2].partition(":")[0] or account.account_id
    results = [
        _result(AuthorizationRequest(principal, _action(action), resource, owner, context), policies)
        for action, resource in asked
    ]
    numbered = list(enumerate(results))
    found = page(numbered, parameters, member="EvaluationResults", key=lambda item: f"{item[0]:08}")
    found["EvaluationResults"] = [result for _, result in found["EvaluationResults"]]
    return found


def _action(name: str) -> str:
    if not _ACTION.fullmatch(name):
        raise InvalidInput(f"Invalid action name: {name}")
    return name


def _documents(parameters: Parameters, name: str) -> tuple[NamedDocument, ...]:
    given = parameters.get(name) or ()
    return tuple(_document(f"{name}.{i}", text, PolicyKind.IDENTITY) for i, text in enumerate(given, 1))


def _document(name: str, text: str, kind: PolicyKind) -> NamedDocument:
    return NamedDocument(name, PolicyDocument.parse(text, kind=kind, limit=_LONGEST))


def _context(parameters: Parameters) -> dict[str, str | tuple[str, ...]]:
    context: dict[str, str | tuple[str, ...]] = {}
    for entry in parameters.get("ContextEntries") or ():
        values = tuple(entry.get("ContextKeyValues") or ())
        several = entry.get("ContextKeyType", "string").endswith("List") or len(values) != 1
        context[entry.get("ContextKeyName", "")] = values if several else values[0]
    return context


def _result(request: AuthorizationRequest, policies: Policies) -> Output:
    decision = authorize(request, policies, explain=False)
    matched = [
        {"SourcePolicyId": reason.facts["document"], "SourcePolicyType": "IAM Policy"}
        for reason in decision.reasons
        if "statement" in reason.facts
    ]
    return {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": decision.outcome.value,
        "MatchedStatements": matched,
        "MissingContextValues": _missing(request, policies),
    }


def _missing(request: AuthorizationRequest, policies: Policies) -> list[str]:
    """Keys that the statements for the action ask for and the request does not have."""
    question = Question(request)
    documents = (*policies.identity, *(policies.boundary or ()), *(policies.resource or ()))
    keys = [key for named in documents for key in named.document.context_keys(question.action)]
    return list({key.lower(): key for key in keys if question.lookup(key.lower()) is None}.values())


def get_context_keys_for_custom_policy(account: IamAccount, parameters: Parameters) -> Output:
    """The condition keys and variables that documents ask for, each once."""
    del account
    documents = [
        PolicyDocument.parse(text, kind=PolicyKind.IDENTITY, limit=_LONGEST) for text in parameters["PolicyInputList"]
    ]
    return {"ContextKeyNames": _key_names(documents)}


def get_context_keys_for_principal_policy(account: IamAccount, parameters: Parameters) -> Output:
    """Those of a user's (with its groups'), a group's or a role's own policies, and of the documents given beside."""
    entity, facts = _source(account, parameters["PolicySourceArn"]), StsFacts(account)
    own = (
        facts.documents(entity)
        if isinstance(entity, Group)
        else facts.policies(_caller(account, account.arn(entity)), None).identity
    )
    given = [
        PolicyDocument.parse(text, kind=PolicyKind.IDENTITY, limit=_LONGEST)
        for text in parameters.get("PolicyInputList", [])
    ]
    return {"ContextKeyNames": _key_names([*(named.document for named in own), *given])}


def _key_names(documents: Sequence[PolicyDocument]) -> list[str]:
    return list({key.lower(): key for document in documents for key in document.context_keys()}.values())


OPERATIONS = {
    "GetContextKeysForCustomPolicy": get_context_keys_for_custom_policy,
    "GetContextKeysForPrincipalPolicy": get_context_keys_for_principal_policy,
    "SimulateCustomPolicy": simulate_custom_policy,
    "SimulatePrincipalPolicy": simulate_principal_policy,
}
