"""The current objects of one resource, kept by list and watch, for the controllers and the kubelet."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from iambridge.errors import KubernetesError
from iambridge.sandbox.cluster.client import SystemClient

_log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 0.1
_LONGEST_RETRY_SECONDS = 5.0

Object = dict[str, Any]


class Reflector:
    """`objects` by (namespace, name). `on_change(event, object)` is called for ADDED, MODIFIED and DELETED, in order.

    After a watch that could not go on (410) it lists again, and tells what was added, changed or deleted meanwhile.
    """

    def __init__(self, client: SystemClient, resource: str, on_change: Callable[[str, Object], None]) -> None:
        self._client = client
        self._resource = resource
        self._on_change = on_change
        self.objects: dict[tuple[str, str], Object] = {}
        self._seen = 0
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """List and watch until cancelled."""
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                await self._list_and_watch()
                delay = _FIRST_RETRY_SECONDS
            except KubernetesError as error:
                _log.debug("watch of %s ended: %s", self._resource, error.message)
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_RETRY_SECONDS)

    def remember(self, item: Object) -> None:
        """Take the answer to a write of one's own before the watch tells of it, unless it has told of later things."""
        if _version(item) > self._seen:
            self.objects[_key(item)] = item

    async def _list_and_watch(self) -> None:
        listed, version = await self._client.list(self._resource)
        current = {_key(item): item for item in listed}
        self._seen = max(self._seen, int(version))
        for key in self.objects.keys() - current.keys():
            self._on_change("DELETED", self.objects.pop(key))
        for key, item in current.items():
            known = self.objects.get(key)
            if known is None or _version(known) != _version(item):
                self.objects[key] = item
                self._on_change("ADDED" if known is None else "MODIFIED", item)
        self.synced.set()
        async for event, item in self._client.watch(self._resource, since=version):
            if event == "DELETED":
                self.objects.pop(_key(item), None)
            elif event not in ("ADDED", "MODIFIED"):
                continue
            elif _version(self.objects.get(_key(item))) < _version(item):
                self.objects[_key(item)] = item
            self._seen = max(self._seen, _version(item))
            self._on_change(event, item)


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _version(item: Object | None) -> int:
    """The resourceVersion, which is one counter over everything here; 0 for what is not there."""
    return int((item or {"metadata": {}})["metadata"].get("resourceVersion") or 0)
