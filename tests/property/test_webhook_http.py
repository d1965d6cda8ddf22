"""Fuzz of the webhook's HTTP body on a real socket: every request is answered, in bounded time, and never with a 500."""

import asyncio
import http.client
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ports import free_port

from iambridge.adapters.decision_log import JsonLinesDecisionLog
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.pod_identity import Facts, Settings, identity_of_annotations
from iambridge.servers.pod_identity_webhook import PodIdentityWebhook

SETTINGS = Settings()
FACTS = Facts(identity_of_annotations({"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/app"}, SETTINGS))
_MAX_BODY = 64 * 1024


class Known:
    synced = True

    def known(self, namespace: str, name: str) -> Facts | None:
        return FACTS

    async def read(self, namespace: str, name: str) -> Facts:
        return FACTS


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The webhook on a socket of its own, in a thread of its own."""
    found, stop, loop = free_port(), asyncio.Event(), asyncio.new_event_loop()
    started = threading.Event()

    async def serve() -> None:
        webhook = PodIdentityWebhook(Known(), SETTINGS, JsonLinesDecisionLog(io.StringIO(), lambda: 0.0))
        server = RunningServer(webhook.app, Listener("127.0.0.1", found, max_body=_MAX_BODY))
        await server.start()
        started.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(60)
    yield found
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
    loop.close()


GOOD = json.dumps(
    {
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u", "namespace": "default", "operation": "CREATE", "kind": {"kind": "Pod"},
            "object": {
                "metadata": {"name": "p", "labels": {"a": "é"}},
                "spec": {
                    "serviceAccountName": "app", "nodeSelector": {}, "volumes": [{"name": "v", "emptyDir": {}}],
                    "containers": [{"name": "c", "env": [{"name": "A", "value": "1"}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                },
            },
        },
    },
    ensure_ascii=False,
).encode()  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A good review with some bytes replaced, cut, doubled or wrapped; or no review at all."""
    body = bytearray(GOOD)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(body)))
        piece = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from([b"null", b"[", b"{", b'"', b"1e999", b"\\ud800", b"\x00", b"-0"]),
            )
        )
        body[at : at + draw(st.integers(0, 6))] = piece
    return draw(
        st.sampled_from([bytes(body), bytes(body[: draw(st.integers(0, len(body)))]), bytes(body) * 2, b"[" * draw(st.integers(0, 60_000)), b""])
    )  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bodies(),
    st.sampled_from(["application/json", "application/json; charset=utf-8", "application/yaml", "", "application/json;" + "x" * 5000]),
    st.sampled_from(["POST", "GET", "PUT", "DELETE"]),
    st.booleans(),
)  # fmt: skip
def test_every_request_is_answered(port: int, body: bytes, content_type: str, method: str, chunked: Any) -> None:
    """200 with a review, 400, 405 or 415 in words; and the next request on the same connection is answered too."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        content: Any = iter([body[:10], body[10:]]) if chunked else body
        connection.request(method, "/mutate", content, {"Content-Type": content_type}, encode_chunked=bool(chunked))
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status in {200, 400, 405, 415}, said
        if answer.status == 200:
            assert json.loads(said)["kind"] == "AdmissionReview"
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok"
    finally:
        connection.close()


@pytest.mark.parametrize("size", [_MAX_BODY + 1, 3 * _MAX_BODY])
def test_a_body_over_the_bound_is_refused(port: int, size: int) -> None:
    """413, and not read whole."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/mutate", b" " * size, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 413
    finally:
        connection.close()
