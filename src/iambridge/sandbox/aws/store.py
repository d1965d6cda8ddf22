"""Durable IAM state: one SQLite file, every acknowledged write on disk, every read from memory.

One writer, one thread: the account's event loop. WAL with synchronous=FULL means that a write has been fsynced when
`write` returns (SQLite, "PRAGMA synchronous"), so a killed process loses nothing that it acknowledged. What is only
noted, as last uses are, may be lost with a killed process.
"""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from iambridge.errors import InputError
from iambridge.sandbox.aws.entities import KINDS, Entity

E = TypeVar("E", bound=Entity)

_FORMAT = 3


class Store:
    """Opens or creates `path` (0600).

    Raises:
        InputError: the file is not ours, is of a newer format, or another process writes to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._database = sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=False)
        self._entities: dict[str, dict[str, Entity]] = {kind.kind: {} for kind in KINDS}
        self._noted: dict[tuple[str, str], Entity] = {}
        try:
            self._prepare()
            self._load()
        except sqlite3.Error as error:
            self._database.close()
            raise InputError(
                f"cannot open the IAM state: {error}",
                where=str(path),
                fix="stop the other process that uses it, or move the file away to start with an empty account",
            ) from error

    def _prepare(self) -> None:
        self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found > _FORMAT:
            raise InputError(
                f"the IAM state has format {found}, this iambridge knows {_FORMAT}",
                where=str(self.path),
                fix="use the newer iambridge, or another data directory",
            )
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS entity (kind TEXT, key TEXT, document BLOB NOT NULL, PRIMARY KEY (kind, key))"
            " WITHOUT ROWID"
        )
        self._database.execute(f"PRAGMA user_version={_FORMAT}")

    def _load(self) -> None:
        types = {kind.kind: kind for kind in KINDS}
        for kind, key, document in self._database.execute("SELECT kind, key, document FROM entity"):
            self._entities[kind][key] = msgspec.json.decode(document, type=types[kind])

    def get(self, kind: type[E], key: str) -> E | None:
        # a Struct's isinstance goes through its metaclass in Python, on every request's path
        found = self._entities[kind.kind].get(key)
        return found if type(found) is kind else None

    def all(self, kind: type[E]) -> list[E]:
        """Every entity of a kind, in the order of their keys."""
        entities = self._entities[kind.kind]
        return [entity for _, entity in sorted(entities.items()) if isinstance(entity, kind)]

    def count(self, kind: type[Entity]) -> int:
        return len(self._entities[kind.kind])

    def write(self, *put: Entity, delete: Iterable[Entity] = ()) -> None:
        """Put and delete as one transaction: on disk when this returns, or not at all."""
        gone = tuple(delete)
        self._commit(put, gone)
        for entity in gone:
            self._entities[entity.kind].pop(entity.key, None)
        for entity in put:
            self._entities[entity.kind][entity.key] = entity
        self.generation += 1

    def note(self, entity: Entity) -> None:
        """Put what may be lost and decides nothing: read at once, on disk with the next `write` or `flush`."""
        self._entities[entity.kind][entity.key] = entity
        self._noted[entity.kind, entity.key] = entity

    def flush(self) -> None:
        """Write what was noted."""
        if self._noted:
            self._commit((), ())

    def _commit(self, put: Iterable[Entity], gone: Iterable[Entity]) -> None:
        """What was noted goes along: it is there before `put` and `gone` are."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for entity in self._noted.values():
                self._insert(entity)
            for entity in gone:
                self._database.execute("DELETE FROM entity WHERE kind=? AND key=?", (entity.kind, entity.key))
            for entity in put:
                self._insert(entity)
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._noted.clear()

    def _insert(self, entity: Entity) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO entity VALUES (?, ?, ?)", (entity.kind, entity.key, msgspec.json.encode(entity))
        )

    def close(self) -> None:
        """Raises sqlite3.Error: what was noted could not be written."""
        try:
            self.flush()
        finally:
            self._database.close()
