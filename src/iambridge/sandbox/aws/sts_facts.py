"""IAM's state as STS and the gateway ask for it: `ports.IamFacts` over the store."""

from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from iambridge.core.iam_policy import NamedDocument, Policies, PolicyDocument, PolicyKind, Principal, PrincipalKind
from iambridge.core.role_trust import OidcProvider, Session, TrustedRole
from iambridge.ports import LongTermKey
from iambridge.sandbox.aws.entities import AccessKey, Group, Named, OpenIDConnectProvider, Role, User
from iambridge.sandbox.aws.entities import Principal as Entity
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.trusted_principals import trust_as_of_now

N = TypeVar("N", bound=Named)
# AWS's own managed policies may be longer than a customer's
_ANY_SIZE = 1_000_000
_MAX_MADE = 4096
# what a federated user without session policies may do: what resources grant to that very session, and no more
# (STS API Reference, GetFederationToken)
_NOTHING_PASSED = NamedDocument("no session policy", PolicyDocument(PolicyKind.SESSION, "2012-10-17", (), "{}"))


class StsFacts:
    """Answers from memory, as of this moment. What it makes of the state it makes once for each state of the store."""

    def __init__(self, account: IamAccount) -> None:
        self._account = account
        self._generation = -1
        self._made: dict[tuple[str, ...], Any] = {}

    def _now(self) -> dict[tuple[str, ...], Any]:
        """What was made of the state as it is: any write forgets it. It holds what was found, never an absence."""
        generation = self._account.store.generation
        if self._generation != generation or len(self._made) >= _MAX_MADE:
            self._generation = generation
            self._made = {}
        return self._made

    def access_key(self, access_key_id: str) -> LongTermKey | None:
        made = self._now()
        found: LongTermKey | None = made.get(("key", access_key_id))
        if found is None:
            key = self._account.store.get(AccessKey, access_key_id)
            if key is None:
                return None
            user = self._account.find(User, key.user)
            found = LongTermKey(key.id, key.secret, key.status == "Active", self._principal(user))
            made["key", access_key_id] = found
        return found

    def _principal(self, user: User) -> Principal:
        account = self._account
        return Principal(
            arn=account.arn(user), account=account.account_id, kind=PrincipalKind.USER, user_id=user.id, tags=user.tags
        )

    def role(self, role_arn: str) -> TrustedRole | None:
        made = self._now()
        found: TrustedRole | None = made.get(("role", role_arn))
        if found is None:
            role = self._account.of_arn(Role, role_arn)
            if role is None:
                return None
            found = made["role", role_arn] = TrustedRole(
                arn=role_arn,
                account=self._account.account_id,
                name=role.name,
                role_id=role.id,
                trust=parsed(trust_as_of_now(self._account, role), PolicyKind.TRUST),
                max_session_duration=role.max_session_duration,
                tags=role.tags,
            )
        return found

    def oidc_provider(self, account: str, url: str) -> OidcProvider | None:
        made = self._now()
        found: OidcProvider | None = made.get(("provider", account, url))
        if found is None:
            provider = self._account.store.get(OpenIDConnectProvider, url)
            if provider is None or account != self._account.account_id:
                return None
            found = made["provider", account, url] = OidcProvider(
                self._account.arn(provider), provider.url, provider.client_ids, provider.thumbprints
            )
        return found

    def principal_tags(self, entity_arn: str, entity_id: str) -> dict[str, str] | None:
        entity = self._account.of_arn(Role, entity_arn) or self._account.of_arn(User, entity_arn)
        return entity.tags if entity is not None and entity.id == entity_id else None

    def policies(self, principal: Principal, session: Session | None) -> Policies:
        """A caller whose entity is gone has no policy that allows anything."""
        made, arn = self._now(), principal.role_arn or principal.arn
        found: Policies | None = made.get(("policies", arn))
        if found is None:
            entity: User | Role | None = self._account.of_arn(Role, arn) or self._account.of_arn(User, arn)
            if entity is None:
                return Policies()
            found = made["policies", arn] = self._policies(entity)
        limits = self._session_policies(session)
        if limits is not None:
            return replace(found, session=limits)
        if session is not None and session.kind == PrincipalKind.FEDERATED_USER:
            return replace(found, session=(_NOTHING_PASSED,))
        return found

    def _policies(self, entity: User | Role) -> Policies:
        documents = self.documents(entity)
        if isinstance(entity, User):
            for name in entity.groups:
                documents += self.documents(self._account.find(Group, name))
        return Policies(identity=documents, boundary=self._boundary(entity))

    def managed_policy_exists(self, policy_arn: str, account: str) -> bool:
        return account == self._account.account_id and self._account.managed_policy(policy_arn) is not None

    def documents(self, entity: Entity) -> tuple[NamedDocument, ...]:
        """Inline, then attached policies."""
        arn = self._account.arn(entity)
        inline = [NamedDocument(f"{arn} inline {name}", parsed(text)) for name, text in entity.inline.items()]
        return (*inline, *self._managed(entity.attached))

    def _managed(self, arns: tuple[str, ...]) -> tuple[NamedDocument, ...]:
        return tuple(
            NamedDocument(arn, parsed(policy.document))
            for arn in arns
            if (policy := self._account.managed_policy(arn)) is not None
        )

    def _boundary(self, entity: Entity) -> tuple[NamedDocument, ...] | None:
        """A boundary whose policy is gone allows nothing."""
        return self._managed((entity.boundary,)) if entity.boundary else None

    def _session_policies(self, session: Session | None) -> tuple[NamedDocument, ...] | None:
        """Session policies that were named restrict, also when a managed one of them is gone."""
        if session is None or not (session.policy or session.policy_arns):
            return None
        inline = (
            (NamedDocument("session policy", parsed(session.policy, PolicyKind.SESSION)),) if session.policy else ()
        )
        return inline + self._managed(session.policy_arns)


@lru_cache(maxsize=4096)
def parsed(text: str, kind: PolicyKind = PolicyKind.IDENTITY) -> PolicyDocument:
    """A document that was checked when it was stored, compiled once."""
    return PolicyDocument.parse(text, kind=kind, limit=_ANY_SIZE)
