"""What is asked, and by whom: the values that `authorize` judges."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from iambridge.core.iam_policy.document import PolicyDocument

Context = Mapping[str, str | tuple[str, ...]]
"""Condition keys as AWS spells them -> a str (single-valued) or a tuple (multi-valued); case does not matter."""


class PrincipalKind(StrEnum):
    USER = "user"
    ROLE = "role"  # a role itself, where no session is known
    ROLE_SESSION = "role-session"
    FEDERATED_USER = "federated-user"  # GetFederationToken's session
    ROOT = "root"
    SERVICE = "service"  # `arn` is the service's name, as ec2.amazonaws.com
    FEDERATED = "federated"  # an unsigned AssumeRoleWithWebIdentity or WithSAML: `arn` is the provider's ARN
    ANONYMOUS = "anonymous"


ACTION_NAME: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9_.-]+\Z")
"""One action, by `match`: no wildcards."""

RESOURCE_ARN: Final = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+\Z", re.DOTALL)
"""An ARN of six segments, by `match`."""

UNSIGNED: Final = frozenset({PrincipalKind.ANONYMOUS, PrincipalKind.FEDERATED})
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?:iam::(?P<iam>[0-9]{12}):(?:root|(?:user|role)/[\w+=,.@/-]+)"
    r"|sts::(?P<sts>[0-9]{12}):(?:assumed-role/(?P<role>[\w+=,.@-]+)/[\w+=,.@-]+|federated-user/[\w+=,.@-]+))\Z",
    re.ASCII,
)
_KINDS: Final = {
    "root": PrincipalKind.ROOT,
    "user": PrincipalKind.USER,
    "role": PrincipalKind.ROLE,
    "assumed-role": PrincipalKind.ROLE_SESSION,
    "federated-user": PrincipalKind.FEDERATED_USER,
}
_TYPES = {
    PrincipalKind.USER: "User",
    PrincipalKind.ROLE: "AssumedRole",
    PrincipalKind.ROLE_SESSION: "AssumedRole",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
    PrincipalKind.ROOT: "Account",
    PrincipalKind.SERVICE: "Service",
    PrincipalKind.ANONYMOUS: "Anonymous",
}


class Principal(msgspec.Struct, frozen=True):
    """Who asks. `arn` is as GetCallerIdentity spells it.

    `role_arn` is the IAM entity behind a session: the role's own ARN with its path, or the user behind a federated
    user. `user_id` is GetCallerIdentity's UserId (`AIDA...`, `AROA...:session`). `tags` are the principal's and
    session's tags together.
    """

    arn: str
    account: str
    kind: PrincipalKind | str
    role_arn: str = ""
    user_id: str = ""
    tags: Mapping[str, str] = {}
    canonical_user_id: str = ""

    @classmethod
    def anonymous(cls) -> "Principal":
        return cls(arn="anonymous", account="", kind=PrincipalKind.ANONYMOUS)

    @classmethod
    def from_arn(
        cls, arn: str, *, role_arn: str = "", user_id: str = "", tags: Mapping[str, str] | None = None
    ) -> "Principal":
        """A principal by its ARN alone. Raises ValueError when the ARN names none.

        A role session's ARN drops the role's path: pass `role_arn` where the path is known.
        """
        found = _ARN.match(arn)
        if found is None or arn.endswith("/"):
            raise ValueError(
                f"`{arn}` is not the ARN of an account's root, a user, a role, or a session of a role or federated user"
            )
        account = found["iam"] or found["sts"]
        kind = _KINDS[arn.split(":", 5)[5].partition("/")[0]]
        if kind is PrincipalKind.ROLE_SESSION:
            role_arn = role_arn or f"arn:{found['partition']}:iam::{account}:role/{found['role']}"
        elif kind is PrincipalKind.ROLE:
            role_arn = role_arn or arn
        return cls(arn=arn, account=account, kind=kind, role_arn=role_arn, user_id=user_id, tags=tags or {})

    def keys(self, tags: Mapping[str, str] | None = None) -> dict[str, str | tuple[str, ...]]:
        """The condition keys that follow from the principal, in lower case; `tags` stand in for its own.

        Source: IAM User Guide, "AWS global condition context keys", principals; "Principal key values".
        """
        keys: dict[str, str | tuple[str, ...]] = {}
        kind = self.kind if isinstance(self.kind, PrincipalKind) else PrincipalKind(self.kind)
        if not self.arn:
            return keys
        if kind in _TYPES:
            keys["aws:principaltype"] = _TYPES[kind]
        if kind is PrincipalKind.ANONYMOUS:
            return keys | {"aws:principalaccount": "anonymous", "aws:userid": "anonymous"}
        if kind is PrincipalKind.FEDERATED:
            keys["aws:federatedprovider"] = self.arn
        else:
            self._signed(kind, keys)
        if kind is not PrincipalKind.SERVICE:
            for name, value in (self.tags if tags is None else tags).items():
                keys[f"aws:principaltag/{name.lower()}"] = value
        return keys

    def _signed(self, kind: PrincipalKind, keys: dict[str, str | tuple[str, ...]]) -> None:
        """The keys that come with AWS credentials."""
        keys["aws:principalisawsservice"] = "true" if kind is PrincipalKind.SERVICE else "false"
        if kind is PrincipalKind.SERVICE:
            keys["aws:principalservicename"] = self.arn
            return
        session = kind in (PrincipalKind.ROLE, PrincipalKind.ROLE_SESSION)
        keys["aws:principalarn"] = self.role_arn if session else self.arn
        keys["aws:principalaccount"] = self.account
        user_id = self.user_id or self._derived_user_id(kind)
        if user_id:
            keys["aws:userid"] = user_id
        if kind is PrincipalKind.USER:
            keys["aws:username"] = self.arn.rpartition("/")[2]

    def _derived_user_id(self, kind: PrincipalKind) -> str:
        """aws:userid where it is no unique id: the root user's and a federated user's."""
        if kind is PrincipalKind.ROOT:
            return self.account
        return f"{self.account}:{self.arn.rpartition('/')[2]}" if kind is PrincipalKind.FEDERATED_USER else ""


class AuthorizationRequest(msgspec.Struct, frozen=True):
    """One action on one resource (`*` where the action has no resource). `resource_account` empty: the caller's own.

    Keys of the principal and `aws:ResourceAccount` need not be in `context`; what is there wins.
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str = ""
    context: Context = {}


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document and the name reasons give it: a policy's ARN or name."""

    name: str
    document: PolicyDocument


