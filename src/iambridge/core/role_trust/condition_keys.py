"""The condition keys of a web identity, of its call and of its session.

Source: IAM User Guide, "Available keys for AWS OIDC federation".
"""

from iambridge.core.provider_claims import provider_claims
from iambridge.core.role_trust.parties import OidcProvider, TrustedRole
from iambridge.core.role_trust.session import Context, SessionTags
from iambridge.core.service_account_token import VerifiedClaims


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


def role_keys(role: TrustedRole) -> Context:
    """The role's tags, as those of the resource that is asked for."""
    return {f"{prefix}:ResourceTag/{key}": value for key, value in role.tags.items() for prefix in ("aws", "iam")}


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
