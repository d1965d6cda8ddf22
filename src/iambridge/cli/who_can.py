"""`iambridge who-can VERB RESOURCE`: which AWS principals can do it, joined from aws-auth to RBAC.

Exit codes: 0 somebody can, 1 nobody, 2 bad input, 3 RBAC is not visible.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iambridge.cli.aws_auth_cluster import ClusterView, read_cluster
from iambridge.core.aws_auth import Mappings, load
from iambridge.core.aws_auth.lint import MASTERS
from iambridge.core.rbac import Attributes, Policy, User, authorize
from iambridge.errors import InputError, NotFound

if TYPE_CHECKING:
    from iambridge.adapters.kubernetes import KubernetesClient

_EXAMPLE = """examples:
  iambridge who-can delete pods -n shop
  iambridge who-can create deployments.apps
  iambridge who-can --admin                     who is, or can make himself, cluster-admin
"""
_RBAC = "rbac.authorization.k8s.io"
# Each lets its holder become anybody. Source: Kubernetes, "RBAC Good Practices", privilege escalation risks.
_ESCALATIONS = (
    Attributes("*", "*", "*"),
    Attributes("escalate", _RBAC, "clusterroles"),
    Attributes("bind", _RBAC, "clusterroles"),
    Attributes("impersonate", "", "users"),
    Attributes("impersonate", "", "groups"),
    Attributes("update", "", "configmaps", namespace="kube-system", name="aws-auth"),
    Attributes("patch", "", "configmaps", namespace="kube-system", name="aws-auth"),
)


@dataclass(frozen=True, slots=True)
class _Can:
    principal: str
    entry: str
    username: str
    groups: tuple[str, ...]
    by: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("verb_", nargs="?", metavar="VERB", help="as RBAC spells it: get, list, create, delete, ...")
    parser.add_argument("resource", nargs="?", metavar="RESOURCE", help="pods, pods/log, deployments.apps")
    parser.add_argument("--admin", action="store_true", help="who is, or can make himself, cluster-admin")
    parser.add_argument("-n", "--namespace", default="", help="in this namespace (default: cluster-wide)")
    parser.add_argument("--name", default="", help="for the object of this name")
    parser.add_argument("--kubeconfig", type=Path, help="the cluster (default: as kubectl finds it)")
    parser.add_argument("--context", help="the kubeconfig's context")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(arguments: argparse.Namespace) -> int:
    if bool(arguments.admin) == bool(arguments.verb_ and arguments.resource):
        raise InputError(
            "who-can needs VERB and RESOURCE, or --admin", where="who-can", fix="see iambridge who-can --help"
        )
    cluster, asked = asyncio.run(_read(arguments))
    policy = cluster.policy
    if policy is None:
        print("unknown: this caller may not list roles and bindings", file=sys.stderr)
        return 3
    mappings = load(cluster.aws_auth.sections)
    found = list(_able(mappings, policy, asked))
    if arguments.json:
        print(json.dumps([_document(can) for can in found], indent=2))
    else:
        for can in found:
            print(f"{can.principal}\n    {can.entry} -> {can.username} [{', '.join(can.groups)}]\n    {can.by}")
        if not found:
            print("no principal of aws-auth can")
        print(
            "not visible: client certificates, ServiceAccounts, break-glass ARNs and other authenticators",
            file=sys.stderr,
        )
        if ".eks." in cluster.server:
            print("not visible: EKS access entries and their policies", file=sys.stderr)
    return 0 if found else 1


async def _read(arguments: argparse.Namespace) -> tuple[ClusterView, tuple[Attributes, ...]]:
    from iambridge.adapters.kubernetes import KubernetesClient  # noqa: PLC0415 - --help needs no client

    client = KubernetesClient.from_kubeconfig(arguments.kubeconfig, arguments.context)
    try:
        cluster = await read_cluster(client)
        if arguments.admin:
            return cluster, _ESCALATIONS
        word, _, subresource = arguments.resource.partition("/")
        resource, _, group = word.partition(".")
        if not group:
            group = await _group_of(client, resource)
        asked = Attributes(arguments.verb_, group, resource, subresource, arguments.namespace, arguments.name)
        return cluster, (asked,)
    finally:
        await client.close()


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


def _able(mappings: Mappings, policy: Policy, asked: tuple[Attributes, ...]) -> Iterator[_Can]:
    for entry in mappings.entries:
        if entry.refusal:
            continue
        by = _how(entry.username, entry.groups, policy, asked)
        if by:
            yield _Can(entry.arn or entry.key, entry.where, entry.username, entry.groups, by)
    for account, line in mappings.accounts.items():
        by = _how("", (), policy, asked)
        if by:
            yield _Can(f"every principal of account {account}", f"mapAccounts line {line}", "its ARN", (), by)


def _how(username: str, groups: tuple[str, ...], policy: Policy, asked: tuple[Attributes, ...]) -> str:
    if MASTERS in groups:
        return "system:masters: goes past RBAC"
    user = User(username, (*groups, "system:authenticated"))
    for attributes in asked:
        decision = authorize(user, attributes, policy)
        if decision.allowed:
            return f"may {attributes.verb} {attributes.resource}: {decision.reasons[-1].text}"
    return ""


def _document(can: _Can) -> dict[str, object]:
    return {
        "principal": can.principal,
        "entry": can.entry,
        "username": can.username,
        "groups": list(can.groups),
        "by": can.by,
    }
