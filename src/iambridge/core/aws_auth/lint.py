"""What is suspicious in a mapping that can be read: each finding is a warning but one that keeps a node out."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from iambridge.core.aws_auth.document import Fault, Severity
from iambridge.core.aws_auth.entry import Entry
from iambridge.core.aws_auth.mappings import Mappings
from iambridge.core.aws_auth.templates import EC2_PRIVATE_DNS_NAME, SESSION_NAMES, placeholders

MASTERS = "system:masters"
_NODE_GROUPS = ("system:bootstrappers", "system:nodes")
# Groups that a cluster knows without a binding in sight, or by Node authorization.
_BUILT_IN = frozenset({MASTERS, *_NODE_GROUPS, "system:authenticated", "eks:kube-proxy-windows"})


@dataclass(frozen=True, slots=True)
class Bound:
    """What the cluster's bindings name, and the ClusterRoles there are."""

    groups: AbstractSet[str]
    users: AbstractSet[str]
    cluster_roles: AbstractSet[str] = frozenset()


def smells(mappings: Mappings, *, account: str = "", bound: Bound | None = None) -> tuple[Fault, ...]:
    """`account` is the cluster's own, when known; without `bound` nothing is said about bindings."""
    found = [fault for entry in mappings.entries for fault in _of_entry(entry, account, bound)]
    found += [
        _warning(
            "account-mapped",
            "mapAccounts",
            line,
            "",
            cause=f"every user and role of {number} gets in, without groups",
            fix="map the principals that need it",
        )
        for number, line in mappings.accounts.items()
    ]
    if mappings.entries and bound is None and not any(MASTERS in entry.groups for entry in mappings.entries):
        found.append(
            _warning(
                "no-admin",
                "mapRoles",
                0,
                "",
                cause="no entry is in system:masters",
                fix="make sure that a binding, an access entry or another authenticator has an admin",
            )
        )
    return tuple(found)


def _warning(code: str, section: str, line: int, field: str, *, cause: str, fix: str) -> Fault:
    return Fault(code, section, line, 0, field, cause, fix, Severity.WARNING)


def _of_entry(entry: Entry, account: str, bound: Bound | None) -> Iterator[Fault]:
    place = f"[{entry.index}]"
    yield from _node(entry, place)
    yield from _templates(entry, place)
    yield from _leftovers(entry, place)
    if MASTERS in entry.groups:
        yield _warning(
            "system-masters",
            entry.section,
            entry.line,
            f"{place}.groups",
            cause="system:masters goes past RBAC: no binding can narrow it",
            fix="use a group of your own and bind it to cluster-admin",
        )
    if account and account not in entry.key:
        yield _warning(
            "other-account",
            entry.section,
            entry.line,
            place,
            cause=f"the principal is not of account {account}",
            fix="check that the account is meant",
        )
    if bound is not None:
        yield from _unbound(entry, place, bound)


def _node(entry: Entry, place: str) -> Iterator[Fault]:
    missing = [group for group in _NODE_GROUPS if group not in entry.groups]
    if EC2_PRIVATE_DNS_NAME in entry.username and missing:
        yield Fault(
            "node-groups",
            entry.section,
            entry.line,
            0,
            f"{place}.groups",
            f"nodes cannot join without {' and '.join(missing)}",
            f"add {', '.join(missing)}",
        )
    if "system:nodes" in entry.groups and not entry.username.startswith("system:node:"):
        yield _warning(
            "node-username",
            entry.section,
            entry.line,
            f"{place}.username",
            cause=f"`{entry.username}` in system:nodes is no node's name",
            fix="write username: system:node:{{EC2PrivateDNSName}}",
        )


def _templates(entry: Entry, place: str) -> Iterator[Fault]:
    """Templates that let a caller choose, or that nobody can fill."""
    for number, group in enumerate(entry.groups):
        if placeholders(group):
            yield _warning(
                "template-in-group",
                entry.section,
                entry.line,
                f"{place}.groups[{number}]",
                cause=f"`{group}` depends on the caller, so that no reader can tell who is in which group",
                fix="name the group outright, in an entry a role",
            )
    sessionless = ":user/" in entry.key or entry.key.endswith(":root")
    used = placeholders(" ".join((entry.username, *entry.groups))) & {*SESSION_NAMES, EC2_PRIVATE_DNS_NAME}
    if sessionless and used:
        yield _warning(
            "nobody-can-use-it",
            entry.section,
            entry.line,
            place,
            cause=f"{', '.join(sorted(used))} wants a session, and a user or the root has none: nobody gets in by it",
            fix="map a role, or write the username out",
        )


def _leftovers(entry: Entry, place: str) -> Iterator[Fault]:
    """Placeholders of a document that was copied: `<system:nodes>`."""
    for field, text in (("arn", entry.arn), ("username", entry.username), *(("groups", one) for one in entry.groups)):
        if "<" in text or ">" in text:
            yield _warning(
                "documentation-placeholder",
                entry.section,
                entry.line,
                f"{place}.{field}",
                cause=f"`{text}` has the angle brackets of a document's example",
                fix="write the value without them",
            )


def _unbound(entry: Entry, place: str, bound: Bound) -> Iterator[Fault]:
    for number, group in enumerate(entry.groups):
        if "{{" in group or group in _BUILT_IN or group in bound.groups:
            continue
        role = f", though a ClusterRole `{group}` exists" if group in bound.cluster_roles else ""
        yield _warning(
            "group-unbound",
            entry.section,
            entry.line,
            f"{place}.groups[{number}]",
            cause=f"no binding names group `{group}`{role}",
            fix=f"bind it: kubectl create clusterrolebinding NAME --clusterrole=ROLE --group={group}",
        )
    yield from _written_otherwise(entry, place, bound)
    known = bound.groups | _BUILT_IN
    if "{{" not in entry.username and entry.username not in bound.users and not known & set(entry.groups):
        yield _warning(
            "entry-without-rights",
            entry.section,
            entry.line,
            place,
            cause=f"no binding names `{entry.username}` or one of its groups: it gets in and may do nothing",
            fix="bind the user or a group of it",
        )


def _written_otherwise(entry: Entry, place: str, bound: Bound) -> Iterator[Fault]:
    """Bindings that name a user as his session is called, where the template writes `@` as `-`."""
    before, template, after = entry.username.partition("{{SessionName}}")
    if not template or "{{" in before + after:
        return
    for user in sorted(bound.users):
        if "@" in user and user.startswith(before) and user.endswith(after):
            yield _warning(
                "session-name-at",
                entry.section,
                entry.line,
                f"{place}.username",
                cause=f"a binding names `{user}`, and {template} writes an @ as -",
                fix=f"bind {user.replace('@', '-')}, or write {{{{SessionNameRaw}}}}",
            )
