"""GetSessionToken and GetFederationToken: what a user's long-term key makes of itself.

Sources: STS API Reference, GetSessionToken, GetFederationToken; IAM User Guide, "Permissions for GetFederationToken",
"Permissions for GetSessionToken".
"""

import datetime as dt
import re
from collections.abc import Mapping

from iambridge.core.arn import Arn
from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import AuthorizationRequest, PrincipalKind
from iambridge.core.role_trust import Context, Session, actions_asked, tag_keys
from iambridge.errors import AccessDenied, NotImplementedBySandbox
from iambridge.ports import IamFacts
from iambridge.servers.sigv4_authentication import AuthenticatedCaller
from iambridge.servers.sts.assume_role import check_policies_exist
from iambridge.servers.sts.deciding import Unread, caller_keys, decided, denied_in_words
from iambridge.servers.sts.issuing import Issuer
from iambridge.servers.sts.parameters import Faults, least_token, packed_size, session_policies
from iambridge.servers.sts.tags import check_space, requested_tags
from iambridge.wire.aws_query import Result
from iambridge.wire.http import Request

_FEDERATE = "sts:GetFederationToken"
_ROOT_SECONDS = 3600
_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)
# what sessions without MFA may still ask of STS, by the kind of principal behind them
_MAY_CALL = {
    PrincipalKind.USER: frozenset({"AssumeRole", "GetCallerIdentity"}),
    PrincipalKind.ROOT: frozenset({"AssumeRole", "GetCallerIdentity"}),
    PrincipalKind.FEDERATED_USER: frozenset({"GetCallerIdentity"}),
}


def refuse_sessions(action: str, caller: AuthenticatedCaller) -> None:
    """Sessions of GetSessionToken and GetFederationToken may call next to nothing of STS.

    Raises:
        AccessDenied: this action is not among it, whatever policies say.
    """
    if caller.session is None:
        return
    allowed = _MAY_CALL.get(PrincipalKind(caller.principal.kind))
    only_long_term = action in {"GetSessionToken", "GetFederationToken"}
    if only_long_term or (allowed is not None and action not in allowed):
        raise AccessDenied(
            f"Cannot call {action} with session credentials", fix="call it with a user's long-term key, or as a role"
        )


def session_token(
    parameters: Mapping[str, str], caller: AuthenticatedCaller, *, issuer: Issuer, now: dt.datetime
) -> tuple[Result, Decision]:
    """GetSessionToken: a user's own permissions under temporary keys. The root user gets an hour at most."""
    faults = Faults(parameters)
    duration = faults.number("DurationSeconds", low=900, high=129_600, default=43_200)
    least = least_token(faults)
    faults.raise_all()
    if parameters.get("SerialNumber") or parameters.get("TokenCode"):
        raise NotImplementedBySandbox("MFA devices are not modelled", fix="call without SerialNumber")
    who = caller.principal
    session = _session(caller, issuer, duration, now, kind=PrincipalKind(who.kind), arn=who.arn, user_id=who.user_id)
    reason = Reason("authenticated", f"the signature proves `{who.arn}`", held=True)
    return {"Credentials": issuer.credentials(session, least)}, Decision(
        "sts:GetSessionToken", Outcome.ALLOWED, (reason,)
    )


def federation_token(
    parameters: Mapping[str, str],
    request: Request,
    caller: AuthenticatedCaller,
    *,
    iam: IamFacts,
    issuer: Issuer,
    unread: Unread,
    now: dt.datetime,
) -> tuple[Result, Decision]:
    """GetFederationToken: the intersection of the user's permissions and of the policies passed; without these, none.

    Raises:
        AwsError: the refusal of the first check that failed, in AWS's words.
    """
    faults = Faults(parameters)
    name = faults.text("Name", low=2, high=32, pattern=_NAME)
    duration = faults.number("DurationSeconds", low=900, high=129_600, default=43_200)
    least = least_token(faults)
    tags = requested_tags(parameters, faults)
    policy, arns = session_policies(parameters, faults)
    who = caller.principal
    arn = f"arn:{Arn.parse(who.arn).partition}:sts::{who.account}:federated-user/{name}"
    context: Context = {**caller_keys(caller, request, now), **tag_keys(tags)}
    policies = iam.policies(who, None)
    reasons: tuple[Reason, ...] = ()
    for action in actions_asked(_FEDERATE, tags):
        asked = AuthorizationRequest(who, action, arn, who.account, context)
        decision = decided(asked, policies, unread)
        reasons += decision.reasons
        if not decision.allowed:
            raise denied_in_words(asked, decision)
    check_policies_exist(arns, who.account, iam)
    check_space(tags.tags)
    session = _session(
        caller, issuer, duration, now, kind=PrincipalKind.FEDERATED_USER, arn=arn, user_id=f"{who.account}:{name}",
        policy=policy, policy_arns=arns, tags=tags.tags,
    )  # fmt: skip
    result: Result = {
        "Credentials": issuer.credentials(session, least),
        "FederatedUser": {"FederatedUserId": session.user_id, "Arn": arn},
        "PackedPolicySize": packed_size(policy, arns, tags.tags),
    }
    return result, Decision(_FEDERATE, Outcome.ALLOWED, reasons)


def _session(
    caller: AuthenticatedCaller,
    issuer: Issuer,
    duration: int,
    now: dt.datetime,
    *,
    kind: PrincipalKind,
    arn: str,
    user_id: str,
    policy: str = "",
    policy_arns: tuple[str, ...] = (),
    tags: dict[str, str] | None = None,
) -> Session:
    who, issued = caller.principal, int(now.timestamp())
    key_id, secret = issuer.new_key(who.account)
    return Session(
        access_key_id=key_id,
        secret_access_key=secret,
        account=who.account,
        kind=kind.value,
        principal_arn=arn,
        entity_arn=who.arn,
        entity_id=who.user_id,
        user_id=user_id,
        issued=issued,
        expires=issued + (min(duration, _ROOT_SECONDS) if who.kind == PrincipalKind.ROOT else duration),
        policy=policy,
        policy_arns=policy_arns,
        tags=tags or {},
    )
