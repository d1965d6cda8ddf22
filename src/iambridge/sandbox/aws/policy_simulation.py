"""IAM's policy simulator over the engine that decides the real calls.

Source: IAM API Reference, SimulatePrincipalPolicy, SimulateCustomPolicy, EvaluationResult and ResourceSpecificResult.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from iambridge.core.decision import Outcome
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    authorize,
)
from iambridge.core.iam_policy.elements import TRUST_ACTIONS
from iambridge.core.iam_policy.request import Question
from iambridge.errors import InvalidInput, NoSuchEntity, NotImplementedBySandbox
from iambridge.sandbox.aws import action_catalogue, simulation_inputs, statement_positions
from iambridge.sandbox.aws.entities import Group, User
from iambridge.sandbox.aws.entities import Principal as Entity
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page
from iambridge.sandbox.aws.sts_facts import StsFacts

# the most restrictive one is told of several resources
_SEVERITY = (Outcome.EXPLICIT_DENY, Outcome.IMPLICIT_DENY, Outcome.ALLOWED)


class _One(NamedTuple):
    """One action on one resource. `bounded` is whether a boundary allows it, None without one."""

    resource: str
    outcome: Outcome
    matched: list[Output]
    missing: list[str]
    bounded: bool | None


def simulate_custom_policy(account: IamAccount, parameters: Parameters) -> Output:
    """Nothing but the given documents is in play."""
    arn = parameters.get("CallerArn", "")
    if not arn and "ResourcePolicy" in parameters:
        raise InvalidInput("CallerArn is required with a ResourcePolicy.", fix="name the user who is simulated")
    return _simulate(parameters, Policies(), simulation_inputs.caller(account, arn))


def simulate_principal_policy(account: IamAccount, parameters: Parameters) -> Output:
    """The policies of a user (with those of its groups), a group or a role, and the given documents beside them.

    Raises:
        NoSuchEntity: the source is not in the account.
    """
    arn = parameters["PolicySourceArn"]
    entity = _source(account, arn)
    named = parameters.get("CallerArn", "")
    if not named and "ResourcePolicy" in parameters and not isinstance(entity, User):
        raise InvalidInput("CallerArn is required with a ResourcePolicy when PolicySourceArn is not a user's.")
    principal = simulation_inputs.caller(account, named or arn)
    return _simulate(parameters, _own(account, entity), principal)


def _source(account: IamAccount, arn: str) -> Entity:
    entity = simulation_inputs.source(account, arn)
    if entity is None:
        raise NoSuchEntity(f"No such entity: {arn}")
    return entity


def _own(account: IamAccount, entity: Entity) -> Policies:
    facts = StsFacts(account)
    if isinstance(entity, Group):
        return Policies(identity=facts.documents(entity))
    return facts.policies(simulation_inputs.caller(account, account.arn(entity)), None)


def _simulate(parameters: Parameters, own: Policies, principal: Principal) -> Output:
    simulation_inputs.refuse_not_modelled(parameters)
    text = parameters.get("ResourcePolicy")
    trust = all(action.lower() in TRUST_ACTIONS for action in parameters["ActionNames"])
    kind = PolicyKind.TRUST if trust else PolicyKind.RESOURCE
    policies = Policies(
        identity=own.identity + simulation_inputs.documents(parameters, "PolicyInputList"),
        # a given boundary takes the place of the principal's own
        boundary=simulation_inputs.boundary(parameters) or own.boundary,
        resource=(simulation_inputs.document("ResourcePolicy", text, kind),) if text else None,
    )
    context = simulation_inputs.context(parameters.get("ContextEntries") or ())
    resources = simulation_inputs.resources(parameters)
    owners = {arn: simulation_inputs.owner(parameters, arn, principal) for arn in resources}
    results = []
    for action in simulation_inputs.actions(parameters):
        asked = [AuthorizationRequest(principal, action, arn, owners[arn], context) for arn in resources]
        results.append(_result(action, [_one(request, policies) for request in asked]))
    numbered = list(enumerate(results))
    found = page(numbered, parameters, member="EvaluationResults", key=lambda item: f"{item[0]:08}")
    found["EvaluationResults"] = [result for _, result in found["EvaluationResults"]]
    return found


def _one(request: AuthorizationRequest, policies: Policies) -> _One:
    decision = authorize(request, policies, explain=False)
    in_play = (*policies.identity, *(policies.boundary or ()), *(policies.resource or ()))
    texts = {named.name: named.document.text for named in in_play}
    matched = [
        _matched(str(reason.facts["document"]), int(str(reason.facts["statement"])), texts)
        for reason in decision.reasons
        if "statement" in reason.facts
    ]
    bounded = None
    if policies.boundary is not None:
        # a boundary allows what it would allow as the only policy of a caller in the resource's account
        alone = Policies(identity=policies.boundary)
        bounded = authorize(replace(request, resource_account=request.principal.account), alone).allowed
    return _One(request.resource, decision.outcome, matched, _missing(request, in_play), bounded)


def _result(action: str, ones: Sequence[_One]) -> Output:
    """One action: the decision over all resources, and each resource's own, unless all are meant."""
    outcome = next(severity for severity in _SEVERITY if any(one.outcome is severity for one in ones))
    deciding = [one for one in ones if one.outcome is outcome]
    result: Output = {
        "EvalActionName": action,
        "EvalResourceName": _template(action, ones[0].resource),
        "EvalDecision": outcome.value,
        "MatchedStatements": _each_once([matched for one in deciding for matched in one.matched]),
        "MissingContextValues": list({key.lower(): key for one in ones for key in one.missing}.values()),
    }
    if ones[0].bounded is not None:
        allowed = all(one.bounded for one in ones)
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    if [one.resource for one in ones] != ["*"]:
        result["ResourceSpecificResults"] = [_of_resource(one) for one in ones]
    return result


