"""The bridge itself: a proven web identity token, an OIDC provider and a role's trust policy become a decision.

Sources: AWS STS API Reference, AssumeRoleWithWebIdentity; IAM User Guide, "Available keys for AWS OIDC federation" and
"Pass session tags in AWS STS".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import msgspec

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import PolicyDocument, Principal, PrincipalKind, evaluate_trust
from iambridge.core.provider_claims import provider_claims
from iambridge.core.service_account_token import VerifiedClaims
from iambridge.core.session_tags import MAX_TAGS, is_tag_text
from iambridge.errors import InvalidIdentityToken

WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
TAGS_CLAIM = "https://aws.amazon.com/tags"
SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"

_OF_AN_ENTITY = frozenset({PrincipalKind.ROLE_SESSION, PrincipalKind.FEDERATED_USER})
_SOURCE_IDENTITY = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)

Context = dict[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TrustedRole:
    """A role as STS sees it. `max_session_duration` is in seconds."""

    arn: str
    account: str
    name: str
    role_id: str
    trust: PolicyDocument
    max_session_duration: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """An IAM OIDC provider; `url` is without the scheme, as IAM keeps it."""

    arn: str
    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...] = ()


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Temporary credentials and what they stand for. Times are seconds since the epoch.

    `principal_arn` is as GetCallerIdentity spells it, `entity_arn` the IAM role or user behind it, `entity_id` its
    unique id, `user_id` GetCallerIdentity's UserId. `policy` and `policy_arns` are the session policies.
    A list of values where it is encoded: the fields' names would stand in every session token.
    """

    access_key_id: str
    secret_access_key: str
    account: str
    kind: str
    principal_arn: str
    entity_arn: str
    entity_id: str
    user_id: str
    issued: int
    expires: int
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str = ""
    federated_provider: str = ""
    web_identity: dict[str, str] = {}

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Session({self.access_key_id!r}, {self.principal_arn!r}, expires={self.expires})"

    def principal(self, entity_tags: Mapping[str, str]) -> Principal:
        """The caller as policies know it; session tags win over the entity's."""
        return Principal(
            arn=self.principal_arn,
            account=self.account,
            kind=PrincipalKind(self.kind),
            role_arn=self.entity_arn if self.kind in _OF_AN_ENTITY else "",
            user_id=self.user_id,
            # a federated user has the tags it was given, and not the user's who vouches for it
            tags=self.tags if self.kind == PrincipalKind.FEDERATED_USER else {**entity_tags, **self.tags},
        )

    def keys(self) -> Context:
        """The condition keys that every call of this session carries."""
        keys: Context = dict(self.web_identity)
        # AWS gives it to temporary credentials always; MFA parameters are refused by name, so no session has it
        keys["aws:MultiFactorAuthPresent"] = "false"
        if self.federated_provider:
            keys["aws:FederatedProvider"] = self.federated_provider
        if self.source_identity:
            keys["aws:SourceIdentity"] = self.source_identity
        return keys


class SessionTags(msgspec.Struct, frozen=True):
    """The tags and the source identity that a token asks for."""

    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str = ""


_NO_TAGS = SessionTags()


def provider_urls(issuer: str) -> tuple[str, ...]:
    """The names that a provider of `issuer` may have in IAM: as spelled, then without one trailing slash.

    IAM drops the slash of a URL at registration, and some issuers (Auth0) have one in `iss`.
    """
    url = issuer.removeprefix("https://")
    if url in {issuer, ""}:
        return ()
    return (url, url[:-1]) if url.endswith("/") else (url,)


def session_tags(claims: VerifiedClaims) -> SessionTags:
    """Read the AWS claims of a token.

    Raises:
        InvalidIdentityToken: a claim that is there but has not AWS's shape.
    """
    source = claims.claims.get(SOURCE_IDENTITY_CLAIM, "")
    if not isinstance(source, str) or (source and _SOURCE_IDENTITY.fullmatch(source) is None):
        raise _malformed(SOURCE_IDENTITY_CLAIM, "it is not 2 to 64 letters, digits and `_+=,.@-`")
    claim = claims.claims.get(TAGS_CLAIM)
    if claim is None:
        return SessionTags(source_identity=source) if source else _NO_TAGS
    if not isinstance(claim, dict) or set(claim) - {"principal_tags", "transitive_tag_keys"}:
        raise _malformed(TAGS_CLAIM, "it is not an object of `principal_tags` and `transitive_tag_keys`")
    given, transitive = claim.get("principal_tags", {}), claim.get("transitive_tag_keys", [])
    if not isinstance(given, dict) or not isinstance(transitive, list) or len(given) > MAX_TAGS:
        raise _malformed(TAGS_CLAIM, f"`principal_tags` is no object of up to {MAX_TAGS}, or the other is no list")
    tags = {key: _tag_value(key, values) for key, values in given.items()}
    if len({key.lower() for key in tags}) != len(tags):
        raise _malformed(TAGS_CLAIM, "two keys differ by case alone, which is one key")
    if not all(isinstance(key, str) and key in tags for key in transitive):
        raise _malformed(TAGS_CLAIM, "`transitive_tag_keys` names a key that is not among `principal_tags`")
    return SessionTags(tags, tuple(transitive), source)


