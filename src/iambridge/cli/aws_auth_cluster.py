"""What the aws-auth verbs read of a live cluster: the ConfigMap, and RBAC as far as the caller may see it."""

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iambridge.core.aws_auth import Bound
from iambridge.core.aws_auth.lint import MASTERS
from iambridge.core.aws_auth.plan import IsAdmin
from iambridge.core.rbac import Attributes, Policy, User, authorize
from iambridge.errors import Forbidden, NotFound
from iambridge.wire.aws_auth_file import AwsAuthFile, of_data

if TYPE_CHECKING:
    from iambridge.adapters.kubernetes import KubernetesClient

_CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_KINDS = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")


@dataclass(frozen=True, slots=True)
class ClusterView:
    """`rbac` holds the four kinds by resource name; None when the caller may not list them."""

    server: str
    aws_auth: AwsAuthFile
    rbac: Mapping[str, list[dict[str, Any]]] | None

    @property
    def policy(self) -> Policy | None:
        return None if self.rbac is None else Policy.of(*(self.rbac[kind] for kind in _KINDS))


def cluster_of(arguments: argparse.Namespace) -> ClusterView:
    """Raises KubernetesError when the ConfigMap cannot be read, InputError for the kubeconfig."""
    return asyncio.run(_read(arguments))


async def _read(arguments: argparse.Namespace) -> ClusterView:
    from iambridge.adapters.kubernetes import KubernetesClient  # noqa: PLC0415 - files need no client

    client = KubernetesClient.from_kubeconfig(arguments.kubeconfig, arguments.context)
    try:
        return await read_cluster(client)
    finally:
        await client.close()


async def read_cluster(client: "KubernetesClient") -> ClusterView:
    """Raises KubernetesError when the ConfigMap cannot be read."""
    try:
        data = (await client.get(_CONFIG_MAP)).get("data") or {}
    except NotFound:
        data = {}
    try:
        rbac = {kind: list((await client.get(f"{_RBAC}/{kind}")).get("items") or []) for kind in _KINDS}
    except Forbidden:
        return ClusterView(client.server, of_data(data), None)
    return ClusterView(client.server, of_data(data), rbac)


def bound_of(cluster: ClusterView | None) -> Bound | None:
    """Who is named by a binding; None when the bindings cannot be seen."""
    if cluster is None or cluster.rbac is None:
        return None
    subjects = [
        subject
        for kind in ("rolebindings", "clusterrolebindings")
        for binding in cluster.rbac[kind]
        for subject in binding.get("subjects") or []
    ]
    return Bound(
        groups={str(one.get("name")) for one in subjects if one.get("kind") == "Group"},
        users={str(one.get("name")) for one in subjects if one.get("kind") == "User"},
        cluster_roles={str(role["metadata"]["name"]) for role in cluster.rbac["clusterroles"]},
    )


def is_admin_of(cluster: ClusterView) -> IsAdmin:
    """In system:masters, or allowed every verb on everything by a binding."""
    policy = cluster.policy

    def is_admin(username: str, groups: tuple[str, ...]) -> bool:
        if MASTERS in groups:
            return True
        if policy is None:
            return False
        everything = Attributes("*", group="*", resource="*")
        return authorize(User(username, (*groups, "system:authenticated")), everything, policy).allowed

    return is_admin
