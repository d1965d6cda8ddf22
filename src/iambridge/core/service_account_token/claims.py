"""What the claims of a proven token must say, and what a cluster writes into them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from iambridge.core.service_account_token.token import NOT_VALIDATED, VerifiedClaims
from iambridge.errors import ExpiredTokenException, InvalidIdentityToken

_SKEW_SECONDS = 60


def check_times(claims: VerifiedClaims, now: int) -> None:
    """`exp` must lie ahead, without tolerance; `iat` and `nbf` at most 60 s ahead. `now` is in seconds.

    Raises:
        ExpiredTokenException: `exp` has come.
        InvalidIdentityToken: `exp` or `iat` is missing, or the token is from the future.
    """
    if claims.expires is None:
        raise missing_claim("exp")
    if claims.issued_at is None:
        raise missing_claim("iat")
    if now >= claims.expires:
        raise ExpiredTokenException(
            f"Token expired: current date/time {now} must be before the expiration date/time {claims.expires}",
            fix="fetch a fresh token; kubelet renews a projected token at 80 % of its life",
            now=str(now),
            exp=str(claims.expires),
        )
    latest = now + _SKEW_SECONDS
    if claims.not_before is not None and claims.not_before > latest:
        raise _from_the_future("nbf", claims.not_before, now)
    if claims.issued_at > latest:
        raise _from_the_future("iat", claims.issued_at, now)


def _from_the_future(name: str, moment: int, now: int) -> InvalidIdentityToken:
    return InvalidIdentityToken(
        NOT_VALIDATED,
        cause=f"the token's `{name}` is {moment - now} s in the future, and 60 s are tolerated",
        fix="set the issuer's clock",
        now=str(now),
        **{name: str(moment)},
    )


def check_audience(claims: VerifiedClaims, client_ids: Collection[str]) -> str:
    """The audience that an OIDC provider with `client_ids` takes the token for.

    When `azp` is present it is the audience and must be registered; else the first registered member of `aud` is.

    Raises:
        InvalidIdentityToken: no audience at all, or none that is registered.
    """
    if not claims.audiences:
        raise missing_claim("aud")
    offered = claims.audiences if claims.authorized_party is None else (claims.authorized_party,)
    for audience in offered:
        if audience in client_ids:
            return audience
    source = "aud" if claims.authorized_party is None else "azp"
    raise InvalidIdentityToken(
        "Incorrect token audience",
        cause=f"the token's `{source}` is {_listed(offered)}, the provider accepts {_listed(tuple(client_ids))}",
        fix="add the audience to the OIDC provider's client ids, or ask for a token with a registered audience",
        audience=", ".join(offered),
        client_ids=", ".join(client_ids),
    )


def missing_claim(name: str) -> InvalidIdentityToken:
    return InvalidIdentityToken(
        f"Missing a required claim: {name}", fix=f"issue ID tokens that carry `{name}`, as OpenID Connect Core demands"
    )


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"`{value}`" for value in values[:5]) or "none"


@dataclass(frozen=True, slots=True)
class BoundObject:
    """A Kubernetes object that a token names: its `name` and `uid`, empty for a pod's node that is gone."""

    name: str
    uid: str

    def claim(self) -> dict[str, str]:
        return {"name": self.name, "uid": self.uid} if self.uid else {"name": self.name}


def projected_claims(
    *,
    issuer: str,
    namespace: str,
    service_account: BoundObject,
    audiences: Sequence[str],
    now: int,
    seconds: int,
    jti: str,
    pod: BoundObject | None = None,
    secret: BoundObject | None = None,
    node: BoundObject | None = None,
    warn_after: int | None = None,
) -> dict[str, object]:
    """The claims of a TokenRequest's token: `aud` is a list even with one member, `nbf` is `iat`.

    `now` and `warn_after` are seconds since the epoch, `seconds` the life. Source: Kubernetes
    pkg/serviceaccount/claims.go, with the node and `jti` claims that 1.32 issues by default.
    """
    private: dict[str, object] = {"namespace": namespace}
    for name, bound in (("node", node), ("pod", pod), ("secret", secret), ("serviceaccount", service_account)):
        if bound is not None:
            private[name] = bound.claim()
    if warn_after is not None:
        private["warnafter"] = warn_after
    return {
        "aud": list(audiences),
        "exp": now + seconds,
        "iat": now,
        "iss": issuer,
        "jti": jti,
        "kubernetes.io": private,
        "nbf": now,
        "sub": f"system:serviceaccount:{namespace}:{service_account.name}",
    }