@dataclass(frozen=True, slots=True)
class Policies:
    """Every policy in play; None or () is not in play, except that an empty `identity` allows nothing.

    `service_control` and `resource_control` are levels (root, OUs, account), each with its documents; each level must
    allow. Leave `service_control` out for the management account, which SCPs do not touch.
    """

    identity: tuple[NamedDocument, ...] = ()
    boundary: tuple[NamedDocument, ...] | None = None
    session: tuple[NamedDocument, ...] | None = None
    resource: tuple[NamedDocument, ...] | None = None
    service_control: tuple[tuple[NamedDocument, ...], ...] | None = None
    resource_control: tuple[tuple[NamedDocument, ...], ...] | None = None
    endpoint: tuple[NamedDocument, ...] | None = None

    def documents(self) -> list[NamedDocument]:
        """Every document in play, of whatever type."""
        found: list[NamedDocument] = []
        for levels in (self.resource_control, self.service_control):
            for level in levels or ():
                found += level
        found += (*self.identity, *(self.boundary or ()), *(self.session or ()), *(self.resource or ()))
        found += self.endpoint or ()
        return found


class Question:
    """A request while it is judged: the action in lower case, and the context gathered at the first key asked for.

    INVARIANT: what it answers never changes, also when the caller's mappings do: reasons are told later.
    `bounded`: the principal has a permissions boundary, which NotPrincipal with Deny looks at.
    """

    __slots__ = ("_context", "_keys", "_tags", "action", "bounded", "principal", "request", "resource")

    def __init__(self, request: AuthorizationRequest, *, bounded: bool = False) -> None:
        self.request = request
        self.bounded = bounded
        self.action = request.action.lower()
        self.resource = request.resource
        self.principal = request.principal
        self._context = dict(request.context)
        self._tags = dict(request.principal.tags)
        self._keys: dict[str, str | tuple[str, ...]] | None = None

    def lookup(self, key: str) -> str | tuple[str, ...] | None:
        """The value of a condition key given in lower case."""
        keys = self._keys
        if keys is None:
            keys = self._keys = self._gathered()
        return keys.get(key)

    def _gathered(self) -> dict[str, str | tuple[str, ...]]:
        keys = self.principal.keys(self._tags)
        if self.request.resource_account:
            keys["aws:resourceaccount"] = self.request.resource_account
        context = self._context
        keys.update(zip(map(str.lower, context), context.values(), strict=True))
        return keys
