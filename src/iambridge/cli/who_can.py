"""`iambridge who-can VERB RESOURCE`: which AWS principals can do it, joined from access entries and aws-auth to RBAC.

Exit codes: 0 somebody can, 1 nobody, 2 bad input, 3 unknown: access entries, policies or RBAC are not visible.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iambridge.cli import eks_access
from iambridge.cli.aws_auth_cluster import ClusterView, client_of, read_cluster, unless_unreadable
from iambridge.cli.aws_auth_files import view_of_files
from iambridge.core.aws_auth import break_glass
from iambridge.core.cluster_access import (
    BECOMING_ADMIN,
    AuthenticationMode,
    Can,
    EksAccess,
    Step,
    Undetermined,
    other_admins,
    principals,
    who_can,
)
from iambridge.core.rbac import Attributes
from iambridge.errors import InputError, NotFound

if TYPE_CHECKING:
    from iambridge.adapters.kubernetes import KubernetesClient

_EXAMPLE = f"""examples:
  iambridge who-can delete pods -n shop
  iambridge who-can create deployments.apps
  iambridge who-can --admin                     who is, or can make himself, cluster-admin
  iambridge who-can --admin --access-entries saved/ --kubeconfig K
  kubectl get roles,rolebindings,clusterroles,clusterrolebindings -A -o yaml > rbac.yaml
  iambridge who-can --admin -f aws-auth.yaml -f rbac.yaml       offline
{eks_access.HELP}
--admin counts break-glass ARNs (of the authenticator's pods, or by flag), access policies, system:masters, and every
right that leads to one of those: escalate, bind, impersonate, and in kube-system ServiceAccount tokens, Secrets and
pods. It lists users, groups and ServiceAccounts that bindings name, too, whoever proves them.

exit codes: 0 somebody can, 1 nobody can, 2 bad input, 3 unknown (access entries, policies or RBAC are not visible)
"""


# The API group of what people ask for; a cluster says the rest by discovery.
_GROUPS = {
    **dict.fromkeys(
        ("pods", "services", "secrets", "configmaps", "namespaces", "nodes", "serviceaccounts", "events", "endpoints",
         "persistentvolumes", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "limitranges",
         "users", "groups"), ""),
    **dict.fromkeys(("deployments", "daemonsets", "statefulsets", "replicasets", "controllerrevisions"), "apps"),
    **dict.fromkeys(("jobs", "cronjobs"), "batch"),
    **dict.fromkeys(("ingresses", "networkpolicies", "ingressclasses"), "networking.k8s.io"),
    **dict.fromkeys(("roles", "rolebindings", "clusterroles", "clusterrolebindings"), "rbac.authorization.k8s.io"),
    "poddisruptionbudgets": "policy", "horizontalpodautoscalers": "autoscaling", "leases": "coordination.k8s.io",
    "storageclasses": "storage.k8s.io", "customresourcedefinitions": "apiextensions.k8s.io",
    "mutatingwebhookconfigurations": "admissionregistration.k8s.io",
    "validatingwebhookconfigurations": "admissionregistration.k8s.io",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("verb_", nargs="?", metavar="VERB", help="as RBAC spells it: get, list, create, delete, ...")
    parser.add_argument("resource", nargs="?", metavar="RESOURCE", help="pods, pods/log, deployments.apps")
    parser.add_argument("--admin", action="store_true", help="who is, or can make himself, cluster-admin")
    parser.add_argument("-n", "--namespace", default="", help="in this namespace (default: cluster-wide)")
    parser.add_argument("--name", default="", help="for the object of this name")
    parser.add_argument(
        "-f", "--file", action="append", type=Path, default=[], metavar="FILE",
        help="offline: the ConfigMap, roles and bindings, as kubectl get -o yaml saves them; may be repeated",
    )  # fmt: skip
    parser.add_argument("--kubeconfig", type=Path, help="the cluster (default: as kubectl finds it)")
    parser.add_argument("--context", help="the kubeconfig's context")
    parser.add_argument(
        "--break-glass-arn", action="append", default=[], metavar="ARN", help="as the authenticator has it; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="for machines: a list; what is unknown goes to stderr")
    eks_access.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    return unless_unreadable(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    if bool(arguments.admin) == bool(arguments.verb_ and arguments.resource):
        raise InputError(
            "who-can needs VERB and RESOURCE, or --admin", where="who-can", fix="see iambridge who-can --help"
        )
    if arguments.file and (arguments.kubeconfig or arguments.context):
        raise InputError("who-can reads files or a cluster", where="who-can", fix="give -f or --kubeconfig")
    cluster, asked = _of_files(arguments) if arguments.file else asyncio.run(_read(arguments))
    glass = break_glass(dict.fromkeys((*cluster.break_glass, *arguments.break_glass_arn)))
    found = principals(cluster.mappings, cluster.eks, glass)
    verdicts = list(who_can(found, asked, cluster.policy, missing_roles=cluster.missing_roles))
    can = [verdict for verdict in verdicts if isinstance(verdict, Can)]
    if arguments.admin and cluster.policy is not None:
        can += other_admins(asked, cluster.policy, [one.principal for one in can])
    if arguments.json:
        print(json.dumps([_document(one) for one in can], indent=2))
    else:
        _print(can)
    unknown = [verdict for verdict in verdicts if isinstance(verdict, Undetermined)]
    _say_what_is_not_visible(cluster, unknown)
    if unknown or cluster.eks.unknown or cluster.policy is None:
        return 3 if not can or arguments.admin else 0
    return 0 if can else 1


def _of_files(arguments: argparse.Namespace) -> tuple[ClusterView, Sequence[Step]]:
    cluster = view_of_files(arguments.file, arguments)
    if cluster.without_config_map and cluster.eks.reads_config_map:
        raise InputError("no file holds the ConfigMap aws-auth", where="who-can", fix="give it with -f, too")
    if arguments.admin:
        return cluster, _ways_to_admin(cluster.eks)
    word, _, subresource = arguments.resource.partition("/")
    resource, dot, group = word.partition(".")
    if not dot and resource not in _GROUPS:
        raise InputError(f"files do not say which API group `{resource}` is of", where="who-can",
                         fix="write RESOURCE.GROUP, as deployments.apps")  # fmt: skip
    group = group or _GROUPS.get(resource, "")
    return cluster, [
        Step(Attributes(arguments.verb_, group, resource, subresource, arguments.namespace, arguments.name), "")
    ]


def _ways_to_admin(eks: EksAccess) -> Sequence[Step]:
    return [step for step in BECOMING_ADMIN if eks.reads_config_map or not step.config_map]


async def _read(arguments: argparse.Namespace) -> tuple[ClusterView, Sequence[Step]]:
    async with client_of(arguments) as (client, eks):
        cluster = await read_cluster(
            client, eks, by_original=eks_access.read_by_original(arguments, eks, client.server)
        )
        if arguments.admin:
            return cluster, _ways_to_admin(eks)
        word, _, subresource = arguments.resource.partition("/")
        resource, _, group = word.partition(".")
        if not group:
            group = await _group_of(client, resource)
        asked = Attributes(arguments.verb_, group, resource, subresource, arguments.namespace, arguments.name)
        return cluster, [Step(asked, "")]


async def _group_of(client: "KubernetesClient", resource: str) -> str:
    """The API group that serves `resource`: the core one, else the first of discovery."""
    paths = {"/api/v1": ""}
    for group in (await client.get("/apis")).get("groups") or []:
        paths[f"/apis/{group['preferredVersion']['groupVersion']}"] = str(group["name"])
    for path, name in paths.items():
        try:
            served = await client.get(path)
        except NotFound:
            continue
        if any(one.get("name") == resource for one in served.get("resources") or []):
            return name
    raise InputError(f"the API server serves no resource `{resource}`", where="who-can",
                     fix="write the plural, as kubectl api-resources prints it")  # fmt: skip


def _print(can: Sequence[Can]) -> None:
    for one in can:
        who = one.principal
        print(who.name)
        if who.where:
            print(f"    {who.where} -> {who.username} [{', '.join(who.groups)}]")
        print(f"    {one.by}")
    if not can:
        print("no AWS principal can")


def _say_what_is_not_visible(cluster: ClusterView, unknown: Sequence[Undetermined]) -> None:
    for one in unknown:
        print(f"unknown: {one.principal.name} ({one.principal.where}): {one.why}", file=sys.stderr)
    eks_access.say_unknown(cluster.eks)
    if cluster.policy is None:
        print("unknown: this caller may not list roles and bindings", file=sys.stderr)
    print("not visible: client certificates and other authenticators, and who is behind their names", file=sys.stderr)
    if cluster.by_original and cluster.eks.mode is AuthenticationMode.CONFIG_MAP:
        print("not visible: on EKS the principal that created the cluster, an admin whom no list has", file=sys.stderr)
    if cluster.eks.entries or cluster.eks.unknown:
        print("not visible: IAM principals whose policies let them change access entries", file=sys.stderr)


def _document(one: Can) -> dict[str, object]:
    return {
        "principal": one.principal.name,
        "entry": one.principal.where,
        "username": one.principal.username,
        "groups": list(one.principal.groups),
        "by": one.by,
    }
