"""The sections of an aws-auth ConfigMap -> the mappings in effect, and every fault.

A section that can be read is authoritative: who is not in it is out at once. An entry with a fault keeps its name and
at most those groups that it had before and still names legibly, never more. A section that cannot be read leaves its
last good version in effect. Of several entries for one principal the last wins, but one that spells the role without a
path wins over one with a path, which the original never matched.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from iambridge.core.aws_auth.document import Fault, Kind, Located, Section, Severity, Unparsable
from iambridge.core.aws_auth.entry import Entry
from iambridge.core.aws_auth.entry_reader import EntryReader, Reading
from iambridge.core.aws_auth.mappings import Mappings
from iambridge.core.aws_auth.rules import Rules

SECTIONS = ("mapRoles", "mapUsers", "mapAccounts")

_ACCOUNT = re.compile(r"[0-9]{12}")
_NOTHING = Mappings()


_RULES = Rules()
# what leaves unclear whom an entry is for, or what it gives
_REFUSE_WHOLE = frozenset(
    {
        "not-a-list",
        "entry-not-a-map",
        "arn-missing",
        "user-id-missing",
        "username-not-a-string",
        "groups-not-a-list",
        "group-not-a-string",
    }
)


def load(sections: Mapping[str, Section], *, previous: Mappings | None = None, rules: Rules = _RULES) -> Mappings:
    """`sections` are a ConfigMap's data by key, read as YAML; an absent section maps nobody.

    `previous` is what was in effect; None means that nothing was.
    """
    before = previous or _NOTHING
    faults: list[Fault] = [_strange_section(name, sections) for name in sections if name not in SECTIONS]
    stale: set[str] = set()
    tables: dict[str, Mapping[str, Entry]] = {}
    for name in ("mapRoles", "mapUsers"):
        items = _items(name, sections.get(name), faults)
        if items is None:
            stale.add(name)
            tables[name] = before.section(name)
        else:
            tables[name] = _entries(name, items, before.section(name), faults, rules)
    accounts = _items("mapAccounts", sections.get("mapAccounts"), faults)
    if accounts is None:
        stale.add("mapAccounts")
    return Mappings(
        tables["mapRoles"],
        tables["mapUsers"],
        before.accounts if accounts is None else _accounts(accounts, faults),
        faults=faults,
        stale=stale,
        rules=rules,
    )


def load_whole(
    document: Mapping[str, Section] | Unparsable, *, name: str, previous: Mappings, rules: Rules = _RULES
) -> Mappings:
    """A document that counts as a whole or not at all, as the original takes its dynamic file.

    `name` is what faults of the document itself are told under.
    """
    if isinstance(document, Unparsable):
        fix = "correct it; until then its last good version is in effect"
        fault = Fault("json", name, document.line, document.column, "", document.problem, fix)
        return previous.kept([fault], SECTIONS)
    loaded = load(document, previous=previous, rules=rules)
    if any(fault.code in _REFUSE_WHOLE for fault in loaded.faults):
        return previous.kept(loaded.faults, SECTIONS)
    return loaded


def _strange_section(name: str, sections: Mapping[str, Section]) -> Fault:
    meant = next((known for known in SECTIONS if known.lower().rstrip("s") == name.lower().rstrip("s")), "")
    if meant and meant not in sections:
        cause, fix = f"`{name}` is not read: keys are spelled exactly", f"rename it to {meant}"
    else:
        cause, fix = f"`{name}` is not read", f"use {', '.join(SECTIONS)}"
    return Fault("unknown-section", name, 0, 0, "", cause, fix, Severity.ERROR if meant else Severity.WARNING)


def _items(name: str, section: Section | None, faults: list[Fault]) -> tuple[Located, ...] | None:
    """The section's list, or None when it cannot be read."""
    if section is None:
        return ()
    if isinstance(section, Unparsable):
        faults.append(
            Fault(
                "yaml",
                name,
                section.line,
                section.column,
                "",
                f"the section is not YAML: {section.problem}",
                "correct the line; until then the last good version of the section is in effect",
            )
        )
        return None
    if section.is_empty:
        return ()
    if section.kind is not Kind.SEQUENCE:
        faults.append(
            Fault(
                "not-a-list",
                name,
                section.line,
                section.column,
                "",
                f"the section is a list, this is a {section.kind}",
                "begin each entry with `- `; until then the last good version of the section is in effect",
            )
        )
        return None
    return section.items


def _entries(
    name: str, items: tuple[Located, ...], before: Mapping[str, Entry], faults: list[Fault], rules: Rules
) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for index, item in enumerate(items):
        reading = EntryReader(name, index, item, faults.append, rules).read()
        if reading.entry is None or (
            reading.entry.has_path and not rules.ignore_role_path and not rules.by_principal_id
        ):
            continue
        entry = in_effect(reading.entry, reading, before)
        other = found.get(entry.key)
        winner, loser = (other, entry) if other and entry.has_path and not other.has_path else (entry, other)
        found[entry.key] = winner
        if loser is not None:
            faults.append(_duplicate(name, winner, loser))
    return found


def in_effect(entry: Entry, reading: Reading, before: Mapping[str, Entry]) -> Entry:
    """The entry as it counts: one with a fault has at most the groups that it had `before`, by key."""
    if not reading.usable:
        had = before.get(entry.key)
        kept = tuple(group for group in entry.groups if had is not None and group in had.groups)
        entry = replace(entry, groups=kept, username=had.username if had is not None else entry.username)
    if not entry.username.strip():
        entry = replace(entry, groups=(), refusal="the entry names no user that can be read")
    return entry


def _duplicate(name: str, winner: Entry, loser: Entry) -> Fault:
    return Fault(
        "duplicate-arn",
        name,
        loser.line,
        0,
        f"[{loser.index}]",
        f"`{loser.arn or loser.key}` is mapped again at {winner.where}, which wins; groups are not merged",
        "merge both into one entry",
    )


def _accounts(items: tuple[Located, ...], faults: list[Fault]) -> dict[str, int]:
    """Account ids by their text, so that a leading zero stays."""
    found: dict[str, int] = {}
    for index, item in enumerate(items):
        if not item.is_scalar or _ACCOUNT.fullmatch(item.text) is None:
            shown = item.text if item.is_scalar else str(item.kind)
            faults.append(
                Fault(
                    "account-malformed",
                    "mapAccounts",
                    item.line,
                    item.column,
                    f"[{index}]",
                    f"`{shown}` is not an account id of 12 digits",
                    'write the 12 digits in quotes: "012345678901"',
                )
            )
            continue
        found.setdefault(item.text, item.line)
    return found
