"""Impersonation is a pure reading of headers: whom, and what for."""

import pytest

from iambridge.core.rbac import Attributes
from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.impersonation import impersonation
from iambridge.wire.http import Headers

AUTHN = "authentication.k8s.io"


def test_no_header_no_impersonation() -> None:
    """A request without Impersonate-* headers stays the caller's own."""
    assert impersonation(Headers([("authorization", "Bearer x")])) is None


def test_everything_asked_for_is_to_be_authorised() -> None:
    """User, each group, each extra value and the uid are one `impersonate` check each."""
    found = impersonation(
        Headers(
            [
                ("Impersonate-User", "jane"),
                ("Impersonate-Group", "devs"),
                ("Impersonate-Group", "ops"),
                ("Impersonate-Extra-Example.com%2fScope", "view"),
                ("Impersonate-Extra-Example.com%2fScope", "edit"),
                ("Impersonate-Uid", "u-1"),
            ]
        )
    )
    assert found is not None
    assert found.attributes == (
        Attributes("impersonate", "", "users", name="jane"),
        Attributes("impersonate", "", "groups", name="devs"),
        Attributes("impersonate", "", "groups", name="ops"),
        Attributes("impersonate", AUTHN, "userextras", "example.com/scope", name="view"),
        Attributes("impersonate", AUTHN, "userextras", "example.com/scope", name="edit"),
        Attributes("impersonate", AUTHN, "uids", name="u-1"),
    )
    assert (found.user.name, found.user.uid) == ("jane", "u-1")
    assert found.user.groups == ("devs", "ops", "system:authenticated")
    assert found.user.extra == {"example.com/scope": ("view", "edit")}


def test_a_service_account_has_its_own_check_and_groups() -> None:
    """A service account's username is authorised on `serviceaccounts`, and brings its groups when none are named."""
    found = impersonation(Headers([("impersonate-user", "system:serviceaccount:default:s3-echoer")]))
    assert found is not None
    assert found.attributes == (Attributes("impersonate", "", "serviceaccounts", "", "default", "s3-echoer"),)
    assert found.user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    )


@pytest.mark.parametrize(
    "name", ["system:serviceaccount:a", "system:serviceaccount:A:b", "system:serviceaccount:a:b:c"]
)
def test_what_only_looks_like_a_service_account_is_a_user(name: str) -> None:
    """A username that no service account can have is authorised on `users`."""
    found = impersonation(Headers([("impersonate-user", name)]))
    assert found is not None
    assert found.attributes[0].resource == "users"


@pytest.mark.parametrize(
    ("user", "groups", "expected"),
    [
        ("system:anonymous", [], ("system:unauthenticated",)),
        ("jane", [], ("system:authenticated",)),
        ("jane", ["system:authenticated"], ("system:authenticated",)),
        ("jane", ["system:unauthenticated"], ("system:unauthenticated",)),
    ],
)
def test_the_system_group_follows_from_user_and_groups(user: str, groups: list[str], expected: tuple[str, ...]) -> None:
    """Nobody acts without one of the two system groups, and never with both."""
    found = impersonation(Headers([("impersonate-user", user), *(("impersonate-group", group) for group in groups)]))
    assert found is not None
    assert found.user.groups == expected


@pytest.mark.parametrize(
    ("header", "value", "shown"),
    [
        (
            "impersonate-group",
            "system:masters",
            'UID:"", Groups:[]string{"system:masters"}, Extra:map[string][]string(nil)',
        ),
        ("impersonate-uid", "1", 'UID:"1", Groups:[]string(nil), Extra:map[string][]string(nil)'),
        ("impersonate-extra-a", "b", 'UID:"", Groups:[]string(nil), Extra:map[string][]string{"a":[]string{"b"}}'),
    ],
)
def test_a_group_without_a_user_is_refused(header: str, value: str, shown: str) -> None:
    """Groups, uid or extras alone are an error, and never the caller's own request."""
    with pytest.raises(BadRequest) as caught:
        impersonation(Headers([(header, value)]))
    assert caught.value.message == f'requested &user.DefaultInfo{{Name:"", {shown}}} without impersonating a user name'
