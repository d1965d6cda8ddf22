"""Adopts what a controller selects and nobody owns, and lets go what it owns and selects no more.

Source: kubernetes pkg/controller/controller_ref_manager.go.
"""

from collections.abc import Iterable
from typing import Any

from iambridge.core import label_selector
from iambridge.errors import Conflict, Invalid, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.pods import controller_of, owner_reference

Object = dict[str, Any]


class Ownership:
    """`owners` and `owned` are named as SystemClient names resources; `client` may get the first, patch the second."""

    def __init__(self, client: SystemClient, owners: str, owned: str) -> None:
        self._client = client
        self._owners = owners
        self._owned = owned

    async def claim(self, owner: Object, items: Iterable[Object]) -> list[Object]:
        """Those of `items`, all of the owner's namespace, that it controls from now on.

        Raises:
            KubernetesError: an adoption or a release was refused.
        """
        uid, selector = owner["metadata"]["uid"], owner["spec"].get("selector")
        going = bool(owner["metadata"].get("deletionTimestamp"))
        mine = []
        for item in items:
            controller = controller_of(item)
            selected = label_selector.matches(selector, item["metadata"].get("labels") or {})
            if controller is not None and controller["uid"] == uid:
                if selected:
                    mine.append(item)
                elif not going:
                    await self._release(item, uid)
            elif controller is None and selected and not going and not item["metadata"].get("deletionTimestamp"):
                adopted = await self._adopt(owner, item)
                mine += [adopted] if adopted is not None else []
        return mine

    async def _adopt(self, owner: Object, item: Object) -> Object | None:
        """None when the item has gone, or the owner is about to."""
        meta, own = item["metadata"], owner["metadata"]
        try:
            # the owner as it is now: what was selected by one that is being deleted must stay an orphan
            fresh = await self._client.get(self._owners, own["namespace"], own["name"])
            if fresh["metadata"]["uid"] != own["uid"] or fresh["metadata"].get("deletionTimestamp"):
                return None
            change = {"metadata": {"uid": meta["uid"], "ownerReferences": [owner_reference(owner)]}}
            return await self._client.patch(self._owned, meta["namespace"], meta["name"], change, kind="strategic")
        except (NotFound, Conflict):
            return None

    async def _release(self, item: Object, uid: str) -> None:
        meta = item["metadata"]
        change = {"metadata": {"uid": meta["uid"], "ownerReferences": [{"$patch": "delete", "uid": uid}]}}
        try:
            await self._client.patch(self._owned, meta["namespace"], meta["name"], change, kind="strategic")
        except (NotFound, Conflict, Invalid):
            return
