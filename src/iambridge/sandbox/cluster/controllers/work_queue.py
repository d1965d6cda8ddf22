"""A controller's queue: each key is reconciled by one worker, again after a failure, and never twice at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from iambridge.errors import KubernetesError

_log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 0.05
_LONGEST_RETRY_SECONDS = 30.0

Key = tuple[str, str]


class WorkQueue:
    """`reconcile(key)` returns the seconds after which to look at it again, or None. A key is (namespace, name)."""

    def __init__(self, name: str, reconcile: Callable[[Key], Awaitable[float | None]]) -> None:
        self._name = name
        self._reconcile = reconcile
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()

    def add(self, key: Key, after: float = 0.0) -> None:
        """Reconcile `key` in `after` seconds, or sooner if it is due sooner already."""
        due = asyncio.get_running_loop().time() + after
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            self._changed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            key = await self._next()
            try:
                again = await self._reconcile(key)
            except KubernetesError as error:
                self._retry(key, error.message)
            except Exception:  # noqa: BLE001 - one object must not stop the others
                _log.exception("%s failed on %s/%s", self._name, *key)
                self._retry(key, "a bug")
            else:
                self._failures.pop(key, None)
                if again is not None:
                    self.add(key, again)

    def _retry(self, key: Key, why: str) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(_FIRST_RETRY_SECONDS * 2 ** min(failures, 16), _LONGEST_RETRY_SECONDS)
        _log.debug("%s tries %s/%s again in %.2f s: %s", self._name, *key, delay, why)
        self.add(key, delay)

    async def _next(self) -> Key:
        while True:
            self._changed.clear()
            now = asyncio.get_running_loop().time()
            key = min(self._due, key=lambda each: self._due[each], default=None)
            if key is not None and self._due[key] <= now:
                del self._due[key]
                return key
            wait = None if key is None else self._due[key] - now
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue
