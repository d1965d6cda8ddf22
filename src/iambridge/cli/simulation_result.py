"""One result of `iambridge simulate`, as SimulateCustomPolicy spells an EvaluationResult; Reasons are ours."""

from typing import Final

from iambridge.core.decision import Decision
from iambridge.core.iam_policy import AuthorizationRequest, Layer, Policies, authorize
from iambridge.core.iam_policy.layers import in_play
from iambridge.core.iam_policy.request import Question

_POLICY_TYPES: Final = {
    Layer.IDENTITY: "PolicyInputList",
    Layer.BOUNDARY: "PermissionsBoundaryPolicyInputList",
    Layer.RESOURCE: "ResourcePolicy",
    Layer.SESSION: "SessionPolicies",
    Layer.SERVICE_CONTROL: "ServiceControlPolicies",
    Layer.RESOURCE_CONTROL: "ResourceControlPolicies",
    Layer.ENDPOINT: "EndpointPolicies",
}


def result_of(request: AuthorizationRequest, policies: Policies) -> dict[str, object]:
    """The decision of one action on one resource; the last of its Reasons is the verdict, a denial's with a Fix."""
    decision = authorize(request, policies, explain=True)
    reasons: list[dict[str, object]] = [
        {"Code": r.code, "Text": r.text, "Where": r.where, "Held": r.held, "Facts": dict(r.facts)}
        for r in decision.reasons
    ]
    if decision.fix:
        reasons[-1]["Fix"] = decision.fix
    return {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": decision.outcome.value,
        "MatchedStatements": _matched(decision, authorize(request, policies, explain=False)),
        "MissingContextValues": _missing(request, policies),
        "Reasons": reasons,
    }


def _matched(decision: Decision, deciding: Decision) -> list[dict[str, object]]:
    """The statements that decided: every Deny that matches, or every Allow of the policy types that allowed."""
    layers = {reason.facts["policy"] for reason in deciding.reasons if "statement" in reason.facts}
    allowed = decision.allowed
    return [
        {
            "SourcePolicyId": reason.facts["document"],
            "SourcePolicyType": _POLICY_TYPES[Layer(reason.facts["policy"])],
            "StatementIndex": int(reason.facts["statement"]),
            "Sid": reason.facts["sid"],
        }
        for reason in decision.reasons
        if "statement" in reason.facts and layers and reason.held is allowed
        if not allowed or reason.facts["policy"] in layers
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
