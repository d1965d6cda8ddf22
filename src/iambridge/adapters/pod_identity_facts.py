"""What the pod identity webhook knows: ServiceAccounts, the ConfigMap, the container credentials file, kept fresh."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from iambridge.adapters.informer import EventType, Informer
from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.core.pod_identity import (
    Facts,
    Identity,
    Settings,
    identity_of_annotations,
    parse_config_map,
    parse_container_credentials,
)
from iambridge.errors import ApiServerUnreachable, KubernetesError, NotFound
from iambridge.wire.prometheus import Counter

_log = logging.getLogger(__name__)

_CONFIG_MAP = "pod-identity-webhook"
_READ_SECONDS = 2.0
_FOUND_SECONDS, _MISSING_SECONDS = 5.0, 1.0  # how long a read past the cache is believed
_YOUNG_SECONDS = 60.0
_READS_AT_ONCE, _READS_KEPT = 20, 10_000
_FILE_SECONDS = 1.0


class _Meta(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    creation_timestamp: dt.datetime | None = None
    annotations: dict[str, str] | None = None


class _ServiceAccount(msgspec.Struct, gc=False):
    metadata: _Meta


class _Read(NamedTuple):
    identity: Identity | None
    until: float


class ClusterFacts:
    """Facts of one cluster. `run` keeps them fresh; `now` gives seconds since the epoch.

    A ServiceAccount that the cache lacks is read from the API: once for all who wait for it, at most 20 at a time, and
    the answer is believed for some seconds. One that is cached without a role, and is younger than 60 s, is read again
    once for each resourceVersion, since controllers annotate after they create.
    """

    def __init__(
        self,
        client: KubernetesClient,
        settings: Settings,
        *,
        now: Callable[[], float],
        config_map_namespace: str = "",
        credentials_file: Path | None = None,
        read_throughs: Counter | None = None,
        used: Counter | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._now = now
        self._nobody = identity_of_annotations({}, settings)
        self._read_throughs, self._used = read_throughs, used
        self.accounts: dict[str, Identity] = {}
        self._young: dict[str, float] = {}
        self._reads: dict[str, _Read] = {}
        self._flights: dict[str, asyncio.Task[Identity | None]] = {}
        self._slots = asyncio.Semaphore(_READS_AT_ONCE)
        self._entries: dict[str, Identity] = {}
        self._credentials: frozenset[tuple[str, str]] = frozenset()
        self._file = credentials_file
        self._file_content: bytes | None = None
        self._informers: list[Informer[Any]] = [
            Informer(client, "/api/v1/serviceaccounts", on_change=self._account, item_type=_ServiceAccount)
        ]
        if config_map_namespace:
            path = path_of("api", "v1", "namespaces", config_map_namespace, "configmaps")
            selector = f"metadata.name={_CONFIG_MAP}"
            self._informers.append(Informer(client, path, on_change=self._config_map, field_selector=selector))

    @property
    def synced(self) -> bool:
        return all(informer.synced.is_set() for informer in self._informers)

    async def run(self) -> None:
        """Until cancelled."""
        self._load_file()
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run())
            if self._file is not None:
                group.create_task(self._watch_file())

    def known(self, namespace: str, name: str) -> Facts | None:
        key = f"{namespace}/{name}"
        identity = self.accounts.get(key)
        if identity is None:
            read = self._reads.get(key)
            if read is None or read.until < self._now():
                return None if name else self._facts(namespace, name, None)
            return self._facts(namespace, name, read.identity)
        if self._young and key in self._young:
            read = self._reads.get(key)
            if read is not None and read.until >= self._now():
                identity = read.identity or identity
            elif self._now() - self._young[key] < _YOUNG_SECONDS:
                return None
            else:
                del self._young[key]
        return self._facts(namespace, name, identity)

    async def read(self, namespace: str, name: str) -> Facts:
        key = f"{namespace}/{name}"
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fetch(namespace, name))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return self._facts(namespace, name, await asyncio.shield(flight))

    def _facts(self, namespace: str, name: str, identity: Identity | None) -> Facts:
        if not self._entries and not self._credentials:
            return Facts(identity)
        return Facts(
            identity,
            self._entries.get(f"{namespace}/{name}"),
            self._entries.get(f"*/{name}"),
            (namespace, name) in self._credentials,
        )

    async def _fetch(self, namespace: str, name: str) -> Identity | None:
        path = path_of("api", "v1", "namespaces", namespace, "serviceaccounts", name)
        key = f"{namespace}/{name}"
        result = "found"
        identity: Identity | None = None
        try:
            async with asyncio.timeout(_READ_SECONDS), self._slots:
                content = await self._client.get_bytes(path, within=_READ_SECONDS)
            account = msgspec.json.decode(content, type=_ServiceAccount)
            identity = self._identity(account.metadata.annotations)
        except NotFound:
            result = "missing"
        except (TimeoutError, KubernetesError, msgspec.DecodeError) as error:
            self._count("failed")
            if isinstance(error, KubernetesError):
                raise
            raise ApiServerUnreachable(f"no answer to GET {path} in time", cause=str(error)) from error
        self._count(result)
        if len(self._reads) >= _READS_KEPT:
            self._reads.clear()
        seconds = _MISSING_SECONDS if identity is None else _FOUND_SECONDS
        if key in self._young and identity is not None:
            if identity.asks:
                seconds = _YOUNG_SECONDS  # until the watch delivers the annotation, which drops this
            else:
                del self._young[key]  # once for this resourceVersion
        self._reads[key] = _Read(identity, self._now() + seconds)
        return identity

    def _count(self, result: str) -> None:
        if self._read_throughs is not None:
            self._read_throughs.add(result)

    def _identity(self, annotations: Mapping[str, str] | None) -> Identity:
        prefix = f"{self._settings.annotation_prefix}/"
        if annotations and any(key.startswith(prefix) for key in annotations):
            return identity_of_annotations(annotations, self._settings)
        return self._nobody

    def _account(self, event: EventType, account: _ServiceAccount) -> None:
        meta = account.metadata
        key = f"{meta.namespace}/{meta.name}"
        self._reads.pop(key, None)
        self._young.pop(key, None)
        if event == "DELETED":
            self.accounts.pop(key, None)
            return
        identity = self._identity(meta.annotations)
        self.accounts[key] = identity
        if not identity.asks and meta.creation_timestamp is not None:
            created = meta.creation_timestamp.timestamp()
            if self._now() - created < _YOUNG_SECONDS:
                self._young[key] = created
        if self._used is not None:
            self._used.set(1)

    def _config_map(self, event: EventType, config_map: dict[str, Any]) -> None:
        if event == "DELETED":
            self._entries = {}
            return
        config = (config_map.get("data") or {}).get("config") or ""
        parsed = parse_config_map(str(config), self._settings)
        entries = dict(parsed.entries)
        for fault in parsed.faults:
            if not fault.key:
                entries = self._entries
            elif fault.key in self._entries:
                entries[fault.key] = self._entries[fault.key]
            _log.warning("ConfigMap %s %s: %s; the last good value stays", _CONFIG_MAP, fault.key, fault.text)
        self._entries = entries

    async def _watch_file(self) -> None:
        while True:
            await asyncio.sleep(_FILE_SECONDS)
            self._load_file()

    def _load_file(self) -> None:
        """Content is compared, not times: a mounted ConfigMap changes by a symbolic link."""
        if self._file is None:
            return
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            _log.warning("cannot read %s: %s", self._file, error.strerror)
            return
        if content == self._file_content:
            return
        self._file_content = content
        try:
            self._credentials = parse_container_credentials(content)
        except msgspec.DecodeError as error:
            _log.warning("%s is wrong, the last good identities stay: %s", self._file, error)
