"""AssumeRoleWithWebIdentity, in the order in which AWS is seen to check.

Shape, JWT, issuer, keys, signature, times, audience, role and trust policy, duration and session policies.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from iambridge.core.decision import Decision, Reason
from iambridge.core.role_trust import (
    WEB_IDENTITY,
    OidcProvider,
    judge_web_identity,
    provider_urls,
    session_tags,
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
from iambridge.servers.sts.assume_role import check_max_session_duration, check_session_policies, denied, request_keys
from iambridge.servers.sts.issuing import Issuer, WebIdentity
from iambridge.servers.sts.parameters import Faults, role_request
from iambridge.wire.aws_query import Result
from iambridge.wire.http import Request


@dataclass(frozen=True, slots=True)
class _Proved:
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
    now: dt.datetime,
) -> tuple[Result, Decision]:
    """The answer and the decision behind it.

    Raises:
        AwsError: the refusal of the first check that failed, in AWS's words.
    """
    faults = Faults(parameters)
    encoded = faults.text("WebIdentityToken", low=4, high=20_000, secret=True)
    asked = role_request(parameters, faults)
    if parameters.get("ProviderId"):
        raise InvalidIdentityToken(
            "Provided Token is not a Login With Amazon token",
            cause="ProviderId names an OAuth provider, and only OpenID Connect tokens are verified",
            fix="leave ProviderId out for an OpenID Connect token",
        )
    proved = await _prove(encoded, asked.account, iam, oidc_keys, now)
    tags = session_tags(proved.claims)
    role = iam.role(asked.role_arn)
    decision = judge_web_identity(
        asked.role_arn,
        role,
        proved.provider,
        claims=proved.claims,
        audience=proved.audience,
        tags=tags,
        session_name=asked.session_name,
        duration=asked.duration,
        context=request_keys(request, now),
    )
    if role is None or not decision.allowed:
        raise denied(f"Not authorized to perform {WEB_IDENTITY}", decision)
    check_max_session_duration(asked, role)
    check_session_policies(asked, iam)
    keys = web_identity_keys(proved.claims, proved.provider, proved.audience)
    remembered = {key: value for key, value in keys.items() if isinstance(value, str)}
    made = issuer.role_session(role, asked, tags, now, WebIdentity(proved.provider.arn, remembered))
    result = {
        "SubjectFromWebIdentityToken": proved.claims.subject,
        "Audience": proved.audience,
        **made,
        "Provider": proved.provider.arn,
    }

    def tell() -> tuple[tuple[Reason, ...], str]:
        return _held(proved) + decision.reasons, decision.fix

    return result, Decision.deferred(decision.hop, decision.outcome, tell)


async def _prove(encoded: str, account: str, iam: IamFacts, oidc_keys: OidcKeys, now: dt.datetime) -> _Proved:
    token = UnverifiedToken.parse(encoded)
    if not token.issuer:
        raise missing_claim("iss")
    named = (iam.oidc_provider(account, url) for url in provider_urls(token.issuer))
    provider = next((found for found in named if found is not None), None)
    if provider is None:
        raise InvalidIdentityToken(
            f"No OpenIDConnect provider found in your account for {token.issuer}",
            cause=f"account {account} has no OIDC provider whose URL is the token's `iss`",
            fix=f"create an IAM OIDC provider for {token.issuer} in account {account}",
        )
    claims = verify(token, await oidc_keys.keys(token.issuer, provider.thumbprints, token.kid))
    check_times(claims, int(now.timestamp()))
    if not claims.subject:
        raise missing_claim("sub")
    return _Proved(claims, provider, check_audience(claims, provider.client_ids))


def _held(proved: _Proved) -> tuple[Reason, ...]:
    return (
        Reason("provider-found", f"the issuer is `{proved.provider.arn}`", where="IAM", held=True),
        Reason("signature-proved", "the token is signed by the issuer's key", where="token", held=True),
        Reason("audience-registered", f"the audience is `{proved.audience}`", where="token", held=True),
    )
