"""Answers of hosts that mean well and of hosts that do not, over real TLS."""

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.ports import free_port

from iambridge.adapters.bounded_get import NobodyAnswers, UnusableAnswer, bounded_get
from iambridge.adapters.certificates import CertificateAuthority

OK = b"HTTP/1.1 200 OK\r\n"
MOST = 1024


@contextlib.asynccontextmanager
async def answering(
    directory: Path, answer: bytes, *, again: bytes = b"", asked: list[bytes] | None = None
) -> AsyncIterator[tuple[str, ssl.SSLContext, list[int]]]:
    """A host that answers with these bytes, then with `again` for ever or until it is left; what it sent is counted."""
    authority = CertificateAuthority(directory / "pki", name="test", now=dt.datetime.now(dt.UTC))
    leaf = authority.leaf("host", hosts=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    sent: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            if asked is not None:
                asked.append(request)
            part = answer
            while part and not writer.is_closing():
                writer.write(part)
                await writer.drain()
                sent.append(len(part))
                part = again
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        trust = ssl.create_default_context(cadata=authority.pem.decode())
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", trust, sent


def body(directory: Path, answer: bytes, *, again: bytes = b"") -> bytes:
    async def play() -> bytes:
        async with answering(directory, answer, again=again) as (url, trust, _):
            return await bounded_get(f"{url}/jwks?a=b", ["127.0.0.1"], trust, most=MOST)

    return asyncio.run(play())


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"content-length: 2\r\n\r\n{}",
        OK + b"Content-Length:2\r\nx: y\r\nx: z\r\n\r\n{}more",
        OK + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n01;a=b\r\n}\r\n0\r\nx: y\r\n\r\n",
        OK + b"content-encoding: identity\r\n\r\n{}",
        b"HTTP/1.0 200\r\n\r\n{}",
    ],
    ids=range(5),
)
def test_the_framings_of_http_are_read(tmp_path: Path, answer: bytes) -> None:
    """By length, by chunks with extensions and trailers, and until the end of the connection."""
    assert body(tmp_path, answer) == b"{}"


