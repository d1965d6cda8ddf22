"""Holds a Lease that exists already: get and update are all the rights that it takes."""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.core import leader_lease
from iambridge.errors import BridgeError, Conflict


class LeaderLease:
    """Asks for the Lease `namespace/name` as `identity`. `now` is for the record, `monotonic` for judging silence."""

    def __init__(
        self,
        client: KubernetesClient,
        namespace: str,
        name: str,
        *,
        identity: str,
        now: Callable[[], dt.datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._path = path_of("apis", "coordination.k8s.io", "v1", "namespaces", namespace, "leases", name)
        self._identity = identity
        self._now, self._monotonic = now, monotonic
        self._seen: tuple[dict[str, Any], float] = ({}, monotonic())
        self._held: dict[str, Any] | None = None

    async def hold(self) -> bool:
        """Take or renew the Lease; whether we lead now.

        Raises:
            KubernetesError: the Lease cannot be read or written; then we do not lead.
        """
        lease = await self._client.get(self._path)
        spec = lease.get("spec") or {}
        if spec != self._seen[0]:
            self._seen = (spec, self._monotonic())
        silence = self._monotonic() - self._seen[1]
        wanted = leader_lease.claim(spec, self._identity, now=self._now(), unchanged_for=silence)
        if wanted is None:
            self._held = None
            return False
        try:
            self._held = await self._client.put(self._path, {**lease, "spec": wanted})
        except Conflict:
            self._held = None
            return False  # another was faster
        self._seen = (self._held.get("spec") or {}, self._monotonic())
        return True

    async def release(self) -> None:
        """Let the next one lead at once, as far as the API server can be told."""
        if self._held is None:
            return
        spec = leader_lease.released(self._held.get("spec") or {}, now=self._now())
        try:
            await self._client.put(self._path, {**self._held, "spec": spec})
        except BridgeError:
            return  # it ends by itself
        finally:
            self._held = None
