"""`iambridge aws-auth`: what a ConfigMap says, what is wrong with it, and what an edit would change.

Exit codes: 0 nothing wrong, 1 faults, 2 bad input, 3 the plan locks out the caller or every admin, or it is unknown.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from iambridge.cli import aws_auth_convert, aws_auth_edit, eks_access
from iambridge.cli.aws_auth_cluster import (
    CALLER_HELP,
    ClusterView,
    beside,
    bound_of,
    caller_named,
    cluster_of,
    unless_unreadable,
)
from iambridge.cli.aws_auth_files import view_of_files
from iambridge.cli.aws_auth_plan import (
    fault_document,
    fault_line,
    plan_document,
    planned_change,
    print_plan,
    say_what_is_not_counted,
    say_what_the_original_does,
)
from iambridge.core.aws_auth import Fault, Mappings, Severity, Unparsable, smells
from iambridge.core.cluster_access import EksAccess, of_entries, shadowed
from iambridge.errors import InputError
from iambridge.wire.aws_auth_file import AwsAuthFile, read_file

_EXAMPLE = """examples:
  iambridge aws-auth lint aws-auth.yaml                           every fault and smell, with its line
  iambridge aws-auth lint --kubeconfig ~/.kube/config             the live ConfigMap, and groups that nothing binds
  iambridge aws-auth lint aws-auth.yaml --rbac rbac.yaml          offline, with saved roles and bindings
  iambridge aws-auth plan -f new.yaml --current aws-auth.yaml     who gains, loses, changes; is an admin left?
  iambridge aws-auth plan -f new.yaml --kubeconfig K --caller arn:aws:iam::111122223333:role/admin
  iambridge aws-auth add arn:aws:iam::111122223333:user/pod-reader --username pod-reader --group readers
  iambridge aws-auth convert aws-auth.yaml --to access-entries --cluster-name prod

iambridge aws-auth ACTION --help says the exit codes of each; 3 is a lock-out, or an unknown, that a guard stopped.
"""
_LINT = f"""With both FILE and --kubeconfig the file is judged with that cluster's bindings and access entries.

