"""Who sends a request: a static token, a service account token, what a webhook says, or nobody.

Sources: kubernetes pkg/kubeapiserver/authenticator/config.go for the order; apiserver pkg/authentication.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence

from iambridge.core.decision import Reason
from iambridge.core.rbac import User
from iambridge.core.service_account_token import VerificationKey
from iambridge.errors import Unauthorized
from iambridge.sandbox.cluster.authenticated import (
    ANONYMOUS,
    AuthenticatedToken,
    common_audiences,
    with_authenticated_group,
)
from iambridge.sandbox.cluster.service_account_authentication import Lookup, authenticate_service_account
from iambridge.sandbox.cluster.token_review_webhook import TokenReviewWebhook
from iambridge.wire.http import Request

StaticTokens = Mapping[str, tuple[str, tuple[str, ...]]]


class Authentication:
    """Authenticates by bearer token.

    `static_tokens` maps a token to (username, groups). `service_accounts` finds live service accounts, pods, secrets
    and nodes. `keys` verify `issuer`'s tokens; several during a rotation. `now` is in seconds since the epoch.
    """

    def __init__(
        self,
        static_tokens: StaticTokens,
        service_accounts: Lookup,
        *,
        issuer: str,
        keys: Sequence[VerificationKey],
        api_audiences: Sequence[str],
        webhook: TokenReviewWebhook | None,
        now: Callable[[], float],
    ) -> None:
        self._static = [(token.encode(), User(name, groups)) for token, (name, groups) in static_tokens.items()]
        self._lookup = service_accounts
        self._issuer = issuer
        self._keys = tuple(keys)
        self.api_audiences = tuple(api_audiences)
        self._webhook = webhook
        self._now = now

    async def authenticate(self, request: Request) -> User:
        """The request's user; `system:anonymous` when it carries no bearer token.

        Raises:
            Unauthorized: it carries one that is not accepted; `cause` says why, for the operator.
        """
        token = bearer_token(request.headers.get("authorization"))
        if not token:
            return ANONYMOUS
        found = await self.authenticate_token(token, self.api_audiences)
        if isinstance(found, AuthenticatedToken):
            return found.user
        raise Unauthorized(
            "Unauthorized",
            cause=refusal(found),
            fix="log in again: the kubeconfig's user has no token that is accepted",
        )

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> AuthenticatedToken | tuple[Reason, ...]:
        """The token's user for one of `audiences`, or why each way that could tell refused; none could when empty.

        One authenticator's error does not stop the next, as in Kubernetes.
        """
        if not token.isascii():
            return ()
        reasons: list[Reason] = []
        found = self._static_user(token, audiences) or authenticate_service_account(
            token, audiences, issuer=self._issuer, keys=self._keys, lookup=self._lookup, now=self._now()
        )
        if isinstance(found, Reason):
            reasons.append(found)
            found = None
        if found is None and self._webhook is not None:
            answer = await self._webhook.authenticate(token, audiences, self.api_audiences)
            if isinstance(answer, Reason):
                reasons.append(answer)
            else:
                found = answer
        if found is None:
            return tuple(reasons)
        return AuthenticatedToken(with_authenticated_group(found.user), found.audiences)

    def _static_user(self, token: str, audiences: Sequence[str]) -> AuthenticatedToken | None:
        common = common_audiences(audiences, self.api_audiences)
        found = None
        # every token is compared, so that time does not tell which one came near
        for known, user in self._static:
            if hmac.compare_digest(known, token.encode()):
                found = user
        return AuthenticatedToken(found, common) if found is not None and common else None


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header, or empty. Another scheme is no token, and so anonymous.

    Source: apiserver pkg/authentication/request/bearertoken.
    """
    scheme, _, rest = authorization.strip().partition(" ")
    return rest.partition(" ")[0] if scheme.lower() == "bearer" else ""


def refusal(reasons: Sequence[Reason]) -> str:
    """The refusals as kube-apiserver aggregates them, in its log and in a TokenReview's `status.error`."""
    if not reasons:
        return "invalid bearer token"
    texts = [reason.text for reason in reasons]
    return f"[invalid bearer token, {texts[0] if len(texts) == 1 else '[' + ', '.join(texts) + ']'}]"
