"""AssumeRoleWithWebIdentity, in the order in which AWS is seen to check.

Shape, JWT, issuer, keys, signature, times, audience, role and trust policy, duration and session policies.
"""

import datetime as dt
from collections.abc import Mapping

import msgspec

from iambridge.core.decision import Decision
from iambridge.core.iam_policy import AuthorizationRequest, trust_alone
from iambridge.core.role_trust import (
    WEB_IDENTITY,
    Context,
    OidcProvider,
    SessionTags,
    TrustedRole,
    actions_asked,
    federated,
    judge_subject,
    judge_web_identity,
    provider_urls,
    role_missing,
    session_keys,
    session_tags,
    web_identity_context,
    web_identity_keys,
)
from iambridge.core.service_account_token import (
    Proofs,
    VerifiedClaims,
    check_audience,
    check_times,
    missing_claim,
)
from iambridge.errors import InvalidIdentityToken
from iambridge.ports import IamFacts, OidcKeys
from iambridge.servers.sts.assume_role import check_max_session_duration, check_policies_exist
from iambridge.servers.sts.deciding import Unread, denied, refuse_undecidable, request_keys
from iambridge.servers.sts.issuing import Issuer, WebIdentity
from iambridge.servers.sts.parameters import Faults, RoleRequest, role_request
from iambridge.wire.aws_query import Result
from iambridge.wire.http import Request

_DENIED = f"Not authorized to perform {WEB_IDENTITY}"


class _Proved(msgspec.Struct, frozen=True):
    claims: VerifiedClaims
    provider: OidcProvider
    audience: str


async def assume_role_with_web_identity(
    parameters: Mapping[str, str],
    request: Request,
    *,
    iam: IamFacts,
    oidc_keys: OidcKeys,
    proofs: Proofs,
    issuer: Issuer,
    unread: Unread,
    region: str,
    now: dt.datetime,
) -> tuple[Result, Decision]:
    """The answer and the decision behind it.

    Raises:
        AwsError: the refusal of the first check that failed, in AWS's words.
    """
    faults = Faults(parameters)
    encoded = faults.text("WebIdentityToken", low=4, high=20_000, secret=True)
    asked = role_request(parameters, faults)
    _refuse_oauth(parameters)
    proved = await _prove(encoded, asked.account, iam, oidc_keys, proofs=proofs, now=now)
    tags = session_tags(proved.claims)
    role = iam.role(asked.role_arn)
    if role is None:
        raise denied(_DENIED, role_missing(WEB_IDENTITY, asked.role_arn))
    decision = None
    if not tags.tags and not tags.source_identity:
        decision = judge_subject(role, proved.provider, subject=proved.claims.subject, audience=proved.audience)
    if decision is None:
        context = request_keys(request, now, region)
        decision = _judged(role, proved, asked, tags=tags, context=context, unread=unread)
    if not decision.allowed:
        raise denied(_DENIED, decision)
    check_max_session_duration(asked, role)
    check_policies_exist(asked.policy_arns, asked.account, iam)
    remembered = session_keys(proved.claims, proved.provider, proved.audience)
    made = issuer.role_session(role, asked, tags, now, WebIdentity(proved.provider.arn, remembered))
    result = {
        "SubjectFromWebIdentityToken": proved.claims.subject,
        "Audience": proved.audience,
        **made,
        "Provider": proved.provider.arn,
    }
    return result, decision


def _refuse_oauth(parameters: Mapping[str, str]) -> None:
    if parameters.get("ProviderId"):
        raise InvalidIdentityToken(
            "Provided Token is not a Login With Amazon token",
            cause="ProviderId names an OAuth provider, and only OpenID Connect tokens are verified",
            fix="leave ProviderId out for an OpenID Connect token",
        )


async def _prove(
    encoded: str, account: str, iam: IamFacts, oidc_keys: OidcKeys, *, proofs: Proofs, now: dt.datetime
) -> _Proved:
    token = proofs.read(encoded)
    issuer = token.issuer
    if not issuer:
        raise missing_claim("iss")
    for url in provider_urls(issuer):
        provider = iam.oidc_provider(account, url)
        if provider is not None:
            break
    else:
        raise InvalidIdentityToken(
            f"No OpenIDConnect provider found in your account for {issuer}",
            cause=f"account {account} has no OIDC provider whose URL is the token's `iss`",
            fix=f"create an IAM OIDC provider for {issuer} in account {account}",
        )
    claims = proofs.verify(encoded, token, await oidc_keys.keys(issuer, provider.thumbprints, token.kid))
    check_times(claims, int(now.timestamp()))
    if not claims.subject:
        raise missing_claim("sub")
    return _Proved(claims, provider, check_audience(claims, provider.client_ids))


def _judged(
    role: TrustedRole, proved: _Proved, asked: RoleRequest, *, tags: SessionTags, context: Context, unread: Unread
) -> Decision:
    """Raises NotImplementedBySandbox when the decision hangs on what nobody here knows."""
    claims, provider, audience = proved.claims, proved.provider, proved.audience
    context |= web_identity_context(
        role,
        provider,
        keys=web_identity_keys(claims, provider, audience),
        tags=tags,
        session_name=asked.session_name,
        duration=asked.duration,
    )
    for action in actions_asked(WEB_IDENTITY, tags):
        question = AuthorizationRequest(federated(provider.arn), action, role.arn, role.account, context)
        refuse_undecidable(question, trust_alone(role.trust), unread)
    return judge_web_identity(role, provider, claims=claims, audience=audience, tags=tags, context=context)
