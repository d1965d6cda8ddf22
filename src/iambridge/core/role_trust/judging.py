"""A proved web identity and a role's trust policy become a decision.

Source: AWS STS API Reference, AssumeRoleWithWebIdentity.
"""

from functools import lru_cache
from typing import NamedTuple

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import PolicyDocument, Principal, PrincipalKind, evaluate_trust
from iambridge.core.role_trust.parties import OidcProvider, TrustedRole
from iambridge.core.role_trust.session import Context, SessionTags
from iambridge.core.service_account_token import VerifiedClaims

WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"


def actions_asked(action: str, tags: SessionTags) -> tuple[str, ...]:
    """What the role's trust must allow: session tags and a source identity need their own actions."""
    tagged = ("sts:TagSession",) if tags.tags else ()
    named = ("sts:SetSourceIdentity",) if tags.source_identity else ()
    return (action, *tagged, *named)


def judge_web_identity(
    role: TrustedRole,
    provider: OidcProvider,
    *,
    claims: VerifiedClaims,
    audience: str,
    tags: SessionTags,
    context: Context,
) -> Decision:
    """Whether the role trusts the token's subject. `context` is `web_identity_context` and the request's own keys.

    A federated caller has no policy of its own, so the trust policy alone decides, an explicit deny first.
    """
    caller = _Caller(provider.arn, provider.url, claims.subject, audience)
    return _judged(role.trust, role.arn, caller, actions_asked(WEB_IDENTITY, tags), context)


def judge_subject(role: TrustedRole, provider: OidcProvider, *, subject: str, audience: str) -> Decision | None:
    """`judge_web_identity` of an untagged token where the trust policy asks for nothing but subject and audience.

    Most do. Nothing else of a call can change such a decision, so it is made once and remembered. None: the policy asks
    for more.
    """
    if not _asks_subject_alone(role.trust, provider.url):
        return None
    return _of_subject(role.trust, role.arn, _Caller(provider.arn, provider.url, subject, audience))


class _Caller(NamedTuple):
    """Who asks, once the token is proved."""

    provider_arn: str
    url: str
    subject: str
    audience: str


@lru_cache(maxsize=1024)
def _asks_subject_alone(trust: PolicyDocument, url: str) -> bool:
    asked = {key.lower() for key in trust.context_keys(WEB_IDENTITY.lower())}
    return asked <= {f"{url}:sub".lower(), f"{url}:aud".lower()}


@lru_cache(maxsize=4096)
def _of_subject(trust: PolicyDocument, role_arn: str, caller: _Caller) -> Decision:
    context: Context = {f"{caller.url}:sub": caller.subject, f"{caller.url}:aud": caller.audience}
    return _judged(trust, role_arn, caller, (WEB_IDENTITY,), context)


def _judged(
    trust: PolicyDocument, role_arn: str, caller: _Caller, actions: tuple[str, ...], context: Context
) -> Decision:
    principal = federated(caller.provider_arn)
    judged: list[Decision] = []

    def tell() -> tuple[tuple[Reason, ...], str]:
        reasons = (*_proved(caller.provider_arn, caller.audience), _role_found(role_arn))
        for decision in judged:
            reasons += decision.reasons
        return reasons, _fix(caller) if untrusted else judged[-1].fix

    for action in actions:
        judged.append(evaluate_trust(trust, action=action, principal=principal, context=context))
        if not judged[-1].allowed:
            break
    # the token itself is not trusted, rather than its tags, or refused by an explicit deny
    untrusted = judged[0].outcome is Outcome.IMPLICIT_DENY
    return Decision.deferred(WEB_IDENTITY, judged[-1].outcome, tell)


@lru_cache(maxsize=1024)
def _proved(provider_arn: str, audience: str) -> tuple[Reason, ...]:
    """What held before the role was asked: the same values for every pod of a provider."""
    return (
        Reason("provider-found", f"the issuer is `{provider_arn}`", where="IAM", held=True),
        Reason("signature-proved", "the token is signed by the issuer's key", where="token", held=True),
        Reason("audience-registered", f"the audience is `{audience}`", where="token", held=True),
    )


@lru_cache(maxsize=1024)
def _role_found(role_arn: str) -> Reason:
    return Reason("role-found", f"the role is `{role_arn}`", where="IAM", held=True)


@lru_cache(maxsize=256)
def federated(provider_arn: str) -> Principal:
    """The one who asks, who is nobody but a provider's caller yet."""
    return Principal(arn=provider_arn, account=provider_arn.split(":")[4], kind=PrincipalKind.FEDERATED)


def _fix(caller: _Caller) -> str:
    return (
        f"let the trust policy allow {WEB_IDENTITY} to Federated `{caller.provider_arn}` with "
        f"`{caller.url}:sub` = `{caller.subject}` and `{caller.url}:aud` = `{caller.audience}`"
    )


def role_missing(action: str, role_arn: str) -> Decision:
    """The denial of a role that is not there, which AWS words as any other."""
    reason = Reason("role-missing", f"there is no role `{role_arn}`", where="IAM")
    return Decision(action, Outcome.IMPLICIT_DENY, (reason,), f"create the role `{role_arn}`, or correct the ARN")
