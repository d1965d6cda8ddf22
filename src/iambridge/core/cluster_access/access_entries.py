"""EKS access entries, and what a cluster's authenticationMode makes of them and of aws-auth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from iambridge.core.arn import Arn
from iambridge.core.aws_auth import Entry, Mappings, Source
from iambridge.core.aws_auth.entry import arn_key
from iambridge.core.cluster_access.access_policies import AccessPolicy

SECTION = "access-entries"


class AuthenticationMode(StrEnum):
    """Which of the two a cluster asks. In API_AND_CONFIG_MAP an access entry goes before aws-auth."""

    CONFIG_MAP = "CONFIG_MAP"
    API_AND_CONFIG_MAP = "API_AND_CONFIG_MAP"
    API = "API"


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One principal's entry. `policies` is None when they could not be read, `described` false when only its ARN could.

    EKS compares the principal's id, which nobody is shown; an entry is matched here by ARN, a role's path left out. An
    entry of a principal that was deleted and made anew matches nobody there.
    """

    principal_arn: str
    type: str = "STANDARD"
    username: str = ""
    groups: tuple[str, ...] = ()
    policies: tuple[AccessPolicy, ...] | None = ()
    described: bool = True

    @property
    def key(self) -> str:
        return arn_key(self.principal_arn, ignore_role_path=True)

    @property
    def account(self) -> str:
        return Arn.parse(self.principal_arn).account


class EksAccess:
    """What EKS knows of a cluster's callers. `unknown` says why it could not all be read: then nothing is final.

    `platform` is the cluster's platformVersion, `eks.N` where EKS's own authenticator reads the ConfigMap.
    """

    __slots__ = ("by_key", "entries", "mappings", "mode", "platform", "unknown")

    def __init__(
        self,
        mode: AuthenticationMode = AuthenticationMode.CONFIG_MAP,
        entries: Iterable[AccessEntry] = (),
        *,
        unknown: str = "",
        platform: str = "",
    ) -> None:
        self.mode = mode
        self.platform = platform
        self.entries = tuple(entries) if mode is not AuthenticationMode.CONFIG_MAP else ()
        self.unknown = unknown
        self.by_key: Mapping[str, AccessEntry] = {entry.key: entry for entry in self.entries}
        self.mappings = _mappings(self.entries)

    @property
    def visible(self) -> bool:
        return not self.unknown

    @property
    def reads_config_map(self) -> bool:
        return self.mode is not AuthenticationMode.API

    def find(self, canonical_arn: str) -> AccessEntry | None:
        return self.by_key.get(arn_key(canonical_arn, ignore_role_path=True))

    def sources(self, aws_auth: Mappings | None) -> tuple[Source, ...]:
        """In the order in which the cluster asks them."""
        found = [] if self.mode is AuthenticationMode.CONFIG_MAP else [Source("access entries", self.mappings)]
        if aws_auth is not None and self.reads_config_map:
            found.append(Source("aws-auth", aws_auth))
        return tuple(found)


def _mappings(entries: tuple[AccessEntry, ...]) -> Mappings:
    roles: dict[str, Entry] = {}
    users: dict[str, Entry] = {}
    for index, entry in enumerate(entries):
        table = roles if ":role/" in entry.key else users
        refusal = "" if entry.described else "its username and groups are not visible"
        table[entry.key] = Entry(
            SECTION, index, 0, entry.principal_arn, entry.key, entry.username, entry.groups, refusal=refusal
        )
    return Mappings(roles, users)


NOT_EKS = EksAccess()
