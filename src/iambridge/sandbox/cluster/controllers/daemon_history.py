"""ControllerRevisions of a DaemonSet: the templates that it had, for `kubectl rollout undo`.

Source: kubernetes pkg/controller/daemon/update.go.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from iambridge.errors import AlreadyExists, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.daemon_plan import HASH
from iambridge.sandbox.cluster.controllers.deployment_plan import template_hash
from iambridge.sandbox.cluster.controllers.ownership import Ownership
from iambridge.sandbox.cluster.controllers.pods import owner_reference
from iambridge.sandbox.cluster.reflector import Reflector

_REVISIONS = "controllerrevisions.apps"

Object = dict[str, Any]


def snapshot(daemon_set: Object) -> Object:
    """The patch that brings the present template back."""
    return {"spec": {"template": {**daemon_set["spec"]["template"], "$patch": "replace"}}}


class DaemonHistory:
    """`revisions` is the reflector that knows all ControllerRevisions."""

    def __init__(self, client: SystemClient, revisions: Reflector) -> None:
        self._client = client
        self._revisions = revisions
        self._ownership = Ownership(client, "daemonsets.apps", _REVISIONS)

    async def current(self, daemon_set: Object) -> tuple[str, list[Object]]:
        """The short name of the present template, and the revisions before it, the oldest first.

        The name is empty where another template has it: then `collisionCount` must grow.

        Raises:
            KubernetesError: a revision could not be written.
        """
        namespace = daemon_set["metadata"]["namespace"]
        there = [each for (where, _), each in self._revisions.objects.items() if where == namespace]
        mine = sorted(await self._ownership.claim(daemon_set, there), key=lambda each: each.get("revision") or 0)
        data = snapshot(daemon_set)
        same = [each for each in mine if each.get("data") == data]
        old = [each for each in mine if each.get("data") != data]
        number = max((each.get("revision") or 0 for each in old), default=0) + 1
        if not same:
            return await self._record(daemon_set, number), old
        present = same[-1]
        if (present.get("revision") or 0) < number:
            changed = {**present, "revision": number}
            self._revisions.remember(await self._client.update(_REVISIONS, namespace, changed))
        # one that a person brought along has no label of ours
        return (present["metadata"].get("labels") or {}).get(HASH) or present["metadata"]["name"], old

    async def _record(self, daemon_set: Object, number: int) -> str:
        meta, template = daemon_set["metadata"], daemon_set["spec"]["template"]
        short = template_hash(template, (daemon_set.get("status") or {}).get("collisionCount"))
        name = f"{meta['name']}-{short}"
        revision = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "labels": {**((template.get("metadata") or {}).get("labels") or {}), HASH: short},
                "annotations": meta.get("annotations") or {},
                "ownerReferences": [owner_reference(daemon_set)],
            },
            "data": snapshot(daemon_set),
            "revision": number,
        }
        try:
            written = await self._client.create(_REVISIONS, meta["namespace"], revision)
        except AlreadyExists:
            written = await self._client.get(_REVISIONS, meta["namespace"], name)
            if written.get("data") != revision["data"]:
                return ""
        self._revisions.remember(written)
        return short

    async def trim(self, daemon_set: Object, old: Sequence[Object], pods: Iterable[Object]) -> None:
        """Delete the oldest revisions beyond revisionHistoryLimit that no pod is of."""
        live = {(pod["metadata"].get("labels") or {}).get(HASH) for pod in pods}
        limit = daemon_set["spec"].get("revisionHistoryLimit")
        surplus = len(old) - (10 if limit is None else limit)
        idle = [each for each in old if (each["metadata"].get("labels") or {}).get(HASH) not in live]
        for each in idle[: max(0, surplus)]:
            meta = each["metadata"]
            try:
                await self._client.delete(_REVISIONS, meta["namespace"], meta["name"], uid=meta["uid"])
            except NotFound:
                continue
