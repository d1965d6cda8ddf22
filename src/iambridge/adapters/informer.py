"""List and watch one resource, so that a server judges from memory.

Follows client-go's reflector in what it promises: every change is delivered, a relist delivers what was missed, and the
order of one object's changes is kept. Source: the Kubernetes API concepts page, "Efficient detection of changes".
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import msgspec

from iambridge.adapters.kubernetes import KubernetesClient, status_error
from iambridge.errors import BridgeError, Expired, KubernetesError, UnknownStatus

_log = logging.getLogger(__name__)

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
T = TypeVar("T")

_PAGE = 500
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 10.0  # seconds
_WATCH_SECONDS = 300


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    next_page: str = msgspec.field(default="", name="continue")


class _Named(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class _List(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    items: list[msgspec.Raw] | None = None


class _WatchEvent(msgspec.Struct):
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: msgspec.Raw


class Informer(Generic[T]):
    """Delivers every object of `list_path`, then every change, to `on_change(event_type, object)`.

    `synced` is set when the first whole list has been delivered. An object that vanished while no watch was open is
    delivered as DELETED with its name and namespace only. With `item_type` (a msgspec Struct) objects are decoded into
    it, which for large lists costs a fraction of dicts. `on_change` must not raise.
    """

    def __init__(
        self,
        client: KubernetesClient,
        list_path: str,
        *,
        on_change: Callable[[EventType, T], None],
        item_type: type[T] | Any = dict[str, Any],
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self._client = client
        self._path = list_path
        self._on_change = on_change
        self._decode = msgspec.json.Decoder(item_type)
        self._selectors = {
            key: value for key, value in (("labelSelector", label_selector), ("fieldSelector", field_selector)) if value
        }
        self._known: dict[tuple[str, str], str] = {}
        self._version = ""
        self._failures = 0
        self._delay = _FIRST_DELAY
        self.synced = asyncio.Event()
        self.failure: BridgeError | None = None
        """Why the last list or watch failed; None while it works."""

    async def run(self) -> None:
        """List, watch and begin again for ever, until cancelled; faults of the API are logged and waited out."""
        while True:
            try:
                if not self._version:
                    await self._relist()
                await self._watch()
                continue
            except Expired:
                self._version = ""
            except BridgeError as error:
                self._failed(error)
            await asyncio.sleep(self._delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads replicas
            self._delay = min(self._delay * 2, _LONGEST_DELAY)

    async def _relist(self) -> None:
        seen: dict[tuple[str, str], str] = {}
        query = {**self._selectors, "limit": str(_PAGE)}
        while True:
            page = _decode(_LIST, await self._client.get_bytes(self._path, query, within=60.0))
            for item in page.items or ():
                meta = _decode(_NAMED, item).metadata
                key = (meta.namespace, meta.name)
                seen[key] = meta.resource_version
                known = self._known.get(key)
                if known != meta.resource_version:
                    self._on_change("ADDED" if known is None else "MODIFIED", _decode(self._decode, item))
            if not page.metadata.next_page:
                break
            query["continue"] = page.metadata.next_page
            await asyncio.sleep(0)
        for namespace, name in self._known.keys() - seen.keys():
            gone = msgspec.json.encode({"metadata": {"name": name, "namespace": namespace}})
            self._on_change("DELETED", _decode(self._decode, gone))
        self._known = seen
        self._version = page.metadata.resource_version
        self.failure = None
        self.synced.set()

    async def _watch(self) -> None:
        """One watch, until the server ends it."""
        query = {
            **self._selectors,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(random.randint(_WATCH_SECONDS, 2 * _WATCH_SECONDS)),  # noqa: S311 - spreads replicas
        }
        silent = True
        async with self._client.stream(self._path, query, idle_timeout=2.5 * _WATCH_SECONDS) as lines:
            async for line in lines:
                self._deliver(_decode(_EVENT, line))
                if silent:
                    self._recovered()
                silent = False
        if silent:
            await asyncio.sleep(_FIRST_DELAY)  # a server that ends every watch at once is not asked in a tight loop

    def _deliver(self, event: _WatchEvent) -> None:
        if event.type == "ERROR":
            raise status_error(msgspec.json.decode(event.object))
        meta = _decode(_NAMED, event.object).metadata
        self._version = meta.resource_version
        if event.type == "BOOKMARK":
            return
        key = (meta.namespace, meta.name)
        if event.type == "DELETED":
            self._known.pop(key, None)
        else:
            self._known[key] = meta.resource_version
        self._on_change(event.type, _decode(self._decode, event.object))

    def _failed(self, error: BridgeError) -> None:
        if isinstance(error, KubernetesError) and error.status.value < 500:
            self._version = ""
        self._failures += 1
        self.failure = error
        if self._failures == 1:
            _log.warning("cannot list or watch %s: %s", self._path, error.cause)

    def _recovered(self) -> None:
        if self._failures:
            _log.warning("listing and watching %s again after %d failures", self._path, self._failures)
        self._failures = 0
        self.failure = None
        self._delay = _FIRST_DELAY


_LIST = msgspec.json.Decoder(_List)
_NAMED = msgspec.json.Decoder(_Named)
_EVENT = msgspec.json.Decoder(_WatchEvent)


def _decode(decoder: msgspec.json.Decoder[T], content: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(content)
    except msgspec.DecodeError as error:  # ValidationError is one too
        raise UnknownStatus("the API server's list or watch is not what the API promises", cause=str(error)) from error
