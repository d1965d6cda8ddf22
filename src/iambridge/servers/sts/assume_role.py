"""AssumeRole: the role's trust policy and, but for a caller it names, the caller's own policies.

Source: IAM User Guide, "Policy evaluation logic", "Role chaining"; STS API Reference, AssumeRole.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    PrincipalKind,
    trust_alone,
)
from iambridge.core.role_trust import (
    Context,
    SessionTags,
    TrustedRole,
    actions_asked,
    role_keys,
    role_missing,
    tag_keys,
)
from iambridge.errors import AccessDenied, NotImplementedBySandbox, ValidationError
from iambridge.ports import IamFacts
from iambridge.servers.sigv4_authentication import AuthenticatedCaller
from iambridge.servers.sts.deciding import Unread, caller_keys, decided, denied
from iambridge.servers.sts.issuing import Issuer, WebIdentity
from iambridge.servers.sts.parameters import Faults, RoleRequest, external_id, role_request
from iambridge.servers.sts.tags import inherited, requested_tags
from iambridge.wire.aws_query import Result
from iambridge.wire.http import Request

_CHAINED_SECONDS = 3600
_ACTION = "sts:AssumeRole"


def assume_role(
    parameters: Mapping[str, str],
    request: Request,
    caller: AuthenticatedCaller,
    *,
    iam: IamFacts,
    issuer: Issuer,
    unread: Unread,
    now: dt.datetime,
) -> tuple[Result, Decision]:
    """The answer and the decision behind it.

    Raises:
        AwsError: the refusal of the first check that failed, in AWS's words.
    """
    faults = Faults(parameters)
    external = external_id(faults)
    tags = inherited(requested_tags(parameters, faults), caller)
    asked = role_request(parameters, faults, limited=False)
    if (
        parameters.get("SerialNumber")
        or parameters.get("TokenCode")
        or any(name.startswith("ProvidedContexts.") for name in parameters)
    ):
        raise NotImplementedBySandbox(
            "MFA devices and ProvidedContexts are not modelled", fix="call without SerialNumber and ProvidedContexts"
        )
    if caller.principal.kind == PrincipalKind.ROOT:
        raise AccessDenied("Roles may not be assumed by root accounts.", fix="call as a user or a role session")
    role = iam.role(asked.role_arn)
    context: Context = {
        **caller_keys(caller, request, now),
        **tag_keys(tags),
        **(role_keys(role) if role else {}),
        "sts:RoleSessionName": asked.session_name,
        "sts:DurationSeconds": str(asked.duration),
    }
    if external:
        context["sts:ExternalId"] = external
    action, decision = _judge(role, asked, caller, iam, tags=tags, context=context, unread=unread)
    if role is None or not decision.allowed:
        message = f"User: {caller.principal.arn} is not authorized to perform: {action} on resource: {asked.role_arn}"
        raise denied(message, decision)
    _check_duration(asked, role, caller)
    check_policies_exist(asked.policy_arns, asked.account, iam)
    return issuer.role_session(role, asked, tags, now, WebIdentity()), decision


def _judge(
    role: TrustedRole | None,
    asked: RoleRequest,
    caller: AuthenticatedCaller,
    iam: IamFacts,
    *,
    tags: SessionTags,
    context: Context,
    unread: Unread,
) -> tuple[str, Decision]:
    """The decision, and the action that it is about: which of several was denied is what AWS says."""
    if role is None:
        return _ACTION, role_missing(_ACTION, asked.role_arn)
    policies = replace(iam.policies(caller.principal, caller.session), resource=trust_alone(role.trust).resource)
    reasons: tuple[Reason, ...] = ()
    for action in actions_asked(_ACTION, tags):
        asked_of_policies = AuthorizationRequest(caller.principal, action, role.arn, role.account, context)
        decision = decided(asked_of_policies, policies, unread)
        reasons += decision.reasons
        if not decision.allowed:
            return action, replace(decision, hop=_ACTION, reasons=reasons)
    return _ACTION, Decision(_ACTION, Outcome.ALLOWED, reasons)


def _check_duration(asked: RoleRequest, role: TrustedRole, caller: AuthenticatedCaller) -> None:
    if caller.principal.kind == PrincipalKind.ROLE_SESSION and asked.duration > _CHAINED_SECONDS:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            fix="ask for at most 3600 seconds, or assume the role with a user's key",
        )
    check_max_session_duration(asked, role)


def check_max_session_duration(asked: RoleRequest, role: TrustedRole) -> None:
    """Raises ValidationError when a session longer than the role's maximum is asked for."""
    if asked.duration > role.max_session_duration:
        raise ValidationError(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            fix=f"ask for at most {role.max_session_duration} seconds, or raise the role's MaxSessionDuration",
        )


def check_policies_exist(policy_arns: tuple[str, ...], account: str, iam: IamFacts) -> None:
    """Every managed session policy must exist.

    Raises:
        ValidationError: one does not, or is another account's.
    """
    for arn in policy_arns:
        if not iam.managed_policy_exists(arn, account):
            raise ValidationError(f"The policy {arn[:256]} does not exist or is not attachable.")
