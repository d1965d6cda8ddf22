"""`iambridge aws-auth`: what a ConfigMap says, what is wrong with it, and what an edit would change.

Exit codes: 0 nothing wrong, 1 faults, 2 bad input, 3 the plan locks out the caller or every admin.
"""

import argparse
import json
import sys
from pathlib import Path

from iambridge.cli import aws_auth_edit
from iambridge.cli.aws_auth_cluster import ClusterView, bound_of, cluster_of, is_admin_of
from iambridge.core.arn import canonical_arn
from iambridge.core.aws_auth import Change, Fault, Mappings, Plan, Severity, Unparsable, in_masters, load, plan, smells
from iambridge.errors import InputError
from iambridge.wire.aws_auth_file import AwsAuthFile, read_file

_EXAMPLE = """examples:
  iambridge aws-auth lint aws-auth.yaml                           every fault and smell, with its line
  iambridge aws-auth lint --kubeconfig ~/.kube/config             the live ConfigMap, and groups that nothing binds
  iambridge aws-auth plan -f new.yaml --current aws-auth.yaml     who gains, loses, changes; is an admin left?
  iambridge aws-auth plan -f new.yaml --kubeconfig K --caller arn:aws:iam::111122223333:role/admin
  iambridge aws-auth add arn:aws:iam::111122223333:user/pod-reader --username pod-reader --group readers
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    lint = actions.add_parser("lint", help="every fault and smell, with line, cause and fix")
    lint.add_argument("file", nargs="?", type=Path, help="a file with the ConfigMap, or - for stdin")
    lint.add_argument("--account", default="", metavar="ID", help="the cluster's account: others are worth a warning")
    lint.add_argument("--strict", action="store_true", help="warnings, too, end with 1")
    change = actions.add_parser("plan", help="the effect of a new ConfigMap, by principal")
    change.add_argument("-f", "--file", type=Path, required=True, help="the new ConfigMap, or - for stdin")
    change.add_argument("--current", type=Path, metavar="FILE", help="the ConfigMap as it is (default: the cluster's)")
    change.add_argument("--caller", default="", metavar="ARN", help="who must not be locked out, as sts shows it")
    change.add_argument("--force", action="store_true", help="exit 0 though somebody is locked out")
    aws_auth_edit.add_arguments(actions)
    for sub in (lint, change):
        sub.add_argument("--kubeconfig", type=Path, help="the cluster to read the ConfigMap and bindings from")
        sub.add_argument("--context", help="the kubeconfig's context")
        sub.add_argument("--json", action="store_true", help="for machines")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action in aws_auth_edit.ACTIONS:
        return aws_auth_edit.run(arguments)
    return _lint(arguments) if arguments.action == "lint" else _plan(arguments)


def _read(file: Path) -> AwsAuthFile | Unparsable:
    try:
        return read_file(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}", where=str(file), fix="name a readable YAML file") from error


def _lint(arguments: argparse.Namespace) -> int:
    if (arguments.file is None) == (arguments.kubeconfig is None):
        raise InputError("lint reads a file or a cluster", where="aws-auth lint", fix="give FILE or --kubeconfig")
    cluster = cluster_of(arguments) if arguments.kubeconfig is not None else None
    shown = str(arguments.file) if cluster is None else "kube-system/aws-auth"
    source = _read(arguments.file) if cluster is None else cluster.aws_auth
    if isinstance(source, Unparsable):
        faults = [Fault("yaml", "file", source.line, source.column, "", source.problem, "correct the file")]
    else:
        mappings = load(source.sections)
        found = (*mappings.faults, *smells(mappings, account=arguments.account, bound=bound_of(cluster)))
        faults = [*source.faults, *(source.in_file(fault) for fault in found)]
    faults.sort(key=lambda fault: (fault.line, fault.column))
    if arguments.json:
        print(json.dumps([_fault_document(fault) for fault in faults], indent=2))
    else:
        for fault in faults:
            print(_fault_line(shown, fault))
        errors = sum(fault.severity is Severity.ERROR for fault in faults)
        print(f"{shown}: {errors} errors, {len(faults) - errors} warnings")
    _say_what_is_not_visible(arguments, cluster.server if cluster is not None else "")
    return int(any(arguments.strict or fault.severity is Severity.ERROR for fault in faults))


def _fault_line(shown: str, fault: Fault) -> str:
    place = f"{shown}:{fault.line}" if fault.line else shown
    field = " ".join(part for part in (fault.section, fault.field) if part)
    return f"{place}: {fault.severity} {fault.code}: {field}: {fault.cause}\n    fix: {fault.fix}"


def _fault_document(fault: Fault) -> dict[str, object]:
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


def _plan(arguments: argparse.Namespace) -> int:
    if arguments.current is None and arguments.kubeconfig is None:
        raise InputError("plan compares with what is", where="aws-auth plan", fix="give --current FILE or --kubeconfig")
    cluster = cluster_of(arguments) if arguments.kubeconfig is not None else None
    before = load(_parsed(arguments.current).sections) if arguments.current is not None else _live(cluster)
    source = _parsed(arguments.file)
    after = load(source.sections, previous=before)
    caller = ""
    if arguments.caller:
        try:
            caller = canonical_arn(arguments.caller)
        except ValueError as error:
            raise InputError(str(error), where="--caller", fix="give the ARN of sts get-caller-identity") from error
    planned = plan(before, after, caller=caller, is_admin=is_admin_of(cluster) if cluster is not None else in_masters)
    faults = [*source.faults, *(source.in_file(fault) for fault in after.faults)]
    if arguments.json:
        print(json.dumps(_plan_document(planned, faults), indent=2))
    else:
        _print_plan(planned, faults, str(arguments.file))
    _say_what_is_not_visible(arguments, cluster.server if cluster is not None else "")
    if not planned.decision.allowed and not arguments.force:
        return 3
    return int(any(fault.severity is Severity.ERROR for fault in faults))


def _parsed(file: Path) -> AwsAuthFile:
    source = _read(file)
    if isinstance(source, Unparsable):
        raise InputError(f"{file} cannot be planned: {source.problem}", where=f"{file}:{source.line}",
                         fix="correct the file; iambridge aws-auth lint shows all of its faults")  # fmt: skip
    return source


def _live(cluster: ClusterView | None) -> Mappings:
    assert cluster is not None
    return load(cluster.aws_auth.sections)


def _change_document(change: Change) -> dict[str, object]:
    return {
        "principal": change.principal,
        **{
            name: {"username": entry.username, "groups": list(entry.groups), "where": entry.where}
            for name, entry in (("before", change.before), ("after", change.after))
            if entry is not None
        },
    }


def _plan_document(planned: Plan, faults: list[Fault]) -> dict[str, object]:
    return {
        "gained": [_change_document(change) for change in planned.gained],
        "lost": [_change_document(change) for change in planned.lost],
        "changed": [_change_document(change) for change in planned.changed],
        "accountsGained": list(planned.accounts_gained),
        "accountsLost": list(planned.accounts_lost),
        "nodesAffected": [change.principal for change in planned.nodes_affected],
        "admins": list(planned.admins),
        "outcome": planned.decision.outcome.value,
        "reasons": [
            {"code": reason.code, "text": reason.text, "held": reason.held} for reason in planned.decision.reasons
        ],
        "faults": [_fault_document(fault) for fault in faults],
    }


def _print_plan(planned: Plan, faults: list[Fault], shown: str) -> None:
    for word, changes in (("+ gains", planned.gained), ("- loses", planned.lost), ("~ changes", planned.changed)):
        for change in changes:
            print(f"{word:10} {change.principal}: {_told(change)}")
    for word, accounts in (("+ gains", planned.accounts_gained), ("- loses", planned.accounts_lost)):
        for account in accounts:
            print(f"{word:10} account {account}")
    if not (planned.gained or planned.lost or planned.changed or planned.accounts_gained or planned.accounts_lost):
        print("nobody's access changes")
    for change in planned.nodes_affected:
        print(f"nodes      of {change.principal} {'lose access' if change.after is None else 'change'}")
    for fault in faults:
        print(_fault_line(shown, fault))
    for reason in planned.decision.reasons:
        print(f"{'ok' if reason.held else 'REFUSED':10} {reason.text}")
    if planned.decision.fix:
        print(f"{'fix':10} {planned.decision.fix}")


def _told(change: Change) -> str:
    shown = [
        f"{entry.username} [{', '.join(entry.groups)}]" for entry in (change.before, change.after) if entry is not None
    ]
    return " -> ".join(shown)


def _say_what_is_not_visible(arguments: argparse.Namespace, server: str) -> None:
    if ".eks." in server and not arguments.json:
        print(
            "not visible: EKS access entries and their policies may grant more than this ConfigMap says",
            file=sys.stderr,
        )
