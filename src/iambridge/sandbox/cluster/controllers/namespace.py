"""The namespaces every cluster has, what each namespace starts with, and how one ends.

Sources: kube-apiserver's system namespaces controller; kube-controller-manager's namespace, service account and
root-ca-cert-publisher controllers.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from iambridge.errors import AlreadyExists, Conflict, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.namespace_conditions import conditions
from iambridge.sandbox.cluster.controllers.work_queue import Key, WorkQueue
from iambridge.sandbox.cluster.reflector import Reflector
from iambridge.sandbox.cluster.timestamps import timestamp

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
ROOT_CA = "kube-root-ca.crt"
_FINALIZER = "kubernetes"
_LOOK_AGAIN_SECONDS = 0.25


class SystemNamespaces:
    """Makes the namespaces that every cluster has, once."""

    def __init__(self, client: SystemClient) -> None:
        self._client = client

    async def run(self) -> None:
        for name in SYSTEM_NAMESPACES:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            try:
                await self._client.create("namespaces", "", namespace)
            except AlreadyExists:
                continue


class NamespaceController:
    """Empties a namespace that is being deleted, then takes its finalizer away.

    `namespaced_resources` gives the resources to empty, as `SystemClient` names them; `now` seconds since the epoch.
    """

    def __init__(
        self, client: SystemClient, namespaced_resources: Callable[[], Sequence[str]], *, now: Callable[[], float]
    ) -> None:
        self._client = client
        self._resources = namespaced_resources
        self._now = now
        self._queue = WorkQueue("namespace-controller", self._reconcile)
        self._namespaces = Reflector(client, "namespaces", self._on_namespace)

    async def run(self) -> None:
        await asyncio.gather(self._namespaces.run(), self._queue.run())

    def _on_namespace(self, event: str, namespace: dict[str, Any]) -> None:
        if event != "DELETED" and namespace["metadata"].get("deletionTimestamp"):
            self._queue.add(("", namespace["metadata"]["name"]))

    async def _reconcile(self, key: Key) -> float | None:
        namespace = self._namespaces.objects.get(key)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return None
        remaining = await self._empty(key[1])
        if any(remaining.values()):
            await self._tell(namespace, remaining)
            return _LOOK_AGAIN_SECONDS
        left = [name for name in (namespace.get("spec") or {}).get("finalizers") or () if name != _FINALIZER]
        try:
            await self._client.update(
                "namespaces", "", {**namespace, "spec": {"finalizers": left}}, subresource="finalize"
            )
        except NotFound:
            return None
        except Conflict:
            return _LOOK_AGAIN_SECONDS
        return None

    async def _tell(self, namespace: dict[str, Any], remaining: dict[str, list[dict[str, Any]]]) -> None:
        """Say in the namespace's status what it waits for: what has been deleted and is still there."""
        held = {
            name: [one for one in items if "deletionTimestamp" in one["metadata"]] for name, items in remaining.items()
        }
        if not any(held.values()):
            return
        status = namespace.get("status") or {}
        before = status.get("conditions") or []
        told = conditions(held, before, timestamp(self._now()))
        if told == before:
            return
        try:
            changed = {**namespace, "status": {**status, "conditions": told}}
            await self._client.update("namespaces", "", changed, subresource="status")
        except (NotFound, Conflict):
            return

    async def _empty(self, namespace: str) -> dict[str, list[dict[str, Any]]]:
        """Delete what is in the namespace; returns what was there. Pods go first, as they take their grace."""
        found = {}
        for resource in sorted(self._resources(), key=lambda name: (name != "pods", name == "events", name)):
            items, _ = await self._client.list(resource, namespace)
            found[resource] = items
            for item in items:
                if item["metadata"].get("deletionTimestamp"):
                    continue
                try:
                    await self._client.delete(
                        resource, namespace, item["metadata"]["name"], uid=item["metadata"]["uid"]
                    )
                except (NotFound, Conflict):
                    continue
        return found


class ServiceAccountController:
    """Every active namespace has a ServiceAccount `default`. `informers` reads, as its own role may only write."""

    def __init__(self, client: SystemClient, informers: SystemClient) -> None:
        self._client = client
        self._queue = WorkQueue("service-account-controller", self._reconcile)
        self._namespaces = Reflector(
            informers, "namespaces", lambda _, item: self._queue.add(("", item["metadata"]["name"]))
        )
        self._accounts = Reflector(informers, "serviceaccounts", self._on_account)

    async def run(self) -> None:
        await asyncio.gather(self._namespaces.run(), self._accounts.run(), self._queue.run())

    def _on_account(self, event: str, account: dict[str, Any]) -> None:
        if event == "DELETED" and account["metadata"]["name"] == "default":
            self._queue.add(("", account["metadata"]["namespace"]))

    async def _reconcile(self, key: Key) -> None:
        await self._accounts.synced.wait()
        if not _active(self._namespaces.objects.get(key)) or (key[1], "default") in self._accounts.objects:
            return
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": key[1]}}
        await _create(self._client, "serviceaccounts", key[1], account)


class RootCertificatePublisher:
    """Every active namespace has the ConfigMap `kube-root-ca.crt` with the API server's CA, and keeps it unchanged."""

    def __init__(self, client: SystemClient, informers: SystemClient, certificate: str) -> None:
        self._client = client
        self._certificate = certificate
        self._queue = WorkQueue("root-ca-cert-publisher", self._reconcile)
        self._namespaces = Reflector(
            informers, "namespaces", lambda _, item: self._queue.add(("", item["metadata"]["name"]))
        )
        self._config_maps = Reflector(informers, "configmaps", self._on_config_map)

    async def run(self) -> None:
        await asyncio.gather(self._namespaces.run(), self._config_maps.run(), self._queue.run())

    def _on_config_map(self, event: str, config_map: dict[str, Any]) -> None:
        del event
        if config_map["metadata"]["name"] == ROOT_CA:
            self._queue.add(("", config_map["metadata"]["namespace"]))

    async def _reconcile(self, key: Key) -> None:
        await self._config_maps.synced.wait()
        if not _active(self._namespaces.objects.get(key)):
            return
        data = {"ca.crt": self._certificate}
        present = self._config_maps.objects.get((key[1], ROOT_CA))
        if present is None:
            metadata = {
                "name": ROOT_CA,
                "namespace": key[1],
                "annotations": {
                    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver"
                    " when using internal endpoints such as the internal service IP or kubernetes.default.svc."
                    " No other usage is guaranteed across distributions of Kubernetes clusters."
                },
            }
            config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            await _create(self._client, "configmaps", key[1], config_map)
        elif present.get("data") != data:
            await self._client.update("configmaps", key[1], {**present, "data": data})


def _active(namespace: dict[str, Any] | None) -> bool:
    return namespace is not None and not namespace["metadata"].get("deletionTimestamp")


async def _create(client: SystemClient, resource: str, namespace: str, item: dict[str, Any]) -> None:
    try:
        await client.create(resource, namespace, item)
    except (AlreadyExists, NotFound):
        return
