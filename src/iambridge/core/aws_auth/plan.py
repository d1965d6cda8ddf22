"""What an edit of aws-auth would change, by principal, and whether it locks somebody out who must not be."""

from collections.abc import Callable
from dataclasses import dataclass

from iambridge.core.aws_auth.entry import Entry, arn_key
from iambridge.core.aws_auth.lint import MASTERS
from iambridge.core.aws_auth.mappings import Mappings
from iambridge.core.aws_auth.templates import EC2_PRIVATE_DNS_NAME
from iambridge.core.decision import Decision, Outcome, Reason

IsAdmin = Callable[[str, tuple[str, ...]], bool]
HOP = "aws-auth plan"
_NODES = "system:nodes"
_NOT_VISIBLE = "unknown: access entries not visible"


def in_masters(_username: str, groups: tuple[str, ...]) -> bool:
    """The admins that can be told without the cluster's bindings."""
    return MASTERS in groups


def _covers_nobody(_key: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Beside:
    """What lets principals in beside the ConfigMap, as EKS access entries do.

    `covers` says of a principal's key whether an entry goes before the ConfigMap's; `admins` are admins by entries.
    With `ignored` the ConfigMap is not read at all. `unknown` says why all this cannot be seen: nobody is called locked
    out then.
    """

    covers: Callable[[str], bool] = _covers_nobody
    admins: tuple[str, ...] = ()
    ignored: bool = False
    unknown: str = ""


NOTHING_BESIDE = Beside()


@dataclass(frozen=True, slots=True)
class Change:
    """One principal before and after; None where it is not mapped, or mapped to nobody."""

    principal: str
    before: Entry | None
    after: Entry | None

    @property
    def is_node(self) -> bool:
        before = self.before
        return before is not None and (EC2_PRIVATE_DNS_NAME in before.username or _NODES in before.groups)


@dataclass(frozen=True, slots=True)
class Plan:
    """`decision` is a denial when the edit locks out the caller or every admin.

    `unknown` is why it cannot be told whether it does; then `decision` is a denial for want of sight. `covered` are
    principals whose change in the ConfigMap changes nothing, since an entry beside it goes first.
    """

    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    changed: tuple[Change, ...]
    accounts_gained: tuple[str, ...]
    accounts_lost: tuple[str, ...]
    admins: tuple[str, ...]
    decision: Decision
    covered: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def outcome(self) -> str:
        """As `decision` says, or `unknown`."""
        return "unknown" if self.unknown and not self.decision.allowed else self.decision.outcome.value

    @property
    def nodes_affected(self) -> tuple[Change, ...]:
        return tuple(change for change in (*self.lost, *self.changed) if change.is_node)


def plan(
    before: Mappings,
    after: Mappings,
    *,
    caller: str = "",
    is_admin: IsAdmin = in_masters,
    beside: Beside = NOTHING_BESIDE,
) -> Plan:
    """`after` must be loaded with `before` as its previous, as the server would. `caller` is a canonical ARN."""
    if beside.ignored:
        text = "the cluster's authenticationMode is API: it does not read the ConfigMap, and nobody's access changes"
        reason = Reason("config-map-not-read", text, held=True)
        return Plan((), (), (), (), (), beside.admins, Decision(HOP, Outcome.ALLOWED, (reason,)))
    gained, lost, changed = _changes(_usable(before), _usable(after))
    covered = [change.principal for change in (*gained, *lost, *changed) if beside.covers(change.principal)]
    gained, lost, changed = (
        tuple(change for change in changes if change.principal not in covered) for changes in (gained, lost, changed)
    )
    had, has = (
        (*beside.admins, *(key for key in _admins(_usable(mappings), is_admin) if not beside.covers(key)))
        for mappings in (before, after)
    )
    return Plan(
        gained=gained,
        lost=lost,
        changed=changed,
        accounts_gained=tuple(after.accounts.keys() - before.accounts.keys()),
        accounts_lost=tuple(before.accounts.keys() - after.accounts.keys()),
        admins=has,
        decision=_judged(before, after, caller, had=had, has=has, is_admin=is_admin, beside=beside),
        covered=tuple(covered),
        unknown=beside.unknown,
    )


Changes = tuple[Change, ...]


def _changes(old: dict[str, Entry], new: dict[str, Entry]) -> tuple[Changes, Changes, Changes]:
    gained = tuple(Change(key, None, entry) for key, entry in new.items() if key not in old)
    lost = tuple(Change(key, entry, None) for key, entry in old.items() if key not in new)
    changed = tuple(
        Change(key, entry, new[key])
        for key, entry in old.items()
        if key in new and (entry.username, set(entry.groups)) != (new[key].username, set(new[key].groups))
    )
    return gained, lost, changed


def _usable(mappings: Mappings) -> dict[str, Entry]:
    """Roles go before users, as they do in a lookup."""
    found: dict[str, Entry] = {}
    for entry in mappings.entries:
        if not entry.refusal:
            found.setdefault(entry.key, entry)
    return found


def _admins(entries: dict[str, Entry], is_admin: IsAdmin) -> tuple[str, ...]:
    return tuple(key for key, entry in entries.items() if is_admin(entry.username, entry.groups))


def _judged(
    before: Mappings,
    after: Mappings,
    caller: str,
    *,
    had: tuple[str, ...],
    has: tuple[str, ...],
    is_admin: IsAdmin,
    beside: Beside,
) -> Decision:
    reasons = []
    if had:
        text = f"{len(has)} of {len(had)} admins remain" if has else f"no admin remains of {len(had)}"
        reasons.append(Reason("admins-remain" if has else "no-admin-left", text, held=bool(has)))
    if caller and beside.covers(arn_key(caller, ignore_role_path=True)):
        text = f"`{caller}` has an access entry, which goes before the ConfigMap"
        reasons.append(Reason("caller-has-access-entry", text, held=True))
    elif caller:
        reasons.append(_caller(before, after, caller, is_admin))
    refused = [reason for reason in reasons if not reason.held]
    if not refused:
        return Decision(HOP, Outcome.ALLOWED, tuple(reasons))
    if not beside.unknown:
        fix = "keep an admin and your own entry in the document, or force it"
        return Decision(HOP, Outcome.EXPLICIT_DENY, tuple(reasons), fix)
    told = [
        reason if reason.held
        else Reason("access-entries-unknown", f"by the ConfigMap alone {reason.text}; {_NOT_VISIBLE}", reason.where)
        for reason in reasons
    ]  # fmt: skip
    fix = f"{beside.unknown}: mend that, give --access-entries, or force it"
    return Decision(HOP, Outcome.IMPLICIT_DENY, tuple(told), fix)


def _caller(before: Mappings, after: Mappings, caller: str, is_admin: IsAdmin) -> Reason:
    account = caller.split(":")[4] if caller.count(":") >= 5 else ""
    found = before.find(caller, account)
    kept = after.find(caller, account)
    usable = kept is not None and not (kept.entry is not None and kept.entry.refusal)
    if found is None:
        return Reason("caller-not-mapped", f"`{caller}` is not mapped today, and so loses nothing", held=True)
    if not usable:
        return Reason("caller-locked-out", f"`{caller}` would be locked out", where=found.where)
    entry, now = found.entry, kept.entry if kept is not None else None
    was = entry is not None and is_admin(entry.username, entry.groups)
    if was and not (now is not None and is_admin(now.username, now.groups)):
        return Reason("caller-no-admin", f"`{caller}` would be no admin any more", where=found.where)
    return Reason("caller-stays", f"`{caller}` stays mapped", where=found.where, held=True)
