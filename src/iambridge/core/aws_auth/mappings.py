"""What one source maps, looked up in constant time however many entries it has."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType

from iambridge.core.aws_auth.document import Fault, Severity
from iambridge.core.aws_auth.entry import Entry, arn_key, sso_key
from iambridge.core.aws_auth.rules import Rules

_NEAR_MISSES = 5
_RULES = Rules()
_SSO = "awsreservedsso_"


@dataclass(frozen=True, slots=True)
class Match:
    """Why a caller is mapped: by an `entry`, or because its account is listed in mapAccounts at `line`."""

    entry: Entry | None = None
    line: int = 0

    @property
    def where(self) -> str:
        return self.entry.where if self.entry is not None else f"mapAccounts line {self.line}"


class Mappings:
    """Entries in effect, by key. Order of a lookup: role or user ARN, permission set, account.

    With `rules.by_principal_id` the unique id of the principal takes the ARN's place. `stale` names the sections that
    could not be read, for which the last good version is in effect.
    """

    __slots__ = ("_by_name", "_roles", "_users", "accounts", "faults", "rules", "stale")

    def __init__(
        self,
        roles: Mapping[str, Entry] = MappingProxyType({}),
        users: Mapping[str, Entry] = MappingProxyType({}),
        accounts: Mapping[str, int] = MappingProxyType({}),
        *,
        faults: Iterable[Fault] = (),
        stale: Iterable[str] = (),
        rules: Rules = _RULES,
    ) -> None:
        self._roles = roles
        self._users = users
        self.accounts = accounts
        self.faults = tuple(faults)
        self.stale = frozenset(stale)
        self.rules = rules
        self._by_name: dict[str, list[Entry]] = {}
        for entry in self.entries:
            self._by_name.setdefault(_name(entry.arn.lower() or entry.key), []).append(entry)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries in effect: mapRoles, then mapUsers, each in the order of the document."""
        return tuple(
            entry for section in (self._roles, self._users) for entry in sorted(section.values(), key=lambda e: e.index)
        )

    @property
    def empty(self) -> bool:
        """Whether no entry is in effect."""
        return not self._roles and not self._users

    @property
    def errors(self) -> tuple[Fault, ...]:
        return tuple(fault for fault in self.faults if fault.severity is Severity.ERROR)

    def section(self, name: str) -> Mapping[str, Entry]:
        return {"mapRoles": self._roles, "mapUsers": self._users}[name]

    def find(self, canonical_arn: str, account: str, principal_id: str = "") -> Match | None:
        """The one entry that decides for a caller; roles go before users, explicit ARNs before permission sets."""
        if self.rules.by_principal_id:
            entry = self._roles.get(principal_id) or self._users.get(principal_id)
        else:
            key = arn_key(canonical_arn, ignore_role_path=self.rules.ignore_role_path)
            entry = self._roles.get(key)
            if entry is None and _SSO in key:
                entry = self._roles.get(sso_key(canonical_arn))
            entry = entry or self._users.get(key)
        if entry is not None:
            return Match(entry)
        if account in self.accounts:
            return Match(line=self.accounts[account])
        return None

    def kept(self, faults: Iterable[Fault], stale: Iterable[str]) -> "Mappings":
        """What was in effect stays so: `faults` say why the document that came after it does not count."""
        return Mappings(self._roles, self._users, self.accounts, faults=faults, stale=stale, rules=self.rules)

    def without(self, sections: AbstractSet[str]) -> "Mappings":
        """The same, with nobody in `sections`."""
        return Mappings(
            {} if "mapRoles" in sections else self._roles,
            {} if "mapUsers" in sections else self._users,
            {} if "mapAccounts" in sections else self.accounts,
            faults=self.faults,
            stale=self.stale,
            rules=self.rules,
        )

    def near_misses(self, canonical_arn: str) -> tuple[Entry, ...]:
        """Entries for another principal of the same name: another account, partition, path or kind."""
        return tuple(self._by_name.get(_name(canonical_arn.lower()), ())[:_NEAR_MISSES])


def _name(key: str) -> str:
    return key.rpartition(":")[2].rpartition("/")[2]
