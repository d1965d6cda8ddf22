"""The two that a web identity meets in an account: the OIDC provider of its issuer, and the role that it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from iambridge.core.iam_policy import PolicyDocument


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


def provider_urls(issuer: str) -> tuple[str, ...]:
    """The names that a provider of `issuer` may have in IAM: as spelled, then without one trailing slash.

    IAM drops the slash of a URL at registration, and some issuers (Auth0) have one in `iss`.
    """
    url = issuer.removeprefix("https://")
    if url in {issuer, ""}:
        return ()
    return (url, url[:-1]) if url.endswith("/") else (url,)
