"""Kubernetes Events, as components write them: repeated ones are counted, and a failure to write one is only logged."""

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from iambridge.errors import KubernetesError
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.timestamps import timestamp

_log = logging.getLogger(__name__)

_MOST_REMEMBERED = 1000


class EventRecorder:
    """Writes core/v1 Events as `component`. Source: client-go tools/record."""

    def __init__(self, client: SystemClient, component: str, now: Callable[[], float], *, host: str = "") -> None:
        self._client = client
        self._source = {"component": component, **({"host": host} if host else {})}
        self._now = now
        self._counts: dict[tuple[str, ...], tuple[str, int]] = {}

    async def normal(self, involved: Mapping[str, Any], reason: str, message: str, *, field: str = "") -> None:
        await self._record("Normal", involved, reason, message, field)

    async def warning(self, involved: Mapping[str, Any], reason: str, message: str, *, field: str = "") -> None:
        await self._record("Warning", involved, reason, message, field)

    async def _record(self, kind: str, involved: Mapping[str, Any], reason: str, message: str, field: str) -> None:
        metadata = involved["metadata"]
        namespace = metadata.get("namespace") or "default"
        now = timestamp(self._now())
        key = (str(metadata.get("uid", "")), kind, reason, message, field)
        name, count = self._counts.get(key, ("", 0))
        try:
            if count:
                change = {"count": count + 1, "lastTimestamp": now}
                await self._client.patch("events", namespace, name, change, kind="merge")
            else:
                name = f"{metadata['name']}.{secrets.token_hex(8)}"
                event = self._event(kind, involved, reason, message, field) | {
                    "metadata": {"name": name, "namespace": namespace},
                    "firstTimestamp": now,
                    "lastTimestamp": now,
                }
                await self._client.create("events", namespace, event)
        except KubernetesError as error:
            self._counts.pop(key, None)
            _log.debug("event %s for %s was not written: %s", reason, metadata["name"], error.message)
            return
        if len(self._counts) >= _MOST_REMEMBERED:
            self._counts.clear()
        self._counts[key] = (name, count + 1)

    def _event(self, kind: str, involved: Mapping[str, Any], reason: str, message: str, field: str) -> dict[str, Any]:
        metadata = involved["metadata"]
        reference = {
            "apiVersion": involved.get("apiVersion", "v1"),
            "kind": involved.get("kind", "Pod"),
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
            "fieldPath": field,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "involvedObject": {key: value for key, value in reference.items() if value},
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
            "count": 1,
        }
