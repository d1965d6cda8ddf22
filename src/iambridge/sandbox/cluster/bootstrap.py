"""What every cluster starts with: system namespaces, RBAC's roles and bindings; and aggregated ClusterRoles.

Source: pkg/registry/rbac/rest/storage_rbac.go and the clusterroleaggregation controller of Kubernetes.
"""

import asyncio
from typing import Any

import msgspec

from iambridge.core.rbac import aggregated_rules
from iambridge.errors import AlreadyExists, KubernetesError
from iambridge.sandbox.cluster.authorization import GROUP
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.namespace import SYSTEM_NAMESPACES
from iambridge.sandbox.cluster.objects import bootstrap_rbac
from iambridge.sandbox.cluster.store import Event, Key, Store

_CLUSTER_ROLES = f"clusterroles.{GROUP}"


async def run(client: SystemClient, store: Store) -> None:
    """Create what is missing. What a person changed or deleted in a running cluster comes back at the next start."""
    for name in SYSTEM_NAMESPACES:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        if store.get(Key("namespaces", "", name)) is None:
            await client.create("namespaces", "", namespace)
    wanted = {
        f"clusterroles.{GROUP}": bootstrap_rbac.cluster_roles(),
        f"roles.{GROUP}": bootstrap_rbac.roles(),
        f"clusterrolebindings.{GROUP}": bootstrap_rbac.cluster_role_bindings(),
        f"rolebindings.{GROUP}": bootstrap_rbac.role_bindings(),
    }
    await asyncio.gather(
        *(_ensure(client, store, resource, item) for resource, items in wanted.items() for item in items)
    )


async def _ensure(client: SystemClient, store: Store, resource: str, item: dict[str, Any]) -> None:
    metadata = item["metadata"]
    namespace = metadata.get("namespace", "")
    if store.get(Key(resource, namespace, metadata["name"])) is None:
        try:
            await client.create(resource, namespace, item)
        except AlreadyExists:
            return


class Aggregation:
    """Writes the rules of ClusterRoles that aggregate others, whenever a ClusterRole changes."""

    def __init__(self, client: SystemClient, store: Store) -> None:
        self._client = client
        self._store = store
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._store.listeners.append(self._on_event)
        await self._aggregate()
        self._task = asyncio.create_task(self._run(), name="clusterrole-aggregation")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _on_event(self, event: Event) -> None:
        if event.key.resource == _CLUSTER_ROLES:
            self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._aggregate()

    async def _aggregate(self) -> None:
        # a role may aggregate one that itself aggregates: a few rounds settle it
        for _ in range(4):
            if not await self._round():
                return

    async def _round(self) -> bool:
        roles = [msgspec.json.decode(stored.raw) for stored in self._store.objects(_CLUSTER_ROLES)]
        changed = False
        for role in roles:
            rules = aggregated_rules(role, roles)
            if rules is None or rules == (role.get("rules") or []):
                continue
            try:
                await self._client.update(_CLUSTER_ROLES, "", {**role, "rules": rules})
            except KubernetesError:
                self._changed.set()
            changed = True
        return changed
