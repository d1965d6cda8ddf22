"""The store: what is written is read, in order, over restarts; watchers see each write once."""

import asyncio
import json
from pathlib import Path

import pytest

from iambridge.errors import Conflict, InputError
from iambridge.sandbox.cluster.store import Key, Store

KEY = Key("configmaps", "default", "a")


def content(version: int) -> bytes:
    return json.dumps({"version": version}).encode()


async def fill(store: Store, count: int) -> int:
    version = 0
    for number in range(count):
        version = (await store.write(KEY, version, "MODIFIED" if number else "ADDED", content)).version
    return version


def test_versions_grow_over_restarts(tmp_path: Path) -> None:
    """resourceVersion never goes back, also when the last object is gone."""

    async def once(last: int) -> int:
        store = Store(tmp_path)
        written = await store.write(KEY, 0, "ADDED", content)
        gone = await store.write(KEY, written.version, "DELETED", content)
        await store.close()
        assert last < written.version < gone.version
        return gone.version

    version = 1
    for _ in range(3):
        version = asyncio.run(once(version))


def test_a_write_from_an_old_version_is_a_conflict(tmp_path: Path) -> None:
    """Of two writes from one version, one wins."""

    async def check() -> None:
        store = Store(tmp_path)
        first = await store.write(KEY, 0, "ADDED", content)
        results = await asyncio.gather(
            *(store.write(KEY, first.version, "MODIFIED", content) for _ in range(4)), return_exceptions=True
        )
        assert sum(isinstance(result, Conflict) for result in results) == 3
        with pytest.raises(Conflict):
            await store.write(KEY, 0, "ADDED", content)
        await store.close()

    asyncio.run(check())


def test_subscribers_see_every_write_once_and_in_order(tmp_path: Path) -> None:
    """Events come with strictly increasing versions, none missing."""

    async def check() -> None:
        store = Store(tmp_path)
        with store.subscribe("configmaps") as subscription:
            keys = [Key("configmaps", "default", f"c{number}") for number in range(50)]
            await asyncio.gather(*(store.write(key, 0, "ADDED", content) for key in keys))
            await store.write(Key("secrets", "default", "s"), 0, "ADDED", content)
            events = subscription.take()
        assert sorted(event.key for event in events) == sorted(keys)
        assert [event.version for event in events] == sorted({event.version for event in events})
        await store.close()

    asyncio.run(check())


def test_the_past_can_be_listed(tmp_path: Path) -> None:
    """A snapshot at a version holds what was there then."""

    async def check() -> None:
        store = Store(tmp_path)
        first = await store.write(KEY, 0, "ADDED", content)
        second = await store.write(KEY, first.version, "MODIFIED", content)
        await store.write(KEY, second.version, "DELETED", content)
        assert [each.raw for each in store.objects_at("configmaps", "", first.version)] == [first.raw]
        assert [each.raw for each in store.objects_at("configmaps", "default", second.version)] == [second.raw]
        assert store.objects_at("configmaps", "", store.version) == []
        await store.close()

    asyncio.run(check())


def test_the_log_is_compacted_and_says_so(tmp_path: Path) -> None:
    """Only so many events are kept; `compacted` is the last that is gone, also after a restart."""

    async def check() -> None:
        store = Store(tmp_path, most_events=10)
        last = await fill(store, 40)
        assert store.compacted == last - 10
        assert [event.version for event in store.events("configmaps", store.compacted)] == list(
            range(last - 9, last + 1)
        )
        await store.close()
        again = Store(tmp_path, most_events=10)
        assert again.version == last
        assert again.compacted <= last - 10
        assert again.get(KEY) is not None
        await again.close()

    asyncio.run(check())


def test_one_process_holds_the_directory(tmp_path: Path) -> None:
    """A second store is refused and names the holder."""
    store = Store(tmp_path)
    with pytest.raises(InputError, match=r"another API server \(process \d+\)"):
        Store(tmp_path)
    asyncio.run(store.close())
    asyncio.run(Store(tmp_path).close())


def test_a_broken_database_is_named(tmp_path: Path) -> None:
    """A file that is no database is refused with its path."""
    (tmp_path / "cluster.db").write_bytes(b"not a database" * 100)
    with pytest.raises(InputError) as refused:
        Store(tmp_path)
    assert refused.value.where == str(tmp_path / "cluster.db")


def test_objects_stay_sorted_as_they_come_and_go(tmp_path: Path) -> None:
    """A list read before a create or a removal does not hide it, and a namespace's list holds no other's."""

    async def play() -> None:
        store = Store(tmp_path)

        async def put(namespace: str, name: str, expected: int = 0, kind: str = "ADDED") -> int:
            key = Key("pods", namespace, name)
            return (await store.write(key, expected, kind, lambda version: b"%d" % version)).version

        def names(namespace: str = "") -> list[str]:
            return [f"{one.key.namespace}/{one.key.name}" for one in store.objects("pods", namespace)]

        await put("b", "x")
        assert names() == ["b/x"]
        await put("a", "z")
        first = await put("a", "a")
        await put("ab", "y")
        assert names() == ["a/a", "a/z", "ab/y", "b/x"]
        assert names("a") == ["a/a", "a/z"]
        await put("a", "a", first, "DELETED")
        assert (names("a"), names("none")) == (["a/z"], [])
        await store.close()

    asyncio.run(play())
