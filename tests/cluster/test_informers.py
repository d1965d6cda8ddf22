"""The informers that operators are made of, in JavaScript and in Go, and client-go's typed client in protobuf."""

import asyncio
import base64
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes
import pytest

from iambridge.sandbox.cluster.store import Key, Store

from .api_client import ApiClient
from .conftest import EmbeddedServer
from .peers import Line, Peer, environment, go_peer, node_informer

pytestmark = pytest.mark.filterwarnings("ignore")  # the Python client's own deprecations

_SECONDS = 180
_GONE = "1"  # a resourceVersion that a cluster of some age has no longer


def _core(kubeconfig: Path) -> Any:
    return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig)))


@contextmanager
def _new_namespace(api: Any) -> Iterator[str]:
    name = f"peers-{uuid.uuid4().hex[:8]}"
    api.create_namespace({"metadata": {"name": name}})
    yield name
    api.delete_namespace(name)


@pytest.fixture
def api(kubeconfig: Path) -> Any:
    return _core(kubeconfig)


@pytest.fixture
def namespace(api: Any) -> Iterator[str]:
    with _new_namespace(api) as name:
        yield name


def _saw(event: str, **fields: object) -> Callable[[Line], bool]:
    return lambda line: line["event"] == event and all(line.get(name) == value for name, value in fields.items())


def _watches(line: Line) -> bool:
    return line["event"] == "watch" or (line["event"] == "request" and "watch=true" in line["query"])


def _follow(peer: Peer, api: Any, namespace: str) -> None:
    """Add, update and delete are each seen once, though the watch that saw the one has ended before the next."""
    api.create_namespaced_config_map(namespace, {"metadata": {"name": "late"}, "data": {"a": "1"}})
    peer.until(_saw("add", name="late", data={"a": "1"}))
    peer.until(_watches)
    api.patch_namespaced_config_map("late", namespace, {"data": {"a": "2"}})
    peer.until(_saw("update", name="late", data={"a": "2"}))
    peer.until(_watches)
    api.delete_namespaced_config_map("late", namespace)
    peer.until(_saw("delete", name="late"))
    peer.until(_watches)
    seen = [line["event"] for line in peer.lines if line.get("name") == "late"]
    assert seen == ["add", "update", "delete"]


def test_client_node_follows_over_closed_watches(
    peer_cache: Path, kubeconfig: Path, api: Any, namespace: str, tmp_path: Path
) -> None:
    """It lists once, and each watch goes on where the last one ended."""
    program = node_informer(peer_cache)
    api.create_namespaced_config_map(namespace, {"metadata": {"name": "early"}, "data": {"a": "1"}})
    with Peer([*program, str(kubeconfig), namespace], tmp_path) as peer:
        peer.until(_saw("add", name="early", data={"a": "1"}))
        _follow(peer, api, namespace)
        assert len([line for line in peer.lines if line["event"] == "list"]) == 1


async def _age(directory: Path) -> None:
    """Leave in `directory` the store of a cluster whose first changes have been forgotten."""
    store = Store(directory, most_events=1)
    keys = [Key("configmaps", "default", f"past-{number}") for number in range(600)]  # it forgets by the thousand

    async def come_and_go(key: Key) -> None:
        added = await store.write(key, 0, "ADDED", lambda _: b'{"metadata": {}}')
        await store.write(key, added.version, "DELETED", lambda _: b'{"metadata": {}}')

    await asyncio.gather(*map(come_and_go, keys))
    await store.close()


@pytest.fixture
def old_kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The given cluster's, which is taken to be old, else that of an embedded one that has forgotten its beginning."""
    if os.environ.get("IAMBRIDGE_TEST_KUBECONFIG"):
        yield request.getfixturevalue("kubeconfig")
        return
    directory = tmp_path / "embedded"
    (directory / "cluster").mkdir(parents=True)
    asyncio.run(_age(directory / "cluster"))
    server = EmbeddedServer(directory)
    yield server.kubeconfig
    server.stop()


