"""A plan of aws-auth for the authenticator that reads it; how it, and the faults of a document, are printed."""

import sys
from collections.abc import Iterator, Mapping

from iambridge.cli import eks_access
from iambridge.cli.aws_auth_cluster import ClusterView, beside, is_admin_of
from iambridge.core.aws_auth import Change, Fault, Mappings, Plan, Section, in_masters, plan
from iambridge.core.cluster_access import NOT_EKS, EksAccess


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


def planned_change(
    old: Mapping[str, Section],
    new: Mapping[str, Section],
    *,
    by_original: bool,
    caller: str,
    cluster: ClusterView | None,
    access: EksAccess,
) -> tuple[Plan, Mappings]:
    """The plan, and the new document as it is read. `caller` is a canonical ARN, or empty."""
    before = eks_access.mappings_of(old, by_original=by_original)
    after = eks_access.mappings_of(new, by_original=by_original, previous=before)
    planned = plan(
        before, after, caller=caller, is_admin=is_admin_of(cluster) if cluster is not None else in_masters,
        beside=beside(access, cluster.policy if cluster is not None else None),
    )  # fmt: skip
    return planned, after


def say_what_is_not_counted(cluster: ClusterView | None) -> None:
    """Admins by a binding are no admins here when bindings cannot be seen."""
    if cluster is not None and cluster.rbac is None:
        text = "roles and bindings may not be listed: only system:masters and access policies count as admins"
        print(f"unknown: {text}", file=sys.stderr)


def say_what_the_original_does(
    old: Mapping[str, Section], new: Mapping[str, Section], planned: Plan, caller: str, cluster: ClusterView | None
) -> None:
    """A warning where aws-iam-authenticator or EKS, which may be what serves, would lock out and iambridge not."""
    if not planned.decision.allowed:
        return
    access = cluster.eks if cluster is not None else NOT_EKS
    twin, _ = planned_change(old, new, by_original=True, caller=caller, cluster=cluster, access=access)
    worse = [reason.text for reason in twin.decision.reasons if not reason.held]
    lost = {change.principal for change in twin.lost} - {change.principal for change in planned.lost}
    if worse or lost:
        said = "; ".join([*worse, *([f"{len(lost)} more lose access: {', '.join(sorted(lost)[:5])}"] if lost else [])])
        print(f"warning: where aws-iam-authenticator or EKS reads it: {said}; --authenticator original plans for that",
              file=sys.stderr)  # fmt: skip


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
