"""The store survives its process: nothing that was acknowledged is lost, and watches go on.

`IAMBRIDGE_CRASH_ROUNDS` says how often the server is killed; 3 by default.
"""

import contextlib
import http.client
import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .api_client import ApiClient
from .conftest import EmbeddedServer

pytestmark = pytest.mark.embedded_only(reason="kills the server that it talks to")

ROUNDS = int(os.environ.get("IAMBRIDGE_CRASH_ROUNDS", "3"))
MAPS = "/api/v1/namespaces/default/configmaps"


def _write(client: ApiClient, prefix: str, acknowledged: list[tuple[str, int]]) -> None:
    for number in range(100_000):
        name = f"{prefix}-{number}"
        try:
            status, _, created = client.ask("POST", MAPS, {"metadata": {"name": name}, "data": {"n": str(number)}})
        except (OSError, ValueError, http.client.HTTPException):  # the server is gone: that is the test
            return
        if status != 201:
            return
        acknowledged.append((name, int(created["metadata"]["resourceVersion"])))


@dataclass
class Watcher:
    """Follows the ConfigMaps from `version` on, as an informer does, until the server is gone."""

    version: str
    seen: dict[str, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    expired: int = 0

    def follow(self, client: ApiClient) -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            connection, response = client.open("GET", f"{MAPS}?watch=1&resourceVersion={self.version}")
            with contextlib.closing(connection):
                while line := response.readline():
                    if not self._take(json.loads(line), client):
                        break

    def _take(self, event: dict, client: ApiClient) -> bool:  # type: ignore[type-arg]  # a watch event
        if event["type"] == "ERROR":
            assert event["object"]["code"] == 410, event
            self.expired += 1
            listed = client.ask("GET", MAPS)[2]
            self.seen = {item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in listed["items"]}
            self.version = listed["metadata"]["resourceVersion"]
            return False
        metadata = event["object"]["metadata"]
        self.version = metadata["resourceVersion"]
        self.seen[metadata["name"]] = int(self.version)
        self.order.append(int(self.version))
        return True

    def catch_up(self, client: ApiClient, wanted: dict[str, int]) -> None:
        """Follow until everything `wanted` was seen, or for 30 s."""
        deadline = time.monotonic() + 30
        while wanted.items() - self.seen.items() and time.monotonic() < deadline:
            connection, response = client.open("GET", f"{MAPS}?watch=1&resourceVersion={self.version}&timeoutSeconds=1")
            while line := response.readline():
                if not self._take(json.loads(line), client):
                    break
            connection.close()


def _left_behind(directory: Path) -> list[int]:
    """Processes that still name the directory on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(directory).encode() in words:
            found.append(int(entry.name))
    return found


def test_a_killed_server_loses_no_acknowledged_write(tmp_path: Path) -> None:
    """kill -9 during eight writers, again and again: every acknowledged object is there, versions only grow, and a watch
    goes on where it was."""
    highest, known = 0, dict[str, int]()
    watcher = Watcher("0")
    directory = tmp_path / "server"
    directory.mkdir()
    for number in range(ROUNDS):
        server = EmbeddedServer(directory)
        client = ApiClient(server.kubeconfig)
        if not number:
            watcher.version = client.ask("GET", MAPS)[2]["metadata"]["resourceVersion"]
        acknowledged: list[list[tuple[str, int]]] = [[] for _ in range(8)]
        threads = [
            threading.Thread(target=_write, args=(ApiClient(server.kubeconfig), f"r{number}-w{writer}", writes))
            for writer, writes in enumerate(acknowledged)
        ]
        threads.append(threading.Thread(target=watcher.follow, args=(client,)))
        for thread in threads:
            thread.start()
        while sum(map(len, acknowledged)) < 60:
            time.sleep(0.01)
        server.kill()
        for thread in threads:
            thread.join()
        assert _left_behind(directory) == []
        for writes in acknowledged:
            versions = [highest, *(version for _, version in writes)]
            assert versions == sorted(set(versions))
        known |= {name: version for writes in acknowledged for name, version in writes}
        highest = max(known.values())
    server = EmbeddedServer(directory)
    client = ApiClient(server.kubeconfig)
    listed = client.ask("GET", MAPS)[2]
    found = {item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in listed["items"]}
    watcher.catch_up(client, known)
    server.stop()
    print(f"{ROUNDS} rounds, {len(known)} acknowledged writes, {len(found)} objects, {watcher.expired} watches expired")
    assert {name: found.get(name) for name in known} == known
    assert {name: watcher.seen.get(name) for name in known} == known
    assert watcher.order == sorted(set(watcher.order))
    assert int(listed["metadata"]["resourceVersion"]) >= highest


def test_a_second_server_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    """The lock names the process that holds the directory."""
    server = EmbeddedServer(tmp_path)
    try:
        with pytest.raises(RuntimeError, match=f"process {server.process.pid}"):
            EmbeddedServer(tmp_path)
    finally:
        server.stop()
    assert json.loads((tmp_path / "ports").read_text())
