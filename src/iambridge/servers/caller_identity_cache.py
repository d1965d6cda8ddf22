"""Who a token's bearer is, as STS said it: one question per token at a time, and the answer kept for a while.

Only a proven identity is kept, never a refusal and never a mapping.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iambridge.core.authenticator_token import CallerIdentity, PresignedCallerIdentity
from iambridge.core.decision import Reason
from iambridge.errors import Throttling
from iambridge.ports import CallerIdentities

_MAX_ASKING = 2048


@dataclass(slots=True)
class Known:
    """Who STS said that a token's bearer is, and the call that it said it to; kept `until`, in seconds.

    `remembered` is room for what its reader derived from the two: it goes when they go.
    """

    identity: CallerIdentity
    presigned: PresignedCallerIdentity
    until: float
    remembered: Any = None


class CachedCallerIdentities:
    """Keeps at most `size` identities for `ttl` seconds each, and none with a `ttl` of 0.

    The key is the SHA-256 of the exact token with the cluster id and the STS that vouched. `now` is a monotonic clock
    in seconds. `calls` and `hits` count.
    """

    def __init__(
        self,
        callers: CallerIdentities,
        *,
        cluster_id: str,
        endpoint: str,
        ttl: float,
        now: Callable[[], float],
        size: int = 10_000,
    ) -> None:
        self._callers = callers
        self._cluster_id = cluster_id
        self._context = f"\0{cluster_id}\0{endpoint}".encode()
        self._ttl = ttl
        self._now = now
        self._size = size
        self._kept: OrderedDict[bytes, Known] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[CallerIdentity | Reason]] = {}
        self.calls = 0
        self.hits = 0

    def key(self, token: str) -> bytes:
        return hashlib.sha256(token.encode("utf-8", "surrogatepass") + self._context).digest()

    def known(self, key: bytes) -> Known | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._now():
            del self._kept[key]
            return None
        self.hits += 1
        return kept

    async def caller_identity(self, key: bytes, presigned: PresignedCallerIdentity) -> CallerIdentity | Reason:
        """Ask STS, or wait for who asked already. `key` is that of the token behind `presigned`.

        Raises Throttling or ServiceUnavailable as the port does; Throttling also when too many calls are open.
        """
        asking = self._asking.get(key)
        if asking is None:
            if len(self._asking) >= _MAX_ASKING:
                raise Throttling(f"{_MAX_ASKING} calls to STS are open already", fix="try again in a second")
            asking = asyncio.create_task(self._ask(key, presigned))
            asking.add_done_callback(_retrieved)
            self._asking[key] = asking
        return await asyncio.shield(asking)  # one caller that goes away takes nobody else's answer with it

    async def _ask(self, key: bytes, presigned: PresignedCallerIdentity) -> CallerIdentity | Reason:
        self.calls += 1
        try:
            answer = await self._callers.caller_identity(presigned, self._cluster_id)
        finally:
            del self._asking[key]
        if self._ttl > 0 and isinstance(answer, CallerIdentity):
            self._kept[key] = Known(answer, presigned, self._now() + self._ttl)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return answer


def _retrieved(task: asyncio.Task[CallerIdentity | Reason]) -> None:
    if not task.cancelled():
        task.exception()  # a refusal that nobody waits for any more is no bug
