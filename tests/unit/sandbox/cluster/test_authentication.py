"""A request is its bearer token's user, nobody's, or refused; never nobody's because its token is bad."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from iambridge.core.decision import Reason
from iambridge.core.rbac import User
from iambridge.errors import Forbidden, Unauthorized
from iambridge.sandbox.cluster.authenticated import ANONYMOUS, Answer, AuthenticatedToken
from iambridge.sandbox.cluster.authentication import (
    Authentication,
    StaticTokens,
    bearer_token,
    impersonated,
    refusal,
)
from iambridge.sandbox.cluster.authorization import Authorizer
from iambridge.sandbox.cluster.store import Store
from iambridge.wire.http import Headers

API = ("https://127.0.0.1:8443",)
STATIC = StaticTokens({"admin-token": ("kubernetes-admin", ("system:masters",))})


class Table:
    """An authenticator that answers by table, and keeps what it was asked."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    async def authenticate(self, token: str, audiences: tuple[str, ...]) -> Answer:
        self.asked.append((token, audiences))
        return self.answers.get(token)


def _user(authorization: str, *authenticators: Table) -> User:
    authentication = Authentication([STATIC, *authenticators], API)
    return asyncio.run(authentication.user_of(Headers([("Authorization", authorization)])))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer x", "x"),
        ("bearer x", "x"),
        ("  Bearer x  ", "x"),
        ("Bearer x y", "x"),
        ("Bearer", ""),
        ("Bearer  x", ""),
        ("Basic eDp5", ""),
        ("", ""),
    ],
)
def test_only_bearer_tokens_are_credentials(header: str, token: str) -> None:
    """Header parsing is kube-apiserver's; anything without a bearer token is the anonymous user."""
    assert bearer_token(header) == token
    if not token:
        assert _user(header) == ANONYMOUS


def test_a_request_without_a_header_is_anonymous() -> None:
    """No Authorization header is system:anonymous in system:unauthenticated, and no one is asked."""
    table = Table({})
    user = asyncio.run(Authentication([table], API).user_of(Headers()))
    assert user == User("system:anonymous", ("system:unauthenticated",))
    assert table.asked == []


def test_the_first_that_knows_a_token_counts() -> None:
    """A static token is not shown to the next authenticator; an unknown one is, for the API server's audiences."""
    table = Table({"other": AuthenticatedToken(User("jane", ("devs",)))})
    assert _user("Bearer admin-token", table) == User("kubernetes-admin", ("system:masters", "system:authenticated"))
    assert table.asked == []
    assert _user("Bearer other", table) == User("jane", ("devs", "system:authenticated"))
    assert table.asked == [("other", API)]


def test_an_objection_does_not_stop_the_next() -> None:
    """As in Kubernetes, one authenticator's error leaves the token to the others."""
    first, second = Table({"t": Reason("x", "no")}), Table({"t": AuthenticatedToken(User("jane"))})
    assert _user("Bearer t", first, second).name == "jane"


@pytest.mark.parametrize("token", ["unknown", "admin-toke", "admin-token1", "Admin-token", "törichtes"])
def test_a_bad_token_is_refused_and_never_anonymous(token: str) -> None:
    """401 with the one word `Unauthorized`; the cause is for the operator and does not hold the token."""
    with pytest.raises(Unauthorized) as caught:
        _user(f"Bearer {token}", Table({}))
    error = caught.value
    assert (error.status, error.code, error.message) == (401, "Unauthorized", "Unauthorized")
    assert error.cause == "invalid bearer token"


def test_a_token_for_another_audience_is_refused() -> None:
    """A user whose token is not for the API server is no user here."""
    table = Table({"t": AuthenticatedToken(User("jane"), ("sts.amazonaws.com",))})
    with pytest.raises(Unauthorized):
        _user("Bearer t", table)


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        ((), "invalid bearer token"),
        (("service account token has expired",), "[invalid bearer token, service account token has expired]"),
        (("a", "b"), "[invalid bearer token, [a, b]]"),
    ],
)
def test_refusals_are_aggregated_as_kube_apiserver_logs_them(texts: tuple[str, ...], shown: str) -> None:
    """What TokenReview's status.error and the log say is spelled as in a real cluster."""
    assert refusal([Reason("x", text) for text in texts]) == shown


@pytest.mark.parametrize("groups", [("system:authenticated",), ("system:unauthenticated",)])
def test_the_authenticated_group_is_added_once(groups: tuple[str, ...]) -> None:
    """A user whose groups say already how it came is left as it is."""
    assert _user("Bearer t", Table({"t": AuthenticatedToken(User("jane", groups))})).groups == groups


def test_impersonation_needs_leave_for_each_part(tmp_path: Path) -> None:
    """An administrator acts as whom they name; another is refused with the first part that they may not."""

    async def main() -> None:
        store = Store(tmp_path)
        authorizer = Authorizer(store)
        wanted = Headers([("impersonate-user", "jane"), ("impersonate-group", "devs")])
        admin, bob = User("admin", ("system:masters",)), User("bob", ("system:authenticated",))
        assert impersonated(admin, wanted, authorizer) == User("jane", ("devs", "system:authenticated"))
        assert impersonated(bob, Headers(), authorizer) is bob
        with pytest.raises(Forbidden) as caught:
            impersonated(bob, wanted, authorizer)
        assert caught.value.message == (
            'users "jane" is forbidden: User "bob" cannot impersonate resource "users" in API group "" '
            "at the cluster scope"
        )
        await store.close()

    asyncio.run(main())
