"""Who calls: from a proven access key to the principal, its policies and its condition keys."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from iambridge.core.iam_policy import NamedDocument, Policies, PolicyDocument, PolicyKind, Principal, PrincipalKind
from iambridge.errors import AuthenticationFault, RequestNotAuthenticated
from iambridge.sandbox.aws.entities import AccessKey, Group, Role, User
from iambridge.sandbox.aws.entities import Principal as Entity
from iambridge.sandbox.aws.iam_account import IamAccount

Context = Mapping[str, str | tuple[str, ...]]
# AWS's own managed policies may be longer than a customer's
_ANY_SIZE = 1_000_000


@dataclass(frozen=True, slots=True)
class Session:
    """What a session token holds. Times are aware; `policies` are session policies' texts by name.

    `role_id` is the AROA id that the role had when the session was made. `user` is set, and `role` empty, for
    GetSessionToken's sessions.
    """

    secret_access_key: str = field(repr=False)
    role: str
    role_id: str
    session_name: str
    issued: dt.datetime
    expires: dt.datetime
    user: str = ""
    policies: Mapping[str, str] = field(default_factory=dict)
    restricted: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    source_identity: str = ""
    context: Context = field(default_factory=dict)


OpenSession = Callable[[str, str], Session]
"""Access key id and session token to the session; raises RequestNotAuthenticated."""


@dataclass(frozen=True, slots=True)
class Caller:
    """`user_name` is empty for anyone but an IAM user. `context` are the caller's own condition keys."""

    principal: Principal
    policies: Policies
    user_name: str = ""
    context: Context = field(default_factory=dict)

    @property
    def anonymous(self) -> bool:
        return self.principal.kind == PrincipalKind.ANONYMOUS


ANONYMOUS = Caller(Principal.anonymous(), Policies())


def secret_and_caller(
    account: IamAccount, open_session: OpenSession, access_key_id: str, session_token: str
) -> tuple[str, Callable[[], Caller]]:
    """The secret to verify the signature with, and who signed if it holds.

    Raises:
        RequestNotAuthenticated: no such key, an inactive one, or a session that does not stand.
    """
    if session_token:
        session = open_session(access_key_id, session_token)
        return session.secret_access_key, lambda: session_caller(account, session)
    key = account.store.get(AccessKey, access_key_id)
    if key is None:
        raise RequestNotAuthenticated(
            AuthenticationFault.UNKNOWN_KEY,
            "The security token included in the request is invalid.",
            cause=f"the account has no access key `{access_key_id[:32]}`",
            fix="use a key of this sandbox: `iambridge env` prints the admin's",
        )
    if key.status != "Active":
        raise RequestNotAuthenticated(
            AuthenticationFault.INACTIVE_KEY,
            "The security token included in the request is invalid.",
            cause=f"the access key `{key.id}` is inactive",
            fix=f"aws iam update-access-key --user-name {key.user} --access-key-id {key.id} --status Active",
        )
    return key.secret, lambda: user_caller(account, account.find(User, key.user))


def user_caller(account: IamAccount, user: User) -> Caller:
    principal = Principal(
        arn=account.arn(user), account=account.account_id, kind=PrincipalKind.USER, user_id=user.id, tags=user.tags
    )
    documents = entity_documents(account, user)
    for name in user.groups:
        documents += entity_documents(account, account.find(Group, name))
    return Caller(principal, Policies(identity=documents, boundary=boundary(account, user)), user.name)


def session_caller(account: IamAccount, session: Session) -> Caller:
    """Raises:
    RequestNotAuthenticated: the role or user is gone, or another now has its name.
    """
    if session.user:
        user = account.store.get(User, session.user.lower())
        if user is None or user.id != session.role_id:
            raise _gone(f"the user {session.user} of this session is gone")
        return user_caller(account, user)
    role = account.store.get(Role, session.role.lower())
    if role is None or role.id != session.role_id:
        raise _gone(f"the role {session.role} of this session is gone")
    return role_caller(account, role, session)


def role_caller(account: IamAccount, role: Role, session: Session) -> Caller:
    principal = Principal(
        arn=f"arn:aws:sts::{account.account_id}:assumed-role/{role.name}/{session.session_name}",
        account=account.account_id,
        kind=PrincipalKind.ROLE_SESSION,
        role_arn=account.arn(role),
        user_id=f"{role.id}:{session.session_name}",
        tags={**role.tags, **session.tags},
    )
    documents = tuple(NamedDocument(name, parsed(text, PolicyKind.SESSION)) for name, text in session.policies.items())
    policies = Policies(
        identity=entity_documents(account, role),
        boundary=boundary(account, role),
        session=documents if documents or session.restricted else None,
    )
    context: dict[str, str | tuple[str, ...]] = {
        **session.context,
        "aws:TokenIssueTime": session.issued.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if session.source_identity:
        context["aws:SourceIdentity"] = session.source_identity
    return Caller(principal, policies, context=context)


def entity_documents(account: IamAccount, entity: Entity) -> tuple[NamedDocument, ...]:
    """Inline, then attached policies."""
    arn = account.arn(entity)
    inline = [NamedDocument(f"{arn} inline {name}", parsed(text)) for name, text in entity.inline.items()]
    attached = [
        NamedDocument(policy_arn, parsed(policy.document))
        for policy_arn in entity.attached
        if (policy := account.managed_policy(policy_arn)) is not None
    ]
    return (*inline, *attached)


def boundary(account: IamAccount, entity: Entity) -> tuple[NamedDocument, ...] | None:
    """The permissions boundary; one whose policy is gone allows nothing."""
    if not entity.boundary:
        return None
    policy = account.managed_policy(entity.boundary)
    return () if policy is None else (NamedDocument(entity.boundary, parsed(policy.document)),)


@lru_cache(maxsize=4096)
def parsed(text: str, kind: PolicyKind = PolicyKind.IDENTITY) -> PolicyDocument:
    """A document that was checked when it was stored, compiled once."""
    return PolicyDocument.parse(text, kind=kind, limit=_ANY_SIZE)


def _gone(cause: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.INVALID_SESSION,
        "The security token included in the request is invalid.",
        cause=cause,
        fix="assume the role again",
    )