def _of_resource(one: _One) -> Output:
    result: Output = {
        "EvalResourceName": one.resource,
        "EvalResourceDecision": one.outcome.value,
        "MatchedStatements": one.matched,
        "MissingContextValues": one.missing,
    }
    if one.bounded is not None:
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": one.bounded}
    return result


def _each_once(statements: Sequence[Output]) -> list[Output]:
    return list({str(statement): statement for statement in statements}.values())


def _template(action: str, resource: str) -> str:
    """The ARN's form for the kind of resource that was asked about; `*` where the action has none, or all are meant."""
    prefix, _, name = action.partition(":")
    if resource == "*":
        return "*"
    try:
        kinds = action_catalogue.action(prefix, name).resource_types
    except NotImplementedBySandbox:
        return "*"
    fitting = [kind for kind in kinds if action_catalogue.arn_pattern(kind.template).fullmatch(resource)]
    # the longest fits closest: an object's ARN has a bucket's before its slash
    return max((kind.template for kind in fitting or kinds), key=len, default="*")


def _matched(document: str, index: int, texts: dict[str, str]) -> Output:
    owner, inline, name = document.partition(" inline ")
    if inline:
        described = {"SourcePolicyId": name, "SourcePolicyType": owner.split(":", 5)[5].partition("/")[0]}
    elif document.startswith("arn:"):
        managed = "aws-managed" if document.startswith("arn:aws:iam::aws:") else "user-managed"
        described = {"SourcePolicyId": document.rpartition("/")[2], "SourcePolicyType": managed}
    else:
        described = {
            "SourcePolicyId": document,
            "SourcePolicyType": "resource" if document == "ResourcePolicy" else "none",
        }
    return {**described, **statement_positions.positions(texts[document], index)}


def _missing(request: AuthorizationRequest, in_play: Sequence[NamedDocument]) -> list[str]:
    """Keys that the statements for the action ask for and the request does not have."""
    question = Question(request)
    keys = [key for named in in_play for key in named.document.context_keys(question.action)]
    return list({key.lower(): key for key in keys if question.lookup(key.lower()) is None}.values())


def get_context_keys_for_custom_policy(account: IamAccount, parameters: Parameters) -> Output:
    """The condition keys and variables that documents ask for, each once."""
    del account
    return {"ContextKeyNames": _key_names(simulation_inputs.documents(parameters, "PolicyInputList"))}


def get_context_keys_for_principal_policy(account: IamAccount, parameters: Parameters) -> Output:
    """Those of a user's (with its groups'), a group's or a role's own policies, and of the documents given beside."""
    own = _own(account, _source(account, parameters["PolicySourceArn"])).identity
    return {"ContextKeyNames": _key_names([*own, *simulation_inputs.documents(parameters, "PolicyInputList")])}


def _key_names(documents: Sequence[NamedDocument]) -> list[str]:
    texts: list[PolicyDocument] = [named.document for named in documents]
    return list({key.lower(): key for document in texts for key in document.context_keys()}.values())


OPERATIONS = {
    "GetContextKeysForCustomPolicy": get_context_keys_for_custom_policy,
    "GetContextKeysForPrincipalPolicy": get_context_keys_for_principal_policy,
    "SimulateCustomPolicy": simulate_custom_policy,
    "SimulatePrincipalPolicy": simulate_principal_policy,
}
