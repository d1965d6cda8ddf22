"""Temporary credentials, and the tags that they are given."""

from collections.abc import Mapping

import msgspec

from iambridge.core.iam_policy import Principal, PrincipalKind

Context = dict[str, str | tuple[str, ...]]
"""Condition keys as AWS spells them."""

_OF_AN_ENTITY = frozenset({PrincipalKind.ROLE_SESSION, PrincipalKind.FEDERATED_USER})


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Temporary credentials and what they stand for. Times are seconds since the epoch.

    `principal_arn` is as GetCallerIdentity spells it, `entity_arn` the IAM role or user behind it, `entity_id` its
    unique id, `user_id` GetCallerIdentity's UserId. `policy` and `policy_arns` are the session policies.
    A list of values where it is encoded: the fields' names would stand in every session token.
    """

    access_key_id: str
    secret_access_key: str
    account: str
    kind: str
    principal_arn: str
    entity_arn: str
    entity_id: str
    user_id: str
    issued: int
    expires: int
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str = ""
    federated_provider: str = ""
    web_identity: dict[str, str] = {}

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Session({self.access_key_id!r}, {self.principal_arn!r}, expires={self.expires})"

    def principal(self, entity_tags: Mapping[str, str]) -> Principal:
        """The caller as policies know it; session tags win over the entity's."""
        return Principal(
            arn=self.principal_arn,
            account=self.account,
            kind=PrincipalKind(self.kind),
            role_arn=self.entity_arn if self.kind in _OF_AN_ENTITY else "",
            user_id=self.user_id,
            # a federated user has the tags it was given, and not the user's who vouches for it
            tags=self.tags if self.kind == PrincipalKind.FEDERATED_USER else {**entity_tags, **self.tags},
        )

    def keys(self) -> Context:
        """The condition keys that every call of this session carries."""
        keys: Context = dict(self.web_identity)
        # AWS gives it to temporary credentials always; MFA parameters are refused by name, so no session has it
        keys["aws:MultiFactorAuthPresent"] = "false"
        if self.federated_provider:
            keys["aws:FederatedProvider"] = self.federated_provider
        if self.source_identity:
            keys["aws:SourceIdentity"] = self.source_identity
        return keys


class SessionTags(msgspec.Struct, frozen=True):
    """The tags and the source identity that a token asks for."""

    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
