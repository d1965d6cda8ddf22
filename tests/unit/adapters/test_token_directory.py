import os
import threading
from pathlib import Path

import pytest

from iambridge.adapters.token_directory import TokenDirectory, default_base
from iambridge.errors import InputError


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """Directories are 0700 and files 0600, whatever the umask."""
    old = os.umask(0)
    try:
        with TokenDirectory(tmp_path / "base") as directory:
            file = directory.write("token", "secret")
            assert (tmp_path / "base").stat().st_mode & 0o777 == 0o700
            assert directory.path.stat().st_mode & 0o777 == 0o700
            assert file.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old)
    assert list((tmp_path / "base").iterdir()) == []


@pytest.mark.parametrize("mode", [0o750, 0o707, 0o777])
def test_a_base_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    base = tmp_path / "base"
    base.mkdir()
    base.chmod(mode)
    with pytest.raises(InputError, match="group or others may use"):
        TokenDirectory(base)


def test_a_base_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """In a directory where anybody may create names, a link leads to somebody else's place."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "base").symlink_to(tmp_path / "real")
    with pytest.raises(InputError, match="not a plain directory"):
        TokenDirectory(tmp_path / "base")


def test_a_sweep_takes_only_what_nobody_holds(tmp_path: Path) -> None:
    living = TokenDirectory(tmp_path)
    dead = tmp_path / "dead"
    dead.mkdir()
    (dead / "token").write_text("secret")
    (tmp_path / "dead.lock").touch()
    TokenDirectory(tmp_path).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [living.path.name, f"{living.path.name}.lock"]
    living.close()


def test_a_reader_finds_whole_content(tmp_path: Path) -> None:
    """While it is replaced all the time, each read is one of the two contents, never a part of one."""
    contents = ["a" * 4000, "b" * 5000]
    with TokenDirectory(tmp_path) as directory:
        file = directory.write("token", contents[0])
        stop = threading.Event()

        def replace() -> None:
            while not stop.is_set():
                for content in contents:
                    directory.write("token", content)

        writer = threading.Thread(target=replace)
        writer.start()
        try:
            assert {file.read_text() for _ in range(2000)} <= set(contents)
        finally:
            stop.set()
            writer.join()


def test_the_base_is_in_memory_where_there_is_a_runtime_directory(tmp_path: Path) -> None:
    assert default_base({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "iambridge-run"
    assert str(os.geteuid()) in default_base({}).name
