"""`iambridge explain login [ARN|FILE|-]`: each hop of a login, from token to groups, and the fix of the first refusal.

A token comes from a file or stdin, never from the command line, which other users of the machine can read. With
--kubeconfig alone it is the login that kubectl would do.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator

from iambridge.cli import eks_access
from iambridge.cli.aws_auth_cluster import ClusterView, bound_of, client_of, read_cluster
from iambridge.cli.aws_auth_files import view_of_files
from iambridge.cli.login_caller import of_arn, of_kubeconfig, of_token, token_of
from iambridge.cli.login_walk import IN, REFUSED, UNKNOWN, Walk
from iambridge.core.arn import Arn
from iambridge.core.authenticator_token import CallerIdentity
from iambridge.core.aws_auth import Mapped, Mappings, alike, instance_wanted, map_identity
from iambridge.core.cluster_access import AccessEntry, EksAccess
from iambridge.core.decision import Reason
from iambridge.errors import ApiServerUnreachable, Forbidden, InputError, Unauthorized

_SEE_MORE = "give --kubeconfig of somebody who gets in, or the ConfigMap with -f"


def run(arguments: argparse.Namespace) -> int:
    """0: let in. 1: refused. 2: bad input. 3: something needed is not visible."""
    walk = Walk()
    if arguments.name.startswith("arn:"):
        return _finished(of_arn(arguments.name), arguments, walk)
    if arguments.name:
        return _finished(of_token(token_of(arguments.name), arguments.cluster_id, walk), arguments, walk)
    if arguments.kubeconfig is None:
        raise InputError("explain login needs to know who", where="explain login",
                         fix="give an ARN, a token's file, - for stdin, or --kubeconfig alone")  # fmt: skip
    return _finished(of_kubeconfig(arguments, walk), arguments, walk)


def judge(identity: CallerIdentity, arguments: argparse.Namespace) -> int:
    """The walk from a caller that STS has proven; `arguments` have kubeconfig, context, file and json."""
    walk = Walk()
    walk.passed("caller-proven", f"STS says that it is `{identity.arn}`", "STS")
    return _finished(identity, arguments, walk)


def _finished(identity: CallerIdentity | None, arguments: argparse.Namespace, walk: Walk) -> int:
    if identity is not None:
        cluster, access = _cluster(arguments, walk)
        _map(identity, _mappings(cluster), access, cluster, walk)
    if arguments.json:
        print(json.dumps(walk.document(), indent=2))
    else:
        print("\n".join(walk.lines()))
    assert walk.verdict is not None
    return walk.verdict


def _cluster(arguments: argparse.Namespace, walk: Walk) -> tuple[ClusterView | None, EksAccess]:
    """The cluster that is to be read, which is the one that may refuse; EKS answers all the same."""
    if arguments.kubeconfig is None and arguments.file:
        view = view_of_files(arguments.file, arguments)
        return view, view.eks
    if arguments.kubeconfig is None:
        return None, eks_access.files_only(arguments)
    return asyncio.run(_read(arguments, walk))


async def _read(arguments: argparse.Namespace, walk: Walk) -> tuple[ClusterView | None, EksAccess]:
    async with client_of(arguments) as (client, access):
        original = eks_access.read_by_original(arguments, access, client.server)
        try:
            return await read_cluster(client, access, by_original=original), access
        except (Unauthorized, Forbidden, ApiServerUnreachable) as error:
            walk.failed("cluster-unreadable", f"the API server was not read: {error.message}", client.server)
            return (view_of_files(arguments.file, arguments) if arguments.file else None), access


def _mappings(cluster: ClusterView | None) -> Mappings | None:
    return None if cluster is None or cluster.without_config_map else cluster.mappings


def _map(
    identity: CallerIdentity,
    mappings: Mappings | None,
    access: EksAccess,
    cluster: ClusterView | None,
    walk: Walk,
) -> None:
    sources = access.sources(mappings)
    if mappings is None and access.reads_config_map:
        walk.failed("mapping-unknown", "aws-auth was not given, or could not be read", "aws-auth")
    if not sources:
        walk.stop(UNKNOWN, _SEE_MORE)
        return
    instance = instance_wanted(identity, sources)
    mapped = map_identity(identity, sources, private_dns_name=f"PRIVATE-DNS-NAME-OF-{instance}" if instance else "")
    walk.reasons += mapped.decision.reasons
    if mappings is not None:
        walk.reasons += alike(identity.canonical_arn, mappings) if mapped.user is None else ()
        walk.reasons += _faults(identity, mappings, mapped)
    if access.unknown:
        text = f"access entries not visible: {access.unknown}"
        walk.failed("access-entries-unknown", text, "EKS")
    entry = access.find(identity.canonical_arn)
    if mapped.user is None:
        undescribed = entry is not None and not entry.described
        unknown = bool(access.unknown) or undescribed or (mappings is None and access.reads_config_map)
        fix = mapped.decision.fix
        if mappings is None and access.reads_config_map:
            fix = _SEE_MORE
        elif not access.reads_config_map:
            fix = f"aws eks create-access-entry --cluster-name NAME --principal-arn {identity.canonical_arn}"
        walk.stop(UNKNOWN if unknown else REFUSED, fix)
        return
    walk.username, walk.groups = mapped.user.username, mapped.user.groups
    walk.stop(IN, "")
    _rbac(cluster, walk, granted=mapped.source == "access entries" and _by_policies(entry, walk))


def _by_policies(entry: AccessEntry | None, walk: Walk) -> bool:
    """Whether its access policies grant something, or may."""
    text = "EKS compares the principal's id: an entry that is older than its role or user lets nobody in"
    walk.passed("access-entry-by-arn", text, "EKS")
    policies = entry.policies if entry is not None else ()
    if policies is None:
        walk.failed("access-policies-unknown", "its access policies are not visible", "EKS")
        return True
    for policy in policies:
        walk.passed("access-policy", f"{policy} grants what it has", "EKS")
    return bool(policies)


def _faults(identity: CallerIdentity, mappings: Mappings, mapped: Mapped) -> Iterator[Reason]:
    """The document's faults that speak of this caller, or of the entry that decided."""
    role = Arn.parse(identity.canonical_arn).name.lower()
    for fault in mappings.faults:
        if role in fault.cause.lower() or (mapped.entry is not None and fault.line == mapped.entry.line):
            yield Reason(fault.code, fault.cause, where=fault.where)


def _rbac(cluster: ClusterView | None, walk: Walk, *, granted: bool) -> None:
    bound = bound_of(cluster)
    if bound is None:
        return
    named = [group for group in walk.groups if group in bound.groups or group.startswith("system:")]
    if named or walk.username in bound.users:
        text = f"bindings name {', '.join([*named, *([walk.username] if walk.username in bound.users else [])])}"
        walk.passed("rbac-bound", text, "RBAC")
    elif not granted:
        walk.failed("rbac-unbound", "no binding names the user or a group of it", "RBAC")
        walk.fix = f"bind it: kubectl create clusterrolebinding NAME --clusterrole=view --user={walk.username}"
