"""Access denied in AWS's words, by the policy type that denied.

Source: IAM User Guide, "Troubleshoot access denied error messages".
"""

from iambridge.core.decision import Decision, Outcome
from iambridge.core.iam_policy.layers import Layer
from iambridge.core.iam_policy.request import AuthorizationRequest


def access_denied_message(request: AuthorizationRequest, decision: Decision) -> str:
    """The `Message` of AccessDenied. An action without a resource (`*`) names none; S3 puts its resource in quotes."""
    action = request.action
    text = f"User: {request.principal.arn} is not authorized to perform: {action}"
    if request.resource != "*":
        quoted = action.lower().startswith("s3:")
        text += f' on resource: "{request.resource}"' if quoted else f" on resource: {request.resource}"
    policy = decision.reasons[-1].facts.get("policy", "") if decision.reasons else ""
    if not policy or action.lower().startswith("sts:assumerole"):
        return text
    if decision.outcome is Outcome.EXPLICIT_DENY:
        return f"{text} with an explicit deny in {Layer(policy).article} {policy}"
    return f"{text} because no {policy} allows the {action} action"
