"""Impersonate-* headers: whom the caller wants to be, and what it must be allowed for that.

Source: apiserver pkg/endpoints/filters/impersonation.go.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from iambridge.core.rbac import Attributes, User
from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.authenticated import (
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    service_account_groups,
)
from iambridge.sandbox.cluster.objects.field_error import quoted
from iambridge.wire.http import Headers

_AUTHENTICATION = "authentication.k8s.io"
_EXTRA_PREFIX = "impersonate-extra-"
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_SERVICE_ACCOUNT = re.compile(rf"system:serviceaccount:({_LABEL}):((?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*)")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The user to act as, once the caller is authorised for every one of `attributes` (verb `impersonate`)."""

    user: User
    attributes: tuple[Attributes, ...]


def impersonation(headers: Headers) -> Impersonation | None:
    """What the headers ask for; None when there is nothing of the kind.

    Raises:
        BadRequest: groups, a uid or extras without a user, as Kubernetes answers it.
    """
    name, uid = headers.get("impersonate-user"), headers.get("impersonate-uid")
    groups = tuple(headers.get_all("impersonate-group"))
    extras = [
        (_extra_key(header), value) for header, value in headers.items if header.lower().startswith(_EXTRA_PREFIX)
    ]
    if not name:
        if groups or extras or uid:
            raise BadRequest(
                f"requested {_asked(groups, extras, uid)} without impersonating a user name",
                fix="name the user too: kubectl --as USER",
            )
        return None
    account = _SERVICE_ACCOUNT.fullmatch(name)
    attributes = [Attributes("impersonate", resource="users", name=name)]
    if account is not None:
        attributes = [Attributes("impersonate", resource="serviceaccounts", namespace=account[1], name=account[2])]
    attributes += [Attributes("impersonate", resource="groups", name=group) for group in groups]
    attributes += [Attributes("impersonate", _AUTHENTICATION, "userextras", key, name=value) for key, value in extras]
    if uid:
        attributes.append(Attributes("impersonate", _AUTHENTICATION, "uids", name=uid))
    if account is not None and not groups:
        groups = service_account_groups(account[1])
    user = User(name, _with_system_group(name, groups), uid, _collected(extras))
    return Impersonation(user, tuple(attributes))


def _with_system_group(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    if name == ANONYMOUS.name:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    return groups if {AUTHENTICATED, UNAUTHENTICATED} & set(groups) else (*groups, AUTHENTICATED)


def _extra_key(header: str) -> str:
    key = header[len(_EXTRA_PREFIX) :].lower()
    return key if _BROKEN_ESCAPE.search(key) else unquote(key)


def _collected(extras: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, value in extras:
        found[key] = (*found.get(key, ()), value)
    return found


def _asked(groups: Iterable[str], extras: Iterable[tuple[str, str]], uid: str) -> str:
    """The wanted user as Go prints it."""
    shown = _go_list(groups)
    found = ", ".join(f"{quoted(key)}:{_go_list(values)}" for key, values in sorted(_collected(extras).items()))
    extra = f"map[string][]string{{{found}}}" if found else "map[string][]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:{quoted(uid)}, Groups:{shown}, Extra:{extra}}}'


def _go_list(values: Iterable[str]) -> str:
    shown = ", ".join(map(quoted, values))
    return f"[]string{{{shown}}}" if shown else "[]string(nil)"
