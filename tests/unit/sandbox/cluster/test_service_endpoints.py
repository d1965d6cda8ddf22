import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from iambridge.sandbox.cluster.admission.call import ServiceUnresolved
from iambridge.sandbox.cluster.service_endpoints import ServiceEndpoints, endpoints
from iambridge.sandbox.cluster.store import Key, Store

READY = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}


def pod(name: str, address: str, *, ready: bool = True, **metadata: Any) -> dict[str, Any]:
    ports = [{"name": "https", "containerPort": 8443, "protocol": "TCP"}]
    status = {**(READY if ready else {"phase": "Running"}), "podIP": address}
    return {
        "metadata": {"name": name, "namespace": "n", "labels": {"app": "hook", "extra": "x"}, **metadata},
        "spec": {"containers": [{"name": "c", "ports": ports}]},
        "status": status,
    }


def found(pods: list[dict[str, Any]], port: Mapping[str, Any] | None = None, **spec: Any) -> list[tuple[str, int]]:
    whole = {"selector": {"app": "hook"}, **spec}
    return list(endpoints(whole, port or {"port": 443, "targetPort": "https", "protocol": "TCP"}, pods))


def test_only_ready_pods_of_the_selector_count() -> None:
    """Not ready, being deleted, ended, without an address, of other labels: none of them is an endpoint."""
    pods = [
        pod("good", "127.64.0.1"),
        pod("unready", "127.64.0.2", ready=False),
        pod("leaving", "127.64.0.3", deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("other", "127.64.0.4", labels={"app": "other"}),
        pod("waiting", ""),
    ]
    pods.append({**pod("ended", "127.64.0.6"), "status": {**READY, "phase": "Succeeded", "podIP": "127.64.0.6"}})
    assert found(pods) == [("127.64.0.1", 8443)]
    assert found(pods, publishNotReadyAddresses=True) == [
        ("127.64.0.1", 8443), ("127.64.0.2", 8443), ("127.64.0.3", 8443)
    ]  # fmt: skip
    assert found(pods, selector=None) == []
    assert found(pods, selector={}) == []


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"port": 443, "targetPort": "https", "protocol": "TCP"}, [("127.64.0.1", 8443)]),
        ({"port": 443, "targetPort": 9000, "protocol": "TCP"}, [("127.64.0.1", 9000)]),
        ({"port": 443, "protocol": "TCP"}, [("127.64.0.1", 443)]),
        ({"port": 443, "targetPort": "https", "protocol": "UDP"}, []),
        ({"port": 443, "targetPort": "nothing", "protocol": "TCP"}, []),
    ],
)
def test_a_target_port_is_a_number_or_a_container_s_name(
    port: Mapping[str, Any], expected: list[tuple[str, int]]
) -> None:
    """A named port is the one of that name and protocol; a pod that has none is no endpoint."""
    assert found([pod("one", "127.64.0.1")], port) == expected


def test_a_sidecar_may_own_the_port() -> None:
    """Ports of sidecars count, those of other init containers do not."""
    ports = {"ports": [{"name": "proxy", "containerPort": 1}]}
    one = pod("one", "127.64.0.1")
    one["spec"]["initContainers"] = [{"name": "p", "restartPolicy": "Always", **ports}, {"name": "i", **ports}]
    port = {"port": 443, "targetPort": "proxy", "protocol": "TCP"}
    assert found([one], port) == [("127.64.0.1", 1)]
    del one["spec"]["initContainers"][0]
    assert found([one], port) == []


def test_look_ups_follow_the_store(tmp_path: Path) -> None:
    """Services and pods that come, change and go count from the next look-up on; several pods take turns."""

    async def write(store: Store, key: Key, version: int, kind: str, obj: dict[str, Any]) -> int:
        return (await store.write(key, version, kind, lambda _: json.dumps(obj).encode())).version

    async def story() -> None:
        store = Store(tmp_path)
        look_up = ServiceEndpoints(store).resolve
        with pytest.raises(ServiceUnresolved, match=r'^service "hook" not found$'):
            look_up("n", "hook", 443)
        ports = [{"port": 443, "targetPort": "https", "protocol": "TCP"}]
        service = {"metadata": {"name": "hook"}, "spec": {"selector": {"app": "hook"}, "ports": ports}}
        await write(store, Key("services", "n", "hook"), 0, "ADDED", service)
        with pytest.raises(ServiceUnresolved, match=r'^no service port 80 found for service "hook"$'):
            look_up("n", "hook", 80)
        with pytest.raises(ServiceUnresolved, match=r'^no endpoints available for service "hook"$'):
            look_up("n", "hook", 443)
        one, two = Key("pods", "n", "one"), Key("pods", "n", "two")
        first = await write(store, one, 0, "ADDED", pod("one", "127.64.0.1", ready=False))
        await write(store, two, 0, "ADDED", pod("two", "127.64.0.2"))
        assert look_up("n", "hook", 443) == [("127.64.0.2", 8443)]
        first = await write(store, one, first, "MODIFIED", pod("one", "127.64.0.1"))
        turns = [look_up("n", "hook", 443)[0][0] for _ in range(4)]
        assert sorted(turns) == ["127.64.0.1"] * 2 + ["127.64.0.2"] * 2
        assert len(look_up("n", "hook", 443)) == 2
        await write(store, one, first, "DELETED", pod("one", "127.64.0.1"))
        assert look_up("n", "hook", 443) == [("127.64.0.2", 8443)]
        await store.close()

    asyncio.run(story())
