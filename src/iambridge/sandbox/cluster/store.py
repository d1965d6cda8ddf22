"""The cluster's state: objects and a watch log in SQLite, both held in memory for reading.

A write is acknowledged once its transaction is on disk (WAL, synchronous=FULL); writes that arrive together share one
commit. Readers and watchers see a write only then. resourceVersion is one counter over everything, strictly increasing,
also over restarts.
"""

import asyncio
import contextlib
import os
import sqlite3
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from iambridge.errors import Conflict, InputError, InternalError
from iambridge.sandbox.directory_lock import hold

_MOST_EVENTS = 10_000

_TRIM_EVERY = 1_000
_QUEUE_LIMIT = 4 * _MOST_EVENTS
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events(
  rv INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL,
  name TEXT NOT NULL, object BLOB NOT NULL, previous BLOB);
CREATE TABLE IF NOT EXISTS objects(
  resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, rv INTEGER NOT NULL, object BLOB NOT NULL,
  PRIMARY KEY(resource, namespace, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Key(NamedTuple):
    """`resource` is `pods` or `jobs.batch`; `namespace` is empty for what has none."""

    resource: str
    namespace: str
    name: str


class Stored(NamedTuple):
    """An object at one resourceVersion, as its JSON text."""

    key: Key
    version: int
    raw: bytes


class Event(NamedTuple):
    """One change. `type` is ADDED, MODIFIED or DELETED; `previous` is the object before it."""

    version: int
    type: str
    key: Key
    raw: bytes
    previous: bytes | None


class Subscription:
    """Events of one resource since it was opened. `overflown`: the reader was too slow and must start over."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.overflown = False
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        if len(self._events) >= _QUEUE_LIMIT:
            self.overflown = True
        else:
            self._events.append(event)
        self._arrived.set()

    async def wait(self, seconds: float) -> None:
        """Wait until there is something to take, or the time is over."""
        if not self._events and not self.overflown:
            # not wait_for, which on Python 3.11 may swallow a cancellation that comes with the event
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()

    def take(self) -> list[Event]:
        taken = list(self._events)
        self._events.clear()
        self._arrived.clear()
        return taken

    @property
    def pending(self) -> bool:
        return bool(self._events)

    def wake(self) -> None:
        self._arrived.set()


class _Write(NamedTuple):
    event: Event
    done: "asyncio.Future[None]"


class Store:
    """Opens `directory` and holds its lock.

    Raises:
        InputError: another process holds the directory, or the database cannot be opened.
    """

    def __init__(self, directory: Path, *, most_events: int = _MOST_EVENTS) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = hold(directory, "API server")
        self._most_events = most_events
        self._database = _opened(directory / "cluster.db")
        self._writer = ThreadPoolExecutor(1, "cluster-store")
        self._objects: dict[str, dict[Key, Stored]] = {}
        self._keys: dict[str, list[Key]] = {}
        self._log: deque[Event] = deque()
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._queue: list[_Write] = []
        self._pending: dict[Key, asyncio.Future[None]] = {}
        self._committing: asyncio.Task[None] | None = None
        self._since_trim = 0
        self.closed = False
        self.listeners: list[Callable[[Event], None]] = []
        self._load()

    def _load(self) -> None:
        for resource, namespace, name, version, raw in self._database.execute("SELECT * FROM objects"):
            key = Key(resource, namespace, name)
            self._objects.setdefault(resource, {})[key] = Stored(key, version, raw)
        for version, kind, resource, namespace, name, raw, previous in self._database.execute(
            "SELECT * FROM events ORDER BY rv"
        ):
            self._log.append(Event(version, kind, Key(resource, namespace, name), raw, previous))
        (last,) = self._database.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        # 1 is what an empty etcd starts from, so that no list ever has version 0, which means `any`
        self.version = self._assigned = max(int(last), 1)
        row = self._database.execute("SELECT value FROM meta WHERE key = 'compacted'").fetchone()
        self.compacted = int(row[0]) if row else 0

    # Reading.

    def get(self, key: Key) -> Stored | None:
        return self._objects.get(key.resource, {}).get(key)

    def objects(self, resource: str, namespace: str = "") -> list[Stored]:
        """What there is now, sorted by namespace and name."""
        found, keys = self._objects.get(resource, {}), self._sorted_keys(resource)
        if namespace:
            start = bisect_left(keys, Key(resource, namespace, ""))
            keys = keys[start : bisect_left(keys, Key(resource, f"{namespace}\0", ""))]
        return [found[key] for key in keys]

    def _sorted_keys(self, resource: str) -> list[Key]:
        """Sorted once, and again only after an object came or went."""
        keys = self._keys.get(resource)
        if keys is None:
            keys = self._keys[resource] = sorted(self._objects.get(resource, {}))
        return keys

    def objects_at(self, resource: str, namespace: str, version: int) -> list[Stored]:
        """What there was at `version`, which is not older than `compacted`."""
        state = dict(self._objects.get(resource, {}))
        for event in reversed(self._log):
            if event.version <= version:
                break
            if event.key.resource != resource:
                continue
            if event.previous is None:
                state.pop(event.key, None)
            else:
                state[event.key] = Stored(event.key, 0, event.previous)
        return [state[key] for key in sorted(state) if not namespace or key.namespace == namespace]

    def events(self, resource: str, since: int) -> list[Event]:
        """The changes after `since`, which is not older than `compacted`."""
        found = []
        for event in reversed(self._log):
            if event.version <= since:
                break
            if event.key.resource == resource:
                found.append(event)
        return found[::-1]

    @contextlib.contextmanager
    def subscribe(self, resource: str) -> Iterator[Subscription]:
        subscription = Subscription(resource)
        self._subscriptions.setdefault(resource, set()).add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[resource].discard(subscription)

    def wake(self, resource: str) -> None:
        """Let the watches of a resource look again at whether they go on."""
        for subscription in self._subscriptions.get(resource, ()):
            subscription.wake()

    # Writing.

    async def write(self, key: Key, expected: int, kind: str, make: Callable[[int], bytes]) -> Stored:
        """Put (`kind` ADDED or MODIFIED) or remove (DELETED) an object; returns once it is on disk.

        `expected` is the version that was read, 0 for none; `make` gives the object's JSON at its new version.

        Raises:
            Conflict: the object is not at `expected` any more.
            InternalError: the database refused.
        """
        while (pending := self._pending.get(key)) is not None:
            await asyncio.wait({pending})
        current = self.get(key)
        if (current.version if current else 0) != expected:
            raise Conflict("the object has been modified")
        if self.closed:
            raise InternalError("the server is shutting down")
        version = self._assigned + 1
        event = Event(version, kind, key, make(version), current.raw if current else None)
        self._assigned = version
        done = asyncio.get_running_loop().create_future()
        self._pending[key] = done
        self._queue.append(_Write(event, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all(), name="cluster-store")
        await asyncio.shield(done)
        return Stored(key, version, event.raw)

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                batch, self._queue = self._queue, []
                try:
                    await loop.run_in_executor(self._writer, self._commit, [write.event for write in batch])
                except sqlite3.Error as error:
                    self._settle(batch, InternalError("the cluster's store could not be written", cause=str(error)))
                else:
                    for write in batch:
                        self._publish(write.event)
                    self._settle(batch, None)
        finally:
            self._committing = None

    def _commit(self, events: "list[Event]") -> None:
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            database.executemany(
                "INSERT INTO events VALUES (?,?,?,?,?,?,?)",
                [(event.version, event.type, *event.key, event.raw, event.previous) for event in events],
            )
            for event in events:
                if event.type == "DELETED":
                    database.execute("DELETE FROM objects WHERE resource=? AND namespace=? AND name=?", event.key)
                else:
                    database.execute(
                        "INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?)", (*event.key, event.version, event.raw)
                    )
            self._trim(len(events))
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise

    def _trim(self, added: int) -> None:
        self._since_trim += added
        if self._since_trim < _TRIM_EVERY and len(self._log) <= 2 * self._most_events:
            return
        self._since_trim = 0
        row = self._database.execute(
            "SELECT rv FROM events ORDER BY rv DESC LIMIT 1 OFFSET ?", (self._most_events,)
        ).fetchone()
        if row:
            self._database.execute("DELETE FROM events WHERE rv <= ?", row)
            self._database.execute("INSERT OR REPLACE INTO meta VALUES ('compacted', ?)", (str(row[0]),))

    def _publish(self, event: Event) -> None:
        objects = self._objects.setdefault(event.key.resource, {})
        if event.type == "DELETED" or event.key not in objects:
            self._keys.pop(event.key.resource, None)
        if event.type == "DELETED":
            objects.pop(event.key, None)
        else:
            objects[event.key] = Stored(event.key, event.version, event.raw)
        self.version = event.version
        self._log.append(event)
        while len(self._log) > self._most_events:
            self.compacted = self._log.popleft().version
        for listener in self.listeners:
            listener(event)
        for subscription in self._subscriptions.get(event.key.resource, ()):
            subscription.put(event)

    def _settle(self, batch: "list[_Write]", error: InternalError | None) -> None:
        for write in batch:
            del self._pending[write.event.key]
            if error is None:
                write.done.set_result(None)
            else:
                write.done.set_exception(error)

    async def close(self) -> None:
        """Let the writes under way finish, end all watches and give up the lock."""
        self.closed = True
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.wake()
        if self._committing is not None:
            await asyncio.wait({self._committing})
        self._writer.shutdown()
        self._database.close()
        os.close(self._lock)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.executescript(_SCHEMA)
    except sqlite3.Error as error:
        raise InputError(
            f"the cluster's database cannot be opened: {error}",
            where=str(path),
            fix="restore the file, or start with another --data-dir",
        ) from error
    return database
