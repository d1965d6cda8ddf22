"""Kubernetes Events on a ServiceAccount whose pods ask for an identity and are given none."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.core.decision import Decision
from iambridge.core.pod_identity import Pod
from iambridge.errors import BridgeError

_log = logging.getLogger(__name__)

_REPEAT_SECONDS = 300.0
_WAITING, _REMEMBERED = 100, 5000


class IdentityEvents:
    """Writes at most one Event for a ServiceAccount and reason in five minutes, beside the requests and never in them.

    The Event is on the ServiceAccount: at admission a pod has no uid yet, and often no name. `now` gives seconds since
    the epoch.
    """

    def __init__(self, client: KubernetesClient, *, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._told: dict[tuple[str, str, str], float] = {}
        self._queue: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue(_WAITING)

    def not_injected(self, decision: Decision, pod: Pod, namespace: str) -> None:
        account = pod.spec.service_account_name or ""
        reason = decision.reasons[-1]
        key, now = (namespace, account, reason.code), self._now()
        if now - self._told.get(key, 0.0) < _REPEAT_SECONDS or self._queue.full():
            return
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told[key] = now
        seconds = _rfc3339(now)
        event: dict[str, object] = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{account[:200]}.", "namespace": namespace},
            "involvedObject": {"apiVersion": "v1", "kind": "ServiceAccount", "namespace": namespace, "name": account},
            "type": "Warning",
            "reason": "IdentityNotInjected",
            "message": f"pod {pod.shown_name}: {reason.text}; {decision.fix}"[:1024],
            "source": {"component": "iambridge-webhook"},
            "reportingComponent": "iambridge-webhook",
            "firstTimestamp": seconds,
            "lastTimestamp": seconds,
            "count": 1,
        }
        self._queue.put_nowait((namespace, event))

    async def run(self) -> None:
        """Send what is queued, until cancelled."""
        while True:
            namespace, event = await self._queue.get()
            try:
                await self._client.post(path_of("api", "v1", "namespaces", namespace, "events"), event)
            except BridgeError as error:
                _log.warning("cannot write an Event in %s: %s", namespace, error.cause)


def _rfc3339(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
