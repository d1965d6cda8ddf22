"""What an edit of aws-auth would change, by principal, and whether it locks somebody out who must not be."""

from collections.abc import Callable
from dataclasses import dataclass

from iambridge.core.aws_auth.entry import Entry
from iambridge.core.aws_auth.lint import MASTERS
from iambridge.core.aws_auth.mappings import Mappings
from iambridge.core.aws_auth.templates import EC2_PRIVATE_DNS_NAME
from iambridge.core.decision import Decision, Outcome, Reason

IsAdmin = Callable[[str, tuple[str, ...]], bool]
HOP = "aws-auth plan"


def in_masters(_username: str, groups: tuple[str, ...]) -> bool:
    """The admins that can be told without the cluster's bindings."""
    return MASTERS in groups


@dataclass(frozen=True, slots=True)
class Change:
    """One principal before and after; None where it is not mapped, or mapped to nobody."""

    principal: str
    before: Entry | None
    after: Entry | None

    @property
    def is_node(self) -> bool:
        return self.before is not None and EC2_PRIVATE_DNS_NAME in self.before.username


@dataclass(frozen=True, slots=True)
class Plan:
    """`decision` is a denial when the edit locks out the caller or every admin."""

    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    changed: tuple[Change, ...]
    accounts_gained: tuple[str, ...]
    accounts_lost: tuple[str, ...]
    admins: tuple[str, ...]
    decision: Decision

    @property
    def nodes_affected(self) -> tuple[Change, ...]:
        return tuple(change for change in (*self.lost, *self.changed) if change.is_node)


def plan(before: Mappings, after: Mappings, *, caller: str = "", is_admin: IsAdmin = in_masters) -> Plan:
    """`after` must be loaded with `before` as its previous, as the server would. `caller` is a canonical ARN."""
    old, new = _usable(before), _usable(after)
    gained = [Change(key, None, entry) for key, entry in new.items() if key not in old]
    lost = [Change(key, entry, None) for key, entry in old.items() if key not in new]
    changed = [
        Change(key, entry, new[key])
        for key, entry in old.items()
        if key in new and (entry.username, set(entry.groups)) != (new[key].username, set(new[key].groups))
    ]
    had = _admins(old, is_admin)
    has = _admins(new, is_admin)
    return Plan(
        gained=tuple(gained),
        lost=tuple(lost),
        changed=tuple(changed),
        accounts_gained=tuple(after.accounts.keys() - before.accounts.keys()),
        accounts_lost=tuple(before.accounts.keys() - after.accounts.keys()),
        admins=has,
        decision=_judged(before, after, caller, had=had, has=has, is_admin=is_admin),
    )


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
    before: Mappings, after: Mappings, caller: str, *, had: tuple[str, ...], has: tuple[str, ...], is_admin: IsAdmin
) -> Decision:
    reasons = []
    if had:
        text = f"{len(has)} of {len(had)} admins remain" if has else f"no admin remains of {len(had)}"
        reasons.append(Reason("admins-remain" if has else "no-admin-left", text, held=bool(has)))
    if caller:
        reasons.append(_caller(before, after, caller, is_admin))
    refused = [reason for reason in reasons if not reason.held]
    fix = "keep an admin and your own entry in the document, or force it" if refused else ""
    return Decision(HOP, Outcome.EXPLICIT_DENY if refused else Outcome.ALLOWED, tuple(reasons), fix)


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
