"""Kubernetes Events on ConfigMap kube-system/aws-auth. They outlast an API server that is away, up to a hundred."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.errors import ApiServerUnreachable, BridgeError

_log = logging.getLogger(__name__)

NAMESPACE, NAME = "kube-system", "aws-auth"
_EVENTS = path_of("api", "v1", "namespaces", NAMESPACE, "events")
_WAITING = 100
_MAX_MESSAGE = 1024  # characters, the API's limit
_RETRY_SECONDS = 5.0


class AwsAuthEvents:
    """`uid` is the ConfigMap's, once known. `now` gives seconds since the epoch."""

    def __init__(self, client: KubernetesClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_WAITING)
        self.uid = ""

    def tell(self, reason: str, message: str, *, kind: str = "Warning") -> None:
        """Queue an Event; a full queue drops it."""
        if self._waiting.full():
            return
        at = dt.datetime.fromtimestamp(int(self._now()), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._waiting.put_nowait({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"generateName": f"{NAME}.", "namespace": NAMESPACE},
            "involvedObject": {
                "apiVersion": "v1", "kind": "ConfigMap", "namespace": NAMESPACE, "name": NAME,
                **({"uid": self.uid} if self.uid else {}),
            },
            "type": kind, "reason": reason, "message": message[:_MAX_MESSAGE],
            "source": {"component": "iambridge-authenticator"}, "reportingComponent": "iambridge-authenticator",
            "firstTimestamp": at, "lastTimestamp": at, "count": 1,
        })  # fmt: skip

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            event = await self._waiting.get()
            while True:
                try:
                    await self._client.post(_EVENTS, event)
                except ApiServerUnreachable:
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                except BridgeError as error:
                    _log.warning("cannot write an Event: %s", error.cause)
                break
