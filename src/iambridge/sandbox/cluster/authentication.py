"""Who sends a request: by bearer token, by impersonation, or nobody.

Sources: apiserver pkg/authentication and pkg/endpoints/filters; kubernetes pkg/kubeapiserver/authenticator/config.go.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace

from iambridge.core.decision import Reason
from iambridge.core.rbac import User
from iambridge.errors import Unauthorized
from iambridge.sandbox.cluster.authenticated import (
    ANONYMOUS,
    AuthenticatedToken,
    TokenAuthenticator,
    common_audiences,
    with_authenticated_group,
)
from iambridge.sandbox.cluster.authorization import Authorizer, forbidden
from iambridge.sandbox.cluster.impersonation import impersonation
from iambridge.wire.http import Headers


class StaticTokens:
    """A table of tokens: each with a user name and groups."""

    def __init__(self, tokens: Mapping[str, tuple[str, tuple[str, ...]]]) -> None:
        self._users = [(token.encode(), User(name, groups)) for token, (name, groups) in tokens.items()]

    async def authenticate(self, token: str, audiences: tuple[str, ...]) -> AuthenticatedToken | None:
        del audiences
        found = None
        # every token is compared, so that time does not tell which one came near
        for known, user in self._users:
            if hmac.compare_digest(known, token.encode()):
                found = user
        return None if found is None else AuthenticatedToken(found)


class Authentication:
    """Asks each authenticator in order; the first user found counts. `audiences` are the API server's own."""

    def __init__(self, authenticators: Sequence[TokenAuthenticator], audiences: Sequence[str]) -> None:
        self._authenticators = tuple(authenticators)
        self.audiences = tuple(audiences)

    async def user_of(self, headers: Headers) -> User:
        """The user of a request; `system:anonymous` when it carries no bearer token.

        Raises:
            Unauthorized: it carries one that is not accepted; `cause` says why, for the operator.
        """
        token = bearer_token(headers.get("authorization"))
        if not token:
            return ANONYMOUS
        found = await self.token_user(token, self.audiences)
        if isinstance(found, AuthenticatedToken):
            return found.user
        raise Unauthorized(
            "Unauthorized",
            cause=refusal(found),
            fix="log in again: the kubeconfig's user has no token that is accepted",
        )

    async def token_user(self, token: str, audiences: Sequence[str]) -> AuthenticatedToken | tuple[Reason, ...]:
        """The token's user for those of `audiences` that it is good for, else what each authenticator objected.

        One authenticator's objection does not stop the next, as in Kubernetes. No objection at all is an unknown token.
        """
        reasons: list[Reason] = []
        if not token.isascii():
            return ()
        for authenticator in self._authenticators:
            answer = await authenticator.authenticate(token, tuple(audiences))
            if isinstance(answer, Reason):
                reasons.append(answer)
            elif answer is not None:
                common = common_audiences(audiences, answer.audiences or self.audiences)
                if common:
                    return replace(answer, user=with_authenticated_group(answer.user), audiences=common)
        return tuple(reasons)


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


def impersonated(user: User, headers: Headers, authorizer: Authorizer) -> User:
    """The user to act as, by Impersonate-* headers, each part of which `user` must be allowed to impersonate.

    Raises:
        Forbidden: a part is not allowed.
        InternalError: groups, uid or extra without a user, as kube-apiserver answers it.
    """
    wanted = impersonation(headers)
    if wanted is None:
        return user
    for attributes in wanted.attributes:
        decision = authorizer.decide(user, attributes)
        if not decision.allowed:
            raise forbidden(user, attributes, decision)
    return wanted.user
