"""AssumeRole: the role's trust policy and, but for a caller it names, the caller's own policies.

Source: IAM User Guide, "Policy evaluation logic", "Role chaining"; STS API Reference, AssumeRole.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    PrincipalKind,
    authorize,
)
from iambridge.core.role_trust import Context, SessionTags, TrustedRole, tag_keys
from iambridge.errors import AccessDenied, NotImplementedBySandbox, ValidationError
from iambridge.ports import IamFacts
from iambridge.servers.sigv4_authentication import AuthenticatedCaller
from iambridge.servers.sts.issuing import Issuer, WebIdentity, zulu
from iambridge.servers.sts.parameters import Faults, RoleRequest, external_id, requested_tags, role_request
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
    now: dt.datetime,
) -> tuple[Result, Decision]:
    """The answer and the decision behind it.

    Raises:
        AwsError: the refusal of the first check that failed, in AWS's words.
    """
    faults = Faults(parameters)
    external = external_id(faults)
    tags = _inherited(requested_tags(parameters, faults), caller)
    asked = role_request(parameters, faults)
    if (
        parameters.get("SerialNumber")
        or parameters.get("TokenCode")
        or any("ProvidedContexts" in p for p in parameters)
    ):
        raise NotImplementedBySandbox(
            "MFA devices and ProvidedContexts are not modelled", fix="call without SerialNumber and ProvidedContexts"
        )
    if caller.principal.kind == PrincipalKind.ROOT:
        raise AccessDenied("Roles may not be assumed by root accounts.", fix="call as a user or a role session")
    role = iam.role(asked.role_arn)
    context: Context = {**request_keys(request, now), **tag_keys(tags), "sts:RoleSessionName": asked.session_name}
    if caller.session is not None:
        context |= caller.session.keys()
    if external:
        context["sts:ExternalId"] = external
    decision = _judge(role, asked, caller, iam, tags=tags, context=context)
    if role is None or not decision.allowed:
        message = f"User: {caller.principal.arn} is not authorized to perform: {_ACTION} on resource: {asked.role_arn}"
        raise denied(message, decision)
    _check_duration(asked, role, caller)
    check_session_policies(asked, iam)
    return issuer.role_session(role, asked, tags, now, WebIdentity()), decision


def _inherited(asked: SessionTags, caller: AuthenticatedCaller) -> SessionTags:
    """Transitive tags and the source identity of the caller's session pass on and cannot be changed."""
    session = caller.session
    if session is None:
        return asked
    inherited = {key: session.tags[key] for key in session.transitive_tag_keys if key in session.tags}
    clash = {key.lower() for key in inherited} & {key.lower() for key in asked.tags}
    if clash:
        raise ValidationError("One of the specified transitive tag keys can't be set because it conflicts with a "
                              "transitive tag key from the calling session.")  # fmt: skip
    if session.source_identity and asked.source_identity not in {"", session.source_identity}:
        raise ValidationError("The source identity of a session cannot be changed.")
    return SessionTags(
        {**asked.tags, **inherited},
        tuple(dict.fromkeys((*session.transitive_tag_keys, *asked.transitive))),
        session.source_identity or asked.source_identity,
    )


def _judge(
    role: TrustedRole | None,
    asked: RoleRequest,
    caller: AuthenticatedCaller,
    iam: IamFacts,
    *,
    tags: SessionTags,
    context: Context,
) -> Decision:
    if role is None:
        reason = Reason("role-missing", f"there is no role `{asked.role_arn}`", where="IAM")
        return Decision(_ACTION, Outcome.IMPLICIT_DENY, (reason,), "create the role, or correct its ARN")
    trust = NamedDocument("trust policy", role.trust)
    policies = replace(iam.policies(caller.principal, caller.session), resource=(trust,))
    actions = [_ACTION]
    if tags.tags:
        actions.append("sts:TagSession")
    if tags.source_identity:
        actions.append("sts:SetSourceIdentity")
    reasons: tuple[Reason, ...] = ()
    for action in actions:
        asked_of_policies = AuthorizationRequest(caller.principal, action, role.arn, role.account, context)
        decision = authorize(asked_of_policies, policies)
        reasons += decision.reasons
        if not decision.allowed:
            return replace(decision, hop=_ACTION, reasons=reasons)
    return Decision(_ACTION, Outcome.ALLOWED, reasons)


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


def check_session_policies(asked: RoleRequest, iam: IamFacts) -> None:
    """Every managed session policy must exist.

    Raises:
        ValidationError: one does not, or is another account's.
    """
    for arn in asked.policy_arns:
        if not iam.managed_policy_exists(arn, asked.account):
            raise ValidationError(f"The policy {arn[:256]} does not exist or is not attachable.")


def request_keys(request: Request, now: dt.datetime) -> Context:
    """The condition keys of the request itself."""
    epoch = int(now.timestamp())
    keys: Context = {
        "aws:CurrentTime": zulu(epoch),
        "aws:EpochTime": str(epoch),
        "aws:SecureTransport": "true" if request.scheme == "https" else "false",
    }
    address = request.client.rpartition(":")[0].strip("[]")
    if address:
        keys["aws:SourceIp"] = address
    if agent := request.headers.get("user-agent"):
        keys["aws:UserAgent"] = agent
    return keys


def denied(message: str, decision: Decision) -> AccessDenied:
    """AccessDenied with the decision behind it, for the decision log."""
    cause = decision.reasons[-1].text if decision.reasons else ""
    error = AccessDenied(message, cause=cause, fix=decision.fix)
    error.decision = decision
    return error
