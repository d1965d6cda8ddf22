"""The Principal and NotPrincipal elements: whom they name, and how closely they name the one who asks.

Source: IAM User Guide, "AWS JSON policy elements: Principal", "NotPrincipal" and "Policy evaluation logic".
"""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, Protocol

ACCOUNT: Final = re.compile(r"[0-9]{12}\Z")
_ROOT: Final = re.compile(r"arn:[a-z0-9-]+:iam::([0-9]{12}):root\Z")
_ENTITY: Final = re.compile(
    r"arn:[a-z0-9-]+:(?:iam::[0-9]{12}:(?:user|role)/[\w+=,.@/-]+"
    r"|sts::[0-9]{12}:(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+))\Z",
    re.ASCII,
)
_UNIQUE_ID: Final = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{12,28}\Z")
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z")
PROVIDER: Final = re.compile(r"arn:[a-z0-9-]+:iam::[0-9]{12}:(?:oidc-provider|saml-provider)/\S+\Z")
KNOWN_PROVIDERS: Final = frozenset(
    {"cognito-identity.amazonaws.com", "www.amazon.com", "graph.facebook.com", "accounts.google.com"}
)
_CANONICAL_USER: Final = re.compile(r"[0-9a-f]{64}\Z")


_FAMILY: Final[Mapping[str, str]] = {"service": "Service", "federated": "Federated"}
_NO_ENTITY: Final = frozenset({"service", "federated", "anonymous"})
"""Kinds of principals that are of no account."""


class Naming(IntEnum):
    """How closely an element names the one who asks; the closer, the fewer other policies must allow too."""

    NOT = 0
    ACCOUNT = 1  # the account delegates to its own policies
    ENTITY = 2  # the role behind a session: bounded by boundary and session policy
    EVERYONE = 3
    EXACT = 4  # the user, the session, the service or the provider itself


class Named(Protocol):
    """What of `request.Principal` is compared here."""

    @property
    def arn(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def role_arn(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def canonical_user_id(self) -> str: ...


def fault_in(family: str, value: str) -> str:
    """What is wrong with one principal, or empty."""
    if family == "AWS":
        if value == "*" or any(form.match(value) for form in (ACCOUNT, _ROOT, _ENTITY, _UNIQUE_ID)):
            return ""
        if "*" in value or "?" in value:
            return f"`{value}`: a principal takes no wildcard except `*` alone"
        return f"`{value}` is not an account, an IAM user or role, or a session of one"
    if family == "Service":
        return "" if _SERVICE.match(value) else f"`{value}` is not a service's name, as ec2.amazonaws.com"
    if family == "Federated":
        known = value in KNOWN_PROVIDERS or (PROVIDER.match(value) and "*" not in value)
        return "" if known else f"`{value}` is not the ARN of an OIDC or SAML provider"
    return "" if _CANONICAL_USER.match(value) else f"`{value}` is not a canonical user id of 64 hex digits"


FAMILIES: Final = ("AWS", "Service", "Federated", "CanonicalUser")


class PrincipalElement:
    """`values` are (family, value) pairs in the document's order."""

    __slots__ = ("_accounts", "_everyone", "_exact", "negated", "values")

    def __init__(self, values: Sequence[tuple[str, str]], *, negated: bool) -> None:
        self.values = tuple(values)
        self.negated = negated
        accounts: set[str] = set()
        exact: set[tuple[str, str]] = set()
        self._everyone = False
        for family, value in values:
            root = _ROOT.match(value)
            if family == "AWS" and value == "*":
                self._everyone = True
            elif family == "AWS" and (root or ACCOUNT.match(value)):
                accounts.add(root[1] if root else value)
            else:
                exact.add((family, value))
        self._accounts = frozenset(accounts)
        self._exact = frozenset(exact)

    def naming(self, principal: Named, *, denies: bool, bounded: bool = False) -> Naming:
        """How a statement with this element names the principal; `bounded`: one with a permissions boundary.

        NotPrincipal in a Deny spares only one whose every name is listed: account, role and session; and, as the User
        Guide warns, none with a boundary. In an Allow it covers only one of whose names none is listed.
        """
        if not self.negated:
            # a provider's caller is named by its provider only; `*` may refuse it, never admit it
            everyone = self._everyone and (denies or principal.kind != "federated")
            return self._named(principal, everyone=everyone)
        if self._everyone:
            return Naming.NOT
        listed = self._listed(principal)
        spared = (all(listed) and not bounded) if denies else any(listed)
        return Naming.NOT if spared else Naming.EVERYONE

    def _named(self, principal: Named, *, everyone: bool) -> Naming:
        if self._everyone and not self._exact:
            return Naming.EVERYONE if everyone else self._account_of(principal)
        exact, kind = self._exact, principal.kind
        if (_FAMILY.get(kind, "AWS"), principal.arn) in exact:
            # a role asked about without a session is what the policy calls the role
            return Naming.ENTITY if kind == "role" else Naming.EXACT
        entity = kind not in _NO_ENTITY
        if entity and principal.user_id:
            unique_id, _, session = principal.user_id.partition(":")
            if ("AWS", unique_id) in exact:
                return Naming.ENTITY if session or kind == "role" else Naming.EXACT
        if everyone:
            return Naming.EVERYONE
        if entity and principal.role_arn and ("AWS", principal.role_arn) in exact:
            return Naming.ENTITY
        return self._account_of(principal)

    def _account_of(self, principal: Named) -> Naming:
        return Naming.ACCOUNT if principal.kind not in _NO_ENTITY and self._names_account(principal) else Naming.NOT

    def _names_account(self, principal: Named) -> bool:
        canonical = principal.canonical_user_id
        return principal.account in self._accounts or bool(canonical and ("CanonicalUser", canonical) in self._exact)

    def _listed(self, principal: Named) -> list[bool]:
        """For each name that the principal goes by, whether it is listed."""
        listed = [(_FAMILY.get(principal.kind, "AWS"), principal.arn) in self._exact]
        if principal.kind in _NO_ENTITY:
            return listed
        if principal.kind == "root":
            listed.clear()
        elif principal.role_arn and principal.role_arn != principal.arn:
            listed.append(("AWS", principal.role_arn) in self._exact)
        unique_id = principal.user_id.partition(":")[0]
        if unique_id and ("AWS", unique_id) in self._exact and listed:
            listed[-1] = True
        return [*listed, self._names_account(principal)]