def test_client_node_lists_again_after_it_was_away_too_long(
    peer_cache: Path, old_kubeconfig: Path, tmp_path: Path
) -> None:
    """A watch from a version that is gone is a 410, upon which it lists again and goes on from there."""
    program = node_informer(peer_cache)
    path = f"/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=2&resourceVersion={_GONE}"
    status, events = ApiClient(old_kubeconfig).watch(path, 1)
    if not any(isinstance(event, dict) and 410 in (status, event.get("object", {}).get("code")) for event in events):
        assert os.environ.get("IAMBRIDGE_TEST_KUBECONFIG"), events
        pytest.skip(f"the given cluster is so young that it still has version {_GONE}")
    api = _core(old_kubeconfig)
    with _new_namespace(api) as namespace:
        api.create_namespaced_config_map(namespace, {"metadata": {"name": "early"}, "data": {"a": "1"}})
        with Peer([*program, str(old_kubeconfig), namespace, _GONE], tmp_path) as peer:
            peer.until(_saw("list"))
            assert "early" in peer.until(_saw("list"))["names"]
            _follow(peer, api, namespace)
            assert [line["event"] for line in peer.lines if line.get("name") == "early"] == ["add"]


def test_client_go_syncs_by_watch_list_and_follows(
    peer_cache: Path, kubeconfig: Path, api: Any, namespace: str, tmp_path: Path
) -> None:
    """The initial events of one watch are its list, as this version asks for by default; no list is ever needed."""
    program = go_peer(peer_cache)
    api.create_namespaced_config_map(namespace, {"metadata": {"name": "early"}, "data": {"a": "1"}})
    with Peer([*program, "informer", str(kubeconfig), namespace], tmp_path) as peer:
        peer.until(_saw("add", name="early", data={"a": "1"}))
        peer.until(_saw("synced"))
        _follow(peer, api, namespace)
        asked = [line["query"] for line in peer.lines if line["event"] == "request"]
        assert "sendInitialEvents=true" in asked[0]
        assert all("watch=true" in query for query in asked)
        assert not any("sendInitialEvents" in query for query in asked[1:])


def _all_said(program: list[str], work: str, kubeconfig: Path, namespace: str, home: Path) -> list[Line]:
    done = subprocess.run(
        [*program, work, str(kubeconfig), namespace],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        env=environment(home),
    )
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_client_go_writes_in_protobuf(
    peer_cache: Path, kubeconfig: Path, api: Any, namespace: str, tmp_path: Path
) -> None:
    """A token, a Deployment and a Lease go out in protobuf and come back whole; a stale Lease is a conflict."""
    program = go_peer(peer_cache)
    _wait_for_the_default_account(api, namespace)
    said = _all_said(program, "writes", kubeconfig, namespace, tmp_path)
    bodies = {line["type"] for line in said if line["event"] == "request" and line["method"] in ("POST", "PUT")}
    assert bodies == {"application/vnd.kubernetes.protobuf"}
    told = {line["event"]: line for line in said}
    payload = told["token"]["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:default"
    assert claims["exp"] - claims["iat"] == told["token"]["seconds"] == 900
    assert 0 < told["token"]["left"] <= 900
    stored = kubernetes.client.AppsV1Api(api.api_client).read_namespaced_deployment("peer", namespace)
    assert told["deployment"] == {
        "event": "deployment",
        "uid": stored.metadata.uid,
        "generation": 1,
        "strategy": "RollingUpdate",
        "image": "example.com/peer:1",
    }
    assert told["lease"] == {"event": "lease", "holder": "two", "kept": True}
    assert "the object has been modified" in told["stale"]["error"]


def _wait_for_the_default_account(api: Any, namespace: str) -> None:
    stream = kubernetes.watch.Watch().stream(api.list_namespaced_service_account, namespace, timeout_seconds=60)
    assert any(event["object"].metadata.name == "default" for event in stream)


def test_client_go_elects_one_leader(peer_cache: Path, kubeconfig: Path, namespace: str, tmp_path: Path) -> None:
    """Of two candidates one leads and renews its Lease; when it gives way the other one does."""
    said = _all_said(go_peer(peer_cache), "election", kubeconfig, namespace, tmp_path)
    leads = [line for line in said if line["event"] == "leads"]
    assert [line["leaders"] for line in leads] == [1, 1]
    first, second = (line["name"] for line in leads)
    assert {first, second} == {"one", "two"}
    assert {"event": "sees", "name": second, "leader": first} in said
    handed = next(line for line in said if line["event"] == "handed over")
    assert (handed["first"], handed["second"], handed["holder"]) == (first, second, second)
    assert handed["transitions"] >= 1
