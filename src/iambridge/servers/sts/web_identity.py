"""AssumeRoleWithWebIdentity, in the order in which AWS is seen to check.

Shape, JWT, issuer, keys, signature, times, audience, role and trust policy, duration and session policies.
"""

import datetime as dt
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from iambridge.core.decision import Decision, Reason
from iambridge.core.iam_policy import AuthorizationRequest, trust_alone
from iambridge.core.role_trust import (
    WEB_IDENTITY,
    Context,
    OidcProvider,
    SessionTags,
    TrustedRole,
    actions_asked,
    federated,
    judge_web_identity,
    provider_urls,
    role_missing,
    session_keys,
    session_tags,
    web_identity_context,
    web_identity_keys,
)
from iambridge.core.service_account_token import (
    UnverifiedToken,
    VerifiedClaims,
    check_audience,
    check_times,
    missing_claim,
    verify,
)
from iambridge.errors import InvalidIdentityToken
from iambridge.ports import IamFacts, OidcKeys
from iambridge.servers.sts.assume_role import check_max_session_duration, check_policies_exist
from iambridge.servers.sts.deciding import Unread, denied, refuse_undecidable, request_keys
from iambridge.servers.sts.issuing import Issuer, WebIdentity
from iambridge.servers.sts.parameters import Faults, role_request
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
    proved = await _prove(encoded, asked.account, iam, oidc_keys, now)
    tags = session_tags(proved.claims)
    role = iam.role(asked.role_arn)
    if role is None:
        raise denied(_DENIED, role_missing(WEB_IDENTITY, asked.role_arn))
    keys = web_identity_keys(proved.claims, proved.provider, proved.audience)
    context = request_keys(request, now, region) | web_identity_context(
        role,
        proved.provider,
        keys=keys,
        tags=tags,
        session_name=asked.session_name,
        duration=asked.duration,
    )
    _refuse_undecidable(role, proved.provider, tags, context, unread)
    decision = judge_web_identity(
        role,
        proved.provider,
        claims=proved.claims,
        audience=proved.audience,
        tags=tags,
        context=context,
        before=_held(proved.provider.arn, proved.audience),
    )
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


async def _prove(encoded: str, account: str, iam: IamFacts, oidc_keys: OidcKeys, now: dt.datetime) -> _Proved:
    token = UnverifiedToken.parse(encoded)
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
    claims = verify(token, await oidc_keys.keys(issuer, provider.thumbprints, token.kid))
    check_times(claims, int(now.timestamp()))
    if not claims.subject:
        raise missing_claim("sub")
    return _Proved(claims, provider, check_audience(claims, provider.client_ids))


def _refuse_undecidable(
    role: TrustedRole, provider: OidcProvider, tags: SessionTags, context: Context, unread: Unread
) -> None:
    policies = trust_alone(role.trust)
    for action in actions_asked(WEB_IDENTITY, tags):
        asked = AuthorizationRequest(federated(provider.arn), action, role.arn, role.account, context)
        refuse_undecidable(asked, policies, unread)


@lru_cache(maxsize=1024)
def _held(provider_arn: str, audience: str) -> tuple[Reason, ...]:
    """What held before the role was asked: the same values for every pod of a provider."""
    return (
        Reason("provider-found", f"the issuer is `{provider_arn}`", where="IAM", held=True),
        Reason("signature-proved", "the token is signed by the issuer's key", where="token", held=True),
        Reason("audience-registered", f"the audience is `{audience}`", where="token", held=True),
    )