def _tag_value(key: str, values: object) -> str:
    value = values[0] if isinstance(values, list) and len(values) == 1 else values
    if not isinstance(value, str):
        raise _malformed(TAGS_CLAIM, f"the tag `{key[:64]}` is not one string, alone or in a list")
    if not 1 <= len(key) <= 128 or len(value) > 256:
        raise _malformed(TAGS_CLAIM, f"the tag `{key[:64]}` has no key of 1 to 128 and value of up to 256 characters")
    if not is_tag_text(key) or not is_tag_text(value):
        raise _malformed(TAGS_CLAIM, f"the tag `{key[:64]}` holds more than letters, digits, spaces and `_.:/=+-@`")
    return value


def web_identity_keys(claims: VerifiedClaims, provider: OidcProvider, audience: str) -> Context:
    """The condition keys `<issuer>:sub`, `:aud`, `:oaud`, `:azp` and `:amr`, and a known provider's own."""
    prefix = provider.url
    keys: Context = {f"{prefix}:sub": claims.subject, f"{prefix}:aud": audience}
    if claims.authorized_party is not None:
        keys[f"{prefix}:azp"] = claims.authorized_party
        keys[f"{prefix}:oaud"] = claims.audiences if len(claims.audiences) > 1 else claims.audiences[0]
    for name in provider_claims(prefix):
        value = claims.claims.get(name)
        if isinstance(value, str | int):
            keys[f"{prefix}:{name}"] = str(value).lower() if isinstance(value, bool) else str(value)
    methods = claims.claims.get("amr")
    if isinstance(methods, list) and all(isinstance(one, str) for one in methods):
        keys[f"{prefix}:amr"] = tuple(methods)
    return keys


def session_keys(claims: VerifiedClaims, provider: OidcProvider, audience: str) -> dict[str, str]:
    """What of `web_identity_keys` every call of the session carries too: `<issuer>:sub` and `:aud`.

    Source: IAM User Guide, "Available keys for AWS OIDC federation", the column "Available in session".
    """
    return {f"{provider.url}:sub": claims.subject, f"{provider.url}:aud": audience}


def web_identity_context(
    role: TrustedRole,
    provider: OidcProvider,
    *,
    keys: Context,
    tags: SessionTags,
    session_name: str,
    duration: int,
) -> Context:
    """Every condition key of the call but those of the request itself (time, address).

    `keys` are `web_identity_keys`; `duration` is in seconds.
    """
    return {
        **keys,
        **role_keys(role),
        "aws:FederatedProvider": provider.arn,
        "sts:RoleSessionName": session_name,
        "sts:DurationSeconds": str(duration),
        **tag_keys(tags),
    }


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


def role_missing(action: str, role_arn: str) -> Decision:
    """The denial of a role that is not there, which AWS words as any other."""
    reason = Reason("role-missing", f"there is no role `{role_arn}`", where="IAM")
    return Decision(action, Outcome.IMPLICIT_DENY, (reason,), f"create the role `{role_arn}`, or correct the ARN")


def role_keys(role: TrustedRole) -> Context:
    """The role's tags, as those of the resource that is asked for."""
    return {f"{prefix}:ResourceTag/{key}": value for key, value in role.tags.items() for prefix in ("aws", "iam")}


@lru_cache(maxsize=256)
def federated(provider_arn: str) -> Principal:
    """The one who asks, who is nobody but a provider's caller yet."""
    return Principal(arn=provider_arn, account=provider_arn.split(":")[4], kind=PrincipalKind.FEDERATED)


def tag_keys(tags: SessionTags) -> Context:
    """The condition keys of session tags that are being set."""
    keys: Context = {f"aws:RequestTag/{key}": value for key, value in tags.tags.items()}
    if tags.tags:
        keys["aws:TagKeys"] = tuple(tags.tags)
    if tags.transitive:
        keys["sts:TransitiveTagKeys"] = tags.transitive
    if tags.source_identity:
        keys["sts:SourceIdentity"] = tags.source_identity
    return keys


def _fix(caller: _Caller) -> str:
    return (
        f"let the trust policy allow {WEB_IDENTITY} to Federated `{caller.provider_arn}` with "
        f"`{caller.url}:sub` = `{caller.subject}` and `{caller.url}:aud` = `{caller.audience}`"
    )


def _malformed(claim: str, why: str) -> InvalidIdentityToken:
    return InvalidIdentityToken(
        "The web identity token provided could not be validated",
        cause=f"the claim `{claim}` has not the shape that AWS reads: {why}",
        fix="write the claim as the IAM User Guide shows it, or leave it out",
    )
