"""Laws of list and watch, for any writes, disconnects and compactions."""

import asyncio
import itertools
import json
import tempfile
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.errors import Expired
from iambridge.sandbox.cluster.listing import Selection, page
from iambridge.sandbox.cluster.resources import Resources
from iambridge.sandbox.cluster.store import Key, Store
from iambridge.sandbox.cluster.watching import Watch

CONFIG_MAPS = Resources().named("configmaps")
_NAMES = ("a", "b", "c")

writes = st.tuples(st.sampled_from(_NAMES), st.sampled_from(("write", "delete")), st.sampled_from(("red", "blue")))
steps = st.lists(st.one_of(writes, st.just("look")), max_size=40)


class Client:
    """Keeps a copy by list and watch, and starts over when its version is too old."""

    def __init__(self, store: Store, selector: str) -> None:
        self.store = store
        self.query = {"labelSelector": selector}
        self.copy: dict[str, str] = {}
        self.version = 0
        self.relisted = 0

    def relist(self) -> None:
        found = page(self.store, CONFIG_MAPS, "", self.query, Selection.of(self.query, CONFIG_MAPS))
        self.copy = {item.key.name: json.loads(item.raw)["metadata"]["resourceVersion"] for item in found.items}
        self.version = found.version
        self.relisted += 1

    async def look(self) -> None:
        """Follow the watch up to now, then disconnect."""
        if not self.version:
            self.relist()
            return
        query = {**self.query, "resourceVersion": str(self.version), "timeoutSeconds": "1"}
        watch = Watch(self.store, CONFIG_MAPS, "", query, Selection.of(query, CONFIG_MAPS))
        started = time.monotonic()
        clock = itertools.chain([started], itertools.repeat(started + 5))  # all that is kept is read, nothing awaited
        try:
            async for event in watch.events(lambda: next(clock)):
                assert event.version > self.version
                self.version = event.version
                metadata = json.loads(event.raw)["metadata"]
                if event.type == "DELETED":
                    del self.copy[metadata["name"]]
                else:
                    assert (event.type == "ADDED") == (metadata["name"] not in self.copy)
                    self.copy[metadata["name"]] = metadata["resourceVersion"]
        except Expired:
            self.relist()


async def write(store: Store, name: str, action: str, colour: str) -> None:
    key = Key("configmaps", "default", name)
    live = store.get(key)

    def make(version: int) -> bytes:
        metadata = {"name": name, "resourceVersion": str(version), "labels": {"colour": colour}}
        return json.dumps({"metadata": metadata}).encode()

    if action == "write":
        await store.write(key, live.version if live else 0, "MODIFIED" if live else "ADDED", make)
    elif live is not None:
        await store.write(key, live.version, "DELETED", make)


@settings(max_examples=40)
@given(steps, st.sampled_from(("", "colour=red", "colour!=red")), st.sampled_from((4, 1000)))
def test_a_replaying_client_ends_with_what_the_list_says(script: list[object], selector: str, kept: int) -> None:
    """After any writes and disconnects the copy equals the list; only compaction makes it list again."""

    async def play(directory: str) -> None:
        store = Store(Path(directory), most_events=kept)
        client = Client(store, selector)
        for step in script:
            if isinstance(step, tuple):
                await write(store, *step)
            else:
                await client.look()
        await client.look()
        copy, relisted = dict(client.copy), client.relisted
        client.relist()
        assert copy == client.copy
        assert relisted == 1 or kept == 4
        await store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play(directory))