Each line names its rule:
  YAML traps      yaml, not-a-list, section-not-a-string, unknown-section, groups-not-a-list, username-not-a-string
  ARNs            role-path, session-arn, arn-malformed, arn-missing, wrong-section, other-account, duplicate-arn
  users, groups   username-missing, session-name-unprefixed, session-name-at, session-name-in-group, template-in-group,
                  group-unbound, group-with-space, documentation-placeholder, unknown-placeholder, system-masters
  nodes           node-groups, node-username
  of no use       nobody-can-use-it, entry-without-rights, access-entry-first, config-map-not-read
  of others       break-glass (from the arguments of the authenticator's pods), access-entries-unknown
{eks_access.HELP}
exit codes: 0 no error (with --strict: no warning either), 1 a finding, 2 bad input, 3 the cluster cannot be read
"""
_PLAN = f"""The new text is read as its authenticator reads it (--authenticator): the original, and EKS, drop a section
that they cannot read, iambridge keeps its last good version.
{eks_access.HELP}
exit codes: 0 nobody who must not be is locked out, 1 the new text has errors, 2 bad input, 3 the caller or every admin
would be locked out, or it is unknown (--force makes it 0 or 1)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    raw = argparse.RawDescriptionHelpFormatter
    lint = actions.add_parser(
        "lint", help="every fault and smell, with line, cause and fix", epilog=_LINT, formatter_class=raw
    )
    lint.add_argument(
        "file",
        nargs="?",
        type=Path,
        help="a file with the ConfigMap, or - for stdin",
    )
    lint.add_argument("--account", default="", metavar="ID", help="the cluster's account: others are worth a warning")
    lint.add_argument("--strict", action="store_true", help="warnings, too, end with 1")
    change = actions.add_parser(
        "plan", help="the effect of a new ConfigMap, by principal", epilog=_PLAN, formatter_class=raw
    )
    change.add_argument("-f", "--file", type=Path, required=True, help="the new ConfigMap, or - for stdin")
    change.add_argument("--current", type=Path, metavar="FILE", help="the ConfigMap as it is (default: the cluster's)")
    change.add_argument("--caller", default="", metavar="ARN", help=CALLER_HELP)
    change.add_argument("--force", action="store_true", help="exit 0 though somebody is locked out")
    aws_auth_edit.add_arguments(actions)
    aws_auth_convert.add_arguments(actions)
    for sub in (lint, change):
        sub.add_argument("--kubeconfig", type=Path, help="the cluster to read the ConfigMap and bindings from")
        sub.add_argument("--context", help="the kubeconfig's context")
        sub.add_argument("--json", action="store_true", help="for machines")
        sub.add_argument(
            "--rbac", action="append", type=Path, default=[], metavar="FILE",
            help="offline: roles and bindings, as kubectl get -o yaml saves them; may be repeated",
        )  # fmt: skip
        eks_access.add_arguments(sub)


def run(arguments: argparse.Namespace) -> int:
    if arguments.action in aws_auth_edit.ACTIONS:
        return aws_auth_edit.run(arguments)
    if arguments.action == "convert":
        return aws_auth_convert.run(arguments)
    return unless_unreadable(lambda: _lint(arguments) if arguments.action == "lint" else _plan(arguments))


def _read(file: Path) -> AwsAuthFile | Unparsable:
    try:
        return read_file(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}", where=str(file), fix="name a readable YAML file") from error


def _cluster(arguments: argparse.Namespace) -> ClusterView | None:
    """A live one, or what files show of one."""
    if arguments.kubeconfig is not None:
        return cluster_of(arguments)
    return view_of_files(arguments.rbac, arguments) if arguments.rbac else None


def _lint(arguments: argparse.Namespace) -> int:
    if arguments.file is None and arguments.kubeconfig is None:
        raise InputError("lint reads a file or a cluster", where="aws-auth lint", fix="give FILE or --kubeconfig")
    cluster = _cluster(arguments)
    source: AwsAuthFile | Unparsable | None = cluster.aws_auth if cluster is not None else None
    shown = "kube-system/aws-auth"
    if arguments.file is not None:
        shown, source = str(arguments.file), _read(arguments.file)
    assert source is not None
    if isinstance(source, Unparsable):
        faults = [Fault("yaml", "file", source.line, source.column, "", source.problem, "correct the file")]
    else:
        server = cluster.server if cluster is not None else ""
        access = cluster.eks if cluster is not None else eks_access.files_only(arguments)
        original = eks_access.read_by_original(arguments, access, server)
        mappings = eks_access.mappings_of(source.sections, by_original=original)
        found = [*mappings.faults, *_smells(mappings, arguments.account, cluster, access)]
        faults = [*source.faults, *(source.in_file(fault) for fault in found)]
    faults.sort(key=lambda fault: (fault.line, fault.column))
    if arguments.json:
        print(json.dumps([fault_document(fault) for fault in faults], indent=2))
    else:
        for fault in faults:
            print(fault_line(shown, fault))
        errors = sum(fault.severity is Severity.ERROR for fault in faults)
        print(f"{shown}: {errors} errors, {len(faults) - errors} warnings")
    return int(any(arguments.strict or fault.severity is Severity.ERROR for fault in faults))


def _smells(mappings: Mappings, account: str, cluster: ClusterView | None, access: EksAccess) -> Iterator[Fault]:
    admins = beside(access, cluster.policy if cluster is not None else None).admins
    for fault in smells(mappings, account=account, bound=bound_of(cluster)):
        # an admin by access entry, or one that cannot be ruled out, is an admin
        if fault.code != "no-admin" or not (admins or access.unknown):
            yield fault
    yield from shadowed(mappings, access)
    bound = bound_of(cluster)
    if bound is not None:
        yield from of_entries(access, bound)
    for arn in cluster.break_glass if cluster is not None else ():
        cause = f"`{arn}` gets in as system:masters whatever this document says (--break-glass-arn)"
        fix = "check that it is still meant; each use of it is an Event"
        yield Fault("break-glass", "authenticator", 0, 0, "", cause, fix, Severity.WARNING)


def _plan(arguments: argparse.Namespace) -> int:
    if arguments.current is None and arguments.kubeconfig is None:
        raise InputError("plan compares with what is", where="aws-auth plan", fix="give --current FILE or --kubeconfig")
    cluster = _cluster(arguments)
    access = cluster.eks if cluster is not None else eks_access.files_only(arguments)
    original = eks_access.read_by_original(arguments, access, cluster.server if cluster is not None else "")
    if arguments.current is not None:
        current = _parsed(arguments.current)
    else:
        assert cluster is not None
        current = cluster.aws_auth
    source = _parsed(arguments.file)
    caller = caller_named(arguments, cluster)
    planned, after = planned_change(
        current.sections, source.sections, by_original=original, caller=caller, cluster=cluster, access=access
    )
    if not original and not arguments.authenticator:
        say_what_the_original_does(current.sections, source.sections, planned, caller, cluster)
    faults = [*source.faults, *(source.in_file(fault) for fault in after.faults)]
    if arguments.json:
        document = plan_document(planned, faults) | {"accessEntries": eks_access.document(access)}
        print(json.dumps(document, indent=2))
    else:
        print_plan(planned, faults, str(arguments.file))
    eks_access.say_unknown(access)
    say_what_is_not_counted(cluster)
    if not planned.decision.allowed and not arguments.force:
        return 3
    return int(any(fault.severity is Severity.ERROR for fault in faults))


def _parsed(file: Path) -> AwsAuthFile:
    source = _read(file)
    if isinstance(source, Unparsable):
        raise InputError(f"{file} cannot be planned: {source.problem}", where=f"{file}:{source.line}",
                         fix="correct the file; iambridge aws-auth lint shows all of its faults")  # fmt: skip
    return source