def test_the_request_says_what_is_wanted(tmp_path: Path) -> None:
    """Path and query, the host with its port, JSON, no packing, and the connection is for this answer alone."""
    asked: list[bytes] = []

    async def play() -> str:
        async with answering(tmp_path, OK + b"content-length: 0\r\n\r\n", asked=asked) as (url, trust, _):
            assert await bounded_get(f"{url}/a/jwks?x=%20", ["127.0.0.1"], trust, most=MOST) == b""
            assert await bounded_get(url, ["127.0.0.1"], trust, most=MOST) == b""
            return url.removeprefix("https://")

    host = asyncio.run(play())
    first, second = (request.decode().split("\r\n") for request in asked)
    assert (first[0], second[0]) == ("GET /a/jwks?x=%20 HTTP/1.1", "GET / HTTP/1.1")
    assert {f"host: {host}", "accept-encoding: identity", "connection: close"} < set(first)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "answered 103"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "answered 101"),
        (b"HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/\r\n\r\n", "answered 302"),
        (b"SSH-2.0-host\r\n\r\n", "what is not HTTP/1.1"),
        (b"HTTP/2 200\r\n\r\n", "what is not HTTP/1.1"),
        (OK + b"a b: c\r\n\r\n", "a header that is none"),
        (OK + b"a: b\r\n c\r\n\r\n", "a header that is none"),
        (OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}", "two headers `content-length`"),
        (OK + b"content-length: -2\r\n\r\n{}", "a content-length that is none"),
        (OK + b"content-length: 0x2\r\n\r\n{}", "a content-length that is none"),
        (OK + b"content-length: 1025\r\n\r\n", "larger than 1 KiB"),
        (OK + b"content-length: 3\r\n\r\n{}", "broke off its answer"),
        (OK + b"\r\n" + b" " * 1025, "larger than 1 KiB"),
        (OK + b"content-encoding: gzip\r\n\r\n", "the content coding `gzip`"),
        (OK + b"transfer-encoding: gzip, chunked\r\n\r\n", "a transfer coding"),
        (OK + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n{}", "a length beside it"),
        (OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n", "a chunk that is none"),
        (OK + b"transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", "a chunk that is none"),
        (OK + b"transfer-encoding: chunked\r\n\r\n401\r\n", "larger than 1 KiB"),
        (OK + b"transfer-encoding: chunked\r\n\r\n1\r\n{", "broke off its answer"),
        (OK, "broke off its answer"),
        (b"", "broke off its answer"),
    ],
)
def test_what_is_no_answer_is_told(tmp_path: Path, answer: bytes, cause: str) -> None:
    """Redirects, interim answers, two meanings and halves are refused with what was wrong."""
    with pytest.raises(UnusableAnswer) as caught:
        body(tmp_path, answer)
    assert cause in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "again", "cause"),
    [
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000, "answered 103"),
        (OK + b"x: ", b"a" * 10_000, "too long"),
        (OK, b"x: y\r\n" * 1000, "too long"),
        (OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 1000, "larger than 1 KiB"),
        (OK + b"transfer-encoding: chunked\r\n\r\n1;", b"a" * 10_000, "too long"),
        (OK + b"\r\n", b" " * 10_000, "larger than 1 KiB"),
        (OK + b"content-length: 2\r\n\r\n{}", b" " * 10_000, ""),
    ],
    ids=["interim", "header", "headers", "chunks", "extension", "body", "after"],
)
def test_what_never_ends_is_left(tmp_path: Path, answer: bytes, again: bytes, cause: str) -> None:
    """Whichever part of an answer goes on for ever, little of it is taken and the host is left."""

    async def play() -> int:
        async with answering(tmp_path, answer, again=again) as (url, trust, sent):
            if cause:
                with pytest.raises(UnusableAnswer) as caught:
                    await bounded_get(url, ["127.0.0.1"], trust, most=MOST)
                assert cause in str(caught.value)
            else:
                assert await bounded_get(url, ["127.0.0.1"], trust, most=MOST) == b"{}"
            return sum(sent)

    # what the sockets and both sides' buffers hold; none of these hosts stops by itself
    assert asyncio.run(play()) < 16 * 1024 * 1024


def test_who_cannot_be_talked_to_is_told(tmp_path: Path) -> None:
    """A closed port, a host without TLS, and one that an earlier address does not reach."""
    trust = ssl.create_default_context()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def play() -> None:
        port = free_port()
        with pytest.raises(NobodyAnswers, match=f"nobody answers at 127.0.0.1:{port}: Connection refused"):
            await bounded_get(f"https://127.0.0.1:{port}", ["127.0.0.1"], trust, most=MOST)
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(NobodyAnswers, match=f"127.0.0.1:{port} speaks no TLS 1.2 or later: "):
                await bounded_get(f"https://127.0.0.1:{port}", ["127.0.0.1"], trust, most=MOST)
        async with answering(tmp_path, OK + b"\r\n{}") as (url, own, _):
            assert await bounded_get(url, ["127.0.0.2", "127.0.0.1"], own, most=MOST) == b"{}"
            with pytest.raises(ssl.SSLCertVerificationError):
                await bounded_get(url, ["127.0.0.1"], trust, most=MOST)

    asyncio.run(play())


def test_a_silent_address_does_not_use_up_the_time(tmp_path: Path) -> None:
    """Another address of the host is tried while there is time."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # the client's hello is never answered
        writer.close()

    async def play() -> None:
        async with answering(tmp_path, OK + b"\r\n{}") as (url, trust, _):
            port = int(url.rpartition(":")[2])
            async with await asyncio.start_server(silent, "127.0.0.2", port), asyncio.timeout(30):
                assert await bounded_get(url, ["127.0.0.2", "127.0.0.1"], trust, most=MOST) == b"{}"

    asyncio.run(play())
