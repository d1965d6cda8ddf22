"""A steady stream of AdmissionReviews, sent as an API server sends them: kept connections, verified TLS, no retry."""

import asyncio
import json
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

import aiohttp

from .plumbing import eventually

Target = tuple[str, int]
CONNECTIONS = 16


def review(account: str) -> bytes:
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load", "namespace": "default"},
        "spec": {"serviceAccountName": account, "containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "x" * 2000}]}]},
    }  # fmt: skip
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"}, "namespace": "default", "operation": "CREATE",
        "object": pod, "dryRun": True,
    }  # fmt: skip
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


class ReviewLoad:
    """Sends `rate` reviews a second from a thread of its own, while it is entered, to one of `targets()` each.

    Both callables are asked again every 100 ms, in a thread, as a watch would tell: `targets` for the ready endpoints,
    `bundle` for the caBundle (PEM). A new caBundle is for new connections, and kept ones stay, as in kube-apiserver.
    """

    def __init__(
        self, targets: Callable[[], list[Target]], bundle: Callable[[], bytes], server_name: str, rate: int = 300
    ) -> None:
        self._asked = targets, bundle
        self._name = server_name
        self._rate = rate
        self._body = review("app")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._bundle = b""
        self._targets: list[Target] = []
        self.answered = 0
        self.failures: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def reaches(self, count: int) -> None:
        """Go on until more than `count` were answered or one failed: on a slow machine that takes longer than elsewhere."""
        eventually(lambda: self.answered > count or bool(self.failures), 120, f"an answer to review {count}")

    def _look(self) -> None:
        targets, bundle = self._asked
        self._targets, self._bundle = targets(), bundle()

    async def _run(self) -> None:
        looking = asyncio.create_task(self._keep_looking())
        workers = [asyncio.create_task(self._worker(index)) for index in range(CONNECTIONS)]
        await asyncio.gather(*workers)
        looking.cancel()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(0.1)

    async def _worker(self, index: int) -> None:
        """One client with its connections; due times are fixed, so that a late answer delays no other request."""
        sessions: dict[bytes, aiohttp.ClientSession] = {}
        step = CONNECTIONS / self._rate
        due = time.monotonic() + index / self._rate
        try:
            while not self._stop.is_set():
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due + step, time.monotonic() - 1.0)
                if self._bundle not in sessions:
                    context = ssl.create_default_context(cadata=self._bundle.decode())
                    sessions[self._bundle] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=1))
                await self._ask(sessions[self._bundle])
        finally:
            for session in sessions.values():
                await session.close()

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        host, port = random.choice(self._targets)
        try:
            async with session.post(
                f"https://{host}:{port}/mutate?timeout=5s", data=self._body, server_hostname=self._name,
                headers={"Content-Type": "application/json"}, timeout=aiohttp.ClientTimeout(total=5),
            ) as answer:  # fmt: skip
                content = await answer.read()
                if answer.status == 200 and b'"patch"' in content:
                    self.answered += 1
                else:
                    self.failures[f"{answer.status} {content[:100]!r}"] += 1
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.failures[repr(error)[:200]] += 1
