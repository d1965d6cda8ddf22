"""How a plan of aws-auth, and the faults of a document, are printed: for people and for machines."""

from collections.abc import Iterator

from iambridge.core.aws_auth import Change, Fault, Plan


def fault_line(shown: str, fault: Fault) -> str:
    place = f"{shown}:{fault.line}" if fault.line else shown
    field = " ".join(part for part in (fault.section, fault.field) if part)
    return f"{place}: {fault.severity} {fault.code}: {field}: {fault.cause}\n    fix: {fault.fix}"


def fault_document(fault: Fault) -> dict[str, object]:
    return {
        "code": fault.code,
        "severity": fault.severity.value,
        "section": fault.section,
        "line": fault.line,
        "column": fault.column,
        "field": fault.field,
        "cause": fault.cause,
        "fix": fault.fix,
    }


def _change_document(change: Change) -> dict[str, object]:
    return {
        "principal": change.principal,
        **{
            name: {"username": entry.username, "groups": list(entry.groups), "where": entry.where}
            for name, entry in (("before", change.before), ("after", change.after))
            if entry is not None
        },
    }


def plan_document(planned: Plan, faults: list[Fault]) -> dict[str, object]:
    return {
        "gained": [_change_document(change) for change in planned.gained],
        "lost": [_change_document(change) for change in planned.lost],
        "changed": [_change_document(change) for change in planned.changed],
        "accountsGained": list(planned.accounts_gained),
        "accountsLost": list(planned.accounts_lost),
        "nodesAffected": [change.principal for change in planned.nodes_affected],
        "covered": list(planned.covered),
        "admins": list(planned.admins),
        "outcome": planned.outcome,
        "reasons": [
            {"code": reason.code, "text": reason.text, "held": reason.held} for reason in planned.decision.reasons
        ],
        "faults": [fault_document(fault) for fault in faults],
    }


def print_plan(planned: Plan, faults: list[Fault], shown: str) -> None:
    print("\n".join([*_changes(planned), *(fault_line(shown, fault) for fault in faults), *_verdict(planned)]))


def _changes(planned: Plan) -> Iterator[str]:
    for word, changes in (("+ gains", planned.gained), ("- loses", planned.lost), ("~ changes", planned.changed)):
        for change in changes:
            yield f"{word:10} {change.principal}: {_told(change)}"
    for word, accounts in (("+ gains", planned.accounts_gained), ("- loses", planned.accounts_lost)):
        for account in accounts:
            yield f"{word:10} account {account}"
    if not (planned.gained or planned.lost or planned.changed or planned.accounts_gained or planned.accounts_lost):
        yield "nobody's access changes"
    for change in planned.nodes_affected:
        yield f"nodes      of {change.principal} {'lose access' if change.after is None else 'change'}"
    for principal in planned.covered:
        yield f"= stays    {principal}: its access entry goes before the ConfigMap"


def _verdict(planned: Plan) -> Iterator[str]:
    word = "UNKNOWN" if planned.outcome == "unknown" else "REFUSED"
    for reason in planned.decision.reasons:
        yield f"{'ok' if reason.held else word:10} {reason.text}"
    if planned.decision.fix:
        yield f"{'fix':10} {planned.decision.fix}"


def _told(change: Change) -> str:
    shown = [
        f"{entry.username} [{', '.join(entry.groups)}]" for entry in (change.before, change.after) if entry is not None
    ]
    return " -> ".join(shown)
