"""The store survives its process: nothing that was acknowledged is lost."""

import json
import threading
import time
from pathlib import Path

import pytest

from .conftest import EmbeddedServer

pytestmark = pytest.mark.embedded_only


def _write(kubeconfig: Path, writer: int, acknowledged: list[tuple[str, int]]) -> None:
    import kubernetes

    api = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig)))
    for number in range(100_000):
        name = f"w{writer}-{number}"
        body = {"metadata": {"name": name}, "data": {"number": str(number)}}
        try:
            created = api.create_namespaced_config_map("default", body, _request_timeout=10)
        except Exception:  # noqa: BLE001 - the server is gone: that is the test
            return
        acknowledged.append((name, int(created.metadata.resource_version)))


@pytest.mark.filterwarnings("ignore")
def test_a_killed_server_loses_no_acknowledged_write(tmp_path: Path) -> None:
    """kill -9 during eight writers, thrice: every acknowledged object is there, and versions only grow."""
    import kubernetes

    highest = 0
    known: dict[str, int] = {}
    for _ in range(3):
        server = EmbeddedServer(tmp_path)
        acknowledged: list[tuple[str, int]] = []
        round_start = len(known)
        writers = [
            threading.Thread(target=_write, args=(server.kubeconfig, 100 * round_start + number, acknowledged))
            for number in range(8)
        ]
        for writer in writers:
            writer.start()
        while len(acknowledged) < 60:
            time.sleep(0.01)
        server.kill()
        for writer in writers:
            writer.join()
        assert min(version for _, version in acknowledged) > highest
        highest = max(version for _, version in acknowledged)
        known |= dict(acknowledged)
    server = EmbeddedServer(tmp_path)
    api = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(server.kubeconfig)))
    listed = api.list_namespaced_config_map("default")
    found = {item.metadata.name: int(item.metadata.resource_version) for item in listed.items}
    server.stop()
    assert {name: found.get(name) for name in known} == known
    assert int(listed.metadata.resource_version) >= highest


def test_a_second_server_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    """The lock names the process that holds the directory."""
    server = EmbeddedServer(tmp_path)
    try:
        with pytest.raises(RuntimeError, match=f"process {server.process.pid}"):
            EmbeddedServer(tmp_path)
    finally:
        server.stop()
    assert json.loads((tmp_path / "ports").read_text())
