"""IAM entities as they are kept: plain values, one JSON document each, never mutated in place."""

from typing import ClassVar

import msgspec

Tags = dict[str, str]


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """`created` is ISO 8601 in UTC with seconds. The key is unique within its kind."""

    kind: ClassVar[str]
    created: str = ""

    @property
    def key(self) -> str:
        raise NotImplementedError


class Named(Entity, frozen=True, kw_only=True):
    """What users, groups, roles, instance profiles and policies share. IAM names differ by more than case."""

    name: str
    id: str
    path: str = "/"
    tags: Tags = {}

    @property
    def key(self) -> str:
        return self.name.lower()

    def arn(self, account_id: str) -> str:
        return f"arn:aws:iam::{account_id}:{self.kind}{self.path}{self.name}"


class Principal(Named, frozen=True, kw_only=True):
    """`inline` is policy name to document text; `attached` are policy ARNs in the order attached; `boundary` an ARN."""

    inline: dict[str, str] = {}
    attached: tuple[str, ...] = ()
    boundary: str = ""


class User(Principal, frozen=True, kw_only=True):
    kind: ClassVar[str] = "user"
    groups: tuple[str, ...] = ()


class Group(Principal, frozen=True, kw_only=True):
    kind: ClassVar[str] = "group"


class Role(Principal, frozen=True, kw_only=True):
    """`trust` is the AssumeRolePolicyDocument's text, `trusted` the unique ids of those that it names, by the names
    that it has for them; `max_session_duration` is in seconds.
    """

    kind: ClassVar[str] = "role"
    trust: str
    trusted: dict[str, str] = {}
    description: str = ""
    max_session_duration: int = 3600


class InstanceProfile(Named, frozen=True, kw_only=True):
    """`role` is a role's name, or empty."""

    kind: ClassVar[str] = "instance-profile"
    role: str = ""


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    document: str
    created: str


class ManagedPolicy(Named, frozen=True, kw_only=True):
    """A customer managed policy. `versions` maps `v1`, `v2`, ... as created; `latest` is the last number given."""

    kind: ClassVar[str] = "policy"
    description: str = ""
    versions: dict[str, PolicyVersion]
    default_version: str
    latest: int = 1
    updated: str = ""

    @property
    def document(self) -> str:
        return self.versions[self.default_version].document


class ServerCertificate(Named, frozen=True, kw_only=True):
    """`body` and `chain` are PEM, the latter possibly empty; the private key is not kept."""

    kind: ClassVar[str] = "server-certificate"
    body: str
    chain: str = ""
    expires: str


class AccessKey(Entity, frozen=True, kw_only=True):
    """A long-term key. The secret is kept as it is, in a file that only its owner reads: SigV4 is an HMAC over it."""

    kind: ClassVar[str] = "access-key"
    id: str
    secret: str
    user: str
    status: str = "Active"

    @property
    def key(self) -> str:
        return self.id


class OpenIDConnectProvider(Entity, frozen=True, kw_only=True):
    """`url` is as IAM keeps it: without the scheme."""

    kind: ClassVar[str] = "oidc-provider"
    url: str
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: Tags = {}

    @property
    def key(self) -> str:
        return self.url

    def arn(self, account_id: str) -> str:
        return f"arn:aws:iam::{account_id}:oidc-provider/{self.url}"


class AccountAlias(Entity, frozen=True, kw_only=True):
    kind: ClassVar[str] = "account-alias"
    alias: str

    @property
    def key(self) -> str:
        return self.alias


class LastUse(Entity, frozen=True, kw_only=True):
    """Of an access key or a role: `subject` is its id, `at` as `created` is, `service` a namespace as `s3`."""

    kind: ClassVar[str] = "last-use"
    subject: str
    at: str
    service: str
    region: str

    @property
    def key(self) -> str:
        return self.subject


class LoginProfile(Entity, frozen=True, kw_only=True):
    """That a user has a console password, since `created`, and when it was last changed; never the password."""

    kind: ClassVar[str] = "login-profile"
    user: str
    changed: str
    reset_required: bool = False

    @property
    def key(self) -> str:
        return self.user.lower()


class Single(Entity, frozen=True, kw_only=True):
    """What an account has one of."""

    @property
    def key(self) -> str:
        return "account"


class PasswordPolicy(Single, frozen=True, kw_only=True):
    """`max_age` is in days, `reuse_prevention` in passwords; 0 is no limit."""

    kind: ClassVar[str] = "password-policy"
    minimum_length: int = 6
    symbols: bool = False
    numbers: bool = False
    uppercase: bool = False
    lowercase: bool = False
    users_may_change: bool = False
    max_age: int = 0
    reuse_prevention: int = 0
    hard_expiry: bool = False


class CredentialReport(Single, frozen=True, kw_only=True):
    """`content` is CSV."""

    kind: ClassVar[str] = "credential-report"
    content: str


class TokenPreferences(Single, frozen=True, kw_only=True):
    """`version` is `v1Token` or `v2Token`."""

    kind: ClassVar[str] = "token-preferences"
    version: str = "v1Token"


KINDS: tuple[type[Entity], ...] = (
    User,
    Group,
    Role,
    InstanceProfile,
    ManagedPolicy,
    AccessKey,
    OpenIDConnectProvider,
    AccountAlias,
    LastUse,
    ServerCertificate,
    LoginProfile,
    PasswordPolicy,
    CredentialReport,
    TokenPreferences,
)
