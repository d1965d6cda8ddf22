import asyncio
import contextlib
from typing import Any

import pytest

from iambridge.sandbox.cluster.kubelet.readiness import Outcome, Verdict, attempt


@pytest.mark.parametrize(
    ("thresholds", "outcomes", "expected"),
    [
        ((1, 3), "+", "+"),
        ((1, 3), "+--+", "++++"),
        ((1, 3), "+---+", "+++-+"),
        ((2, 1), "++-+-++", "-+----+"),
    ],
)
def test_thresholds_count_a_row(thresholds: tuple[int, int], outcomes: str, expected: str) -> None:
    """Only so many equal outcomes in a row turn a container's readiness; before the first it is not ready."""
    verdict = Verdict(*thresholds)
    assert not verdict.ready
    assert "".join("+" if verdict.after(each == "+") else "-" for each in outcomes) == expected


async def answered(
    status: str, probe: dict[str, Any], *, seconds: float = 5.0, wait: bool = False
) -> tuple[Outcome, str]:
    """The outcome of a probe on a server that answers with `status`, and the request that it got."""
    asked, closed = b"", asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked = await reader.read(65536)
        if wait:
            await reader.read()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: http://127.0.0.9/\r\n\r\n".encode())
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        closed.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    container = {"name": "c", "ports": [{"name": "web", "containerPort": port}]}
    async with server:
        outcome = await attempt(container, probe, "127.0.0.1", timeout=seconds)
        if outcome.words.startswith("couldn't"):
            return outcome, ""
        await asyncio.wait_for(closed.wait(), 60)
    return outcome, asked.decode()


@pytest.mark.parametrize(
    ("status", "passed"), [("200 OK", True), ("302 Found", True), ("399 X", True), ("404 No", False), ("500 No", False)]
)
def test_a_status_from_200_to_399_passes(status: str, passed: bool) -> None:  # noqa: FBT001 - a parameter of the case
    """The body does not matter, and a redirect is not followed."""
    outcome, asked = asyncio.run(answered(status, {"httpGet": {"port": "web", "path": "/readyz?x=1"}}))
    assert outcome.passed is passed
    assert asked.startswith("GET /readyz?x=1 HTTP/1.1\r\n")
    assert "User-Agent: kube-probe/" in asked


def test_headers_of_the_probe_are_sent() -> None:
    """httpHeaders replace our own, Host included."""
    headers = [{"name": "Host", "value": "pods.example"}, {"name": "X-Probe", "value": "yes"}]
    outcome, asked = asyncio.run(answered("200 OK", {"httpGet": {"port": "web", "httpHeaders": headers}}))
    assert outcome.passed
    assert "Host: pods.example\r\n" in asked
    assert "X-Probe: yes\r\n" in asked


def test_no_answer_in_time_fails() -> None:
    """timeoutSeconds bounds the probe."""
    outcome, _ = asyncio.run(answered("200 OK", {"httpGet": {"port": "web"}}, seconds=0.05, wait=True))
    assert not outcome.passed
    assert "context deadline exceeded" in outcome.words


def test_a_port_that_is_not_named_fails() -> None:
    """A named port that the container does not have is told."""
    outcome, _ = asyncio.run(answered("200 OK", {"tcpSocket": {"port": "other"}}))
    assert outcome == Outcome(passed=False, words="couldn't find port: other in container c")
    assert asyncio.run(answered("200 OK", {"tcpSocket": {"port": "web"}}))[0].passed
