"""What a test needs beside what it tests: answers of the API server at a tenth of a kubectl's cost, and waiting."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from iambridge.adapters.kubernetes import KubernetesClient

SECONDS = 60.0
_PAUSE, _LONGEST_PAUSE = 0.05, 0.5

T = TypeVar("T")


def asked(kubeconfig: Path, question: Callable[[KubernetesClient], Awaitable[T]]) -> T:
    """What `question` finds with a client of the kubeconfig's user."""

    async def run() -> T:
        client = KubernetesClient.from_kubeconfig(kubeconfig, timeout=SECONDS)
        try:
            return await question(client)
        finally:
            await client.close()

    return asyncio.run(run())


def eventually(is_so: Callable[[], bool], seconds: float = SECONDS, what: str = "it") -> None:
    """Ask until it is so: often at first, and then in steps of an eighth of what was waited. Many a question is a kubectl,
    and to start them without a pause takes the processor from whatever is waited for."""
    start = time.monotonic()
    while not is_so():
        waited = time.monotonic() - start
        assert waited < seconds, f"{what} did not come about within {seconds} s"
        time.sleep(min(max(_PAUSE, waited / 8), _LONGEST_PAUSE))
