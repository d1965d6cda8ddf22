"""A watch: it sleeps between events, with and without bookmarks."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from iambridge.sandbox.cluster.listing import Selection
from iambridge.sandbox.cluster.resources import Resource
from iambridge.sandbox.cluster.store import Store
from iambridge.sandbox.cluster.watching import Watch

CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps")


@pytest.mark.parametrize("bookmarks", ["true", "false"])
def test_a_quiet_watch_sleeps(tmp_path: Path, bookmarks: str) -> None:
    """Long after the time for a bookmark has come, a watch that waits for events does not spin."""

    async def main() -> int:
        looks = 0

        def clock() -> float:
            nonlocal looks
            looks += 1
            return 0.0 if looks <= 2 else 100.0

        store = Store(tmp_path)
        query = {"timeoutSeconds": "3600", "allowWatchBookmarks": bookmarks}
        watch = Watch(store, CONFIG_MAPS, "", query, Selection())

        async def read() -> None:
            async for _ in watch.events(clock):
                pass

        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(read(), 0.2)
        await store.close()
        return looks

    assert asyncio.run(main()) < 10
