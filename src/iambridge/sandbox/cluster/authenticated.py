"""Who a bearer token stands for, and the groups that authentication itself gives."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from iambridge.core.decision import Reason
from iambridge.core.rbac import User

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


@dataclass(frozen=True, slots=True)
class AuthenticatedToken:
    """The user of a token, and the audiences it is good for: empty for the API server's own."""

    user: User
    audiences: tuple[str, ...] = ()


Answer = AuthenticatedToken | Reason | None


class TokenAuthenticator(Protocol):
    """One way to know a bearer token."""

    async def authenticate(self, token: str, audiences: tuple[str, ...]) -> Answer:
        """The token's user, why it is refused or cannot be judged, or None when it is of no kind known here.

        `audiences` are those wanted; any one of them is enough.
        """


def with_authenticated_group(user: User) -> User:
    """`user` in `system:authenticated`, unless it is anonymous or its groups say already.

    Source: apiserver pkg/authentication/group/authenticated_group_adder.go.
    """
    if user.name == ANONYMOUS.name or {AUTHENTICATED, UNAUTHENTICATED} & set(user.groups):
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))


def service_account_username(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def service_account_groups(namespace: str) -> tuple[str, ...]:
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


def common_audiences(offered: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """The members of `offered` that are wanted, in the order offered."""
    accepted = frozenset(wanted)
    return tuple(audience for audience in offered if audience in accepted)
