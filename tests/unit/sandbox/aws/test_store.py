"""Durability of the IAM state."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from iambridge.errors import InputError
from iambridge.sandbox.aws.entities import LastUse, Role, User
from iambridge.sandbox.aws.store import Store

WRITER = """
import sys
from pathlib import Path
from iambridge.sandbox.aws.entities import User
from iambridge.sandbox.aws.store import Store
store = Store(Path(sys.argv[1]))
number = 0
while True:
    store.write(User(name=f"user{number}", id=f"AIDA{number}"))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


def test_every_acknowledged_write_survives_a_kill(tmp_path: Path) -> None:
    """Killed without warning in the midst of writes, the store has every entity that it acknowledged."""
    file = tmp_path / "iam.db"
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = [int(writer.stdout.readline()) for _ in range(40)]
            writer.kill()
            acknowledged += [
                int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")
            ]
        store = Store(file)
        assert all(store.get(User, f"user{number}") is not None for number in acknowledged)
        store.close()


def test_a_failed_transaction_changes_nothing(tmp_path: Path) -> None:
    """When one part of a write cannot be stored, memory and disk stay as they were."""
    store = Store(tmp_path / "iam.db")
    store.write(User(name="kept", id="AIDA1"))
    broken = User(name="broken", id="AIDA2", tags={"a": object()})  # type: ignore[dict-item]  # no JSON form, on purpose
    with pytest.raises(TypeError):
        store.write(User(name="other", id="AIDA3"), broken)
    assert [user.name for user in store.all(User)] == ["kept"]
    store.close()
    again = Store(tmp_path / "iam.db")
    assert [user.name for user in again.all(User)] == ["kept"]
    again.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """Two writers on one file: the second is refused with the file's name, and harms nothing."""
    first = Store(tmp_path / "iam.db")
    with pytest.raises(InputError) as caught:
        Store(tmp_path / "iam.db")
    assert caught.value.where.endswith("iam.db")
    first.write(User(name="still", id="AIDA1"))
    first.close()


def test_a_state_of_the_first_format_is_read_and_one_of_a_later_refused(tmp_path: Path) -> None:
    """A role that was kept before trust policies knew whom they name is trusted as it was; a newer file is left alone."""
    file = tmp_path / "iam.db"
    Store(file).close()
    before = {
        "name": "old",
        "id": "AROA1",
        "trust": "{}",
        "max_session_duration": 7200,
        "created": "2026-01-01T00:00:00Z",
    }
    with sqlite3.connect(file) as database:
        database.execute("INSERT INTO entity VALUES ('role', 'old', ?)", (json.dumps(before).encode(),))
        database.execute("PRAGMA user_version=1")
    database.close()
    store = Store(file)
    role = store.get(Role, "old")
    assert role is not None
    assert (role.max_session_duration, role.trusted) == (7200, {})
    store.close()
    with sqlite3.connect(file) as database:
        newer = database.execute("PRAGMA user_version").fetchone()[0] + 1
        database.execute(f"PRAGMA user_version={newer}")
    database.close()
    with pytest.raises(InputError, match=f"has format {newer}, this iambridge knows {newer - 1}"):
        Store(file)


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    """The state holds secret access keys: nobody else may read it."""
    store = Store(tmp_path / "iam.db")
    store.write(User(name="a", id="AIDA1"))
    assert (tmp_path / "iam.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "iam.db-wal").stat().st_mode & 0o077 == 0
    store.close()


def test_what_is_noted_is_read_at_once_and_written_with_the_next_write(tmp_path: Path) -> None:
    """It makes no new generation, goes along with a write or a close, and is gone when it is deleted."""
    use = LastUse(subject="AKIA1", at="2026-11-27T12:00:00Z", service="s3", region="us-east-1")
    store = Store(tmp_path / "iam.db")
    store.note(use)
    assert (store.get(LastUse, "AKIA1"), store.generation) == (use, 0)
    broken = User(name="broken", id="AIDA2", tags={"a": object()})  # type: ignore[dict-item]  # no JSON form, on purpose
    with pytest.raises(TypeError):
        store.write(broken)
    store.close()
    again = Store(tmp_path / "iam.db")
    assert again.get(LastUse, "AKIA1") == use
    again.note(use)
    again.write(delete=(use,))
    assert again.get(LastUse, "AKIA1") is None
    again.close()
    last = Store(tmp_path / "iam.db")
    assert last.get(LastUse, "AKIA1") is None
    last.close()
