"""A data directory: one holder, ports for good, and clear words when something is in the way."""

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from iambridge.errors import InputError
from iambridge.sandbox.data_dir import SERVERS, DataDir, default_data_dir, read_ports


def test_ports_are_chosen_once(tmp_path: Path) -> None:
    """A second opening has the ports of the first, all different."""
    first = DataDir(tmp_path / "d")
    first.close()
    second = DataDir(tmp_path / "d")
    assert second.ports == first.ports == read_ports(tmp_path / "d")
    assert len({getattr(first.ports, name) for name in SERVERS}) == len(SERVERS)
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700
    second.close()


def test_a_second_sandbox_is_told_who_holds_it(tmp_path: Path) -> None:
    """The lock is between processes, and its refusal names the holder."""
    held = DataDir(tmp_path)
    program = (
        f"from pathlib import Path; from iambridge.sandbox.data_dir import DataDir; DataDir(Path({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    import os

    assert f"another iambridge (process {os.getpid()}) runs on {tmp_path}" in done.stderr
    held.close()


def test_a_taken_port_is_not_replaced(tmp_path: Path) -> None:
    """The issuer's port is an identity: if it is taken, the sandbox refuses and says which server had it."""
    first = DataDir(tmp_path)
    port = first.ports.issuer
    first.close()
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with pytest.raises(InputError, match=f"port {port} .* issuer server has that port for good"):
            DataDir(tmp_path)


@pytest.mark.parametrize("record", ["{", '{"format": 2}', '{"format": 1, "ports": {}}', "[]"])
def test_a_broken_record_is_named(tmp_path: Path, record: str) -> None:
    """An unreadable sandbox.json is refused with its path, never overwritten."""
    (tmp_path / "sandbox.json").write_text(record)
    with pytest.raises(InputError, match="sandbox record is not readable") as caught:
        DataDir(tmp_path)
    assert caught.value.where == str(tmp_path / "sandbox.json")
    assert (tmp_path / "sandbox.json").read_text() == record


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    """A data directory that can't be made is refused with the path and the fix."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to the data directory") as caught:
        DataDir(tmp_path / "file/below")
    assert "--data-dir" in caught.value.fix


def test_the_default_needs_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Explicit, then XDG, then HOME; with none of them the fix is named."""
    for name in ("IAMBRIDGE_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "")
    with pytest.raises(InputError, match="HOME is not set"):
        default_data_dir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / ".local/share/iambridge"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "x"))
    assert default_data_dir() == tmp_path / "x/iambridge"


def test_ports_of_a_sandbox_that_never_ran(tmp_path: Path) -> None:
    """Reading ports without a sandbox says to run `up`."""
    with pytest.raises(InputError, match="no sandbox has been started") as caught:
        read_ports(tmp_path)
    assert "iambridge up" in caught.value.fix
    assert not json.dumps(caught.value.message).count("Traceback")
