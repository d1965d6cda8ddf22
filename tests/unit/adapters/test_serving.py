"""Serving on real sockets: bounded bodies, streams that end, drain, and a clear word about a taken port."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.ports import free_port
from yarl import URL

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.errors import InputError
from iambridge.wire.http import App, Request, Response

NOW = dt.datetime.now(dt.UTC)


async def _serve(app: App, directory: Path, max_body: int = 4096) -> tuple[RunningServer, str, ssl.SSLContext]:
    authority = CertificateAuthority(directory, name="test", now=NOW)
    leaf = authority.leaf("server", hosts=("127.0.0.1",))
    port = free_port()
    server = RunningServer(app, Listener("127.0.0.1", port, leaf.certificate, leaf.key, max_body))
    await server.start()
    return server, f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=str(authority.certificate_file))


async def _echo(request: Request) -> Response:
    return Response(200, (("x-path", request.path), ("x-query", request.query)), request.body)


def test_a_request_arrives_as_a_value(tmp_path: Path) -> None:
    """Path decoded once, query raw, repeated headers kept, body whole, over verified TLS."""

    async def main() -> None:
        seen: list[Request] = []

        async def app(request: Request) -> Response:
            seen.append(request)
            return await _echo(request)

        server, url, context = await _serve(app, tmp_path)
        async with aiohttp.ClientSession() as session:
            address = url + "/a%20b?x=%2F"
            headers = [("a", "1"), ("a", "2")]
            async with session.post(URL(address, encoded=True), data=b"body", headers=headers, ssl=context) as answer:
                assert (answer.status, await answer.read()) == (200, b"body")
        assert (seen[0].path, seen[0].query, seen[0].headers.get_all("A")) == ("/a b", "x=%2F", ["1", "2"])
        assert seen[0].headers.get("host") == url.removeprefix("https://")
        await server.stop()

    asyncio.run(main())


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(tmp_path: Path, *, chunked: bool) -> None:
    """413 for a longer body, whether its length is declared or found out; the app never sees it."""

    async def main() -> None:
        async def app(_request: Request) -> Response:
            raise AssertionError

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 100

        server, url, context = await _serve(app, tmp_path, max_body=1000)
        async with aiohttp.ClientSession() as session:
            body: object = parts() if chunked else b"x" * 1001
            async with session.post(url, data=body, ssl=context) as answer:
                assert answer.status == 413
        await server.stop()

    asyncio.run(main())


def test_an_unforeseen_error_tells_the_caller_nothing(tmp_path: Path) -> None:
    """A bug is a plain 500; its words stay in the log."""

    async def main() -> None:
        async def app(_request: Request) -> Response:
            raise RuntimeError("a secret detail")

        server, url, context = await _serve(app, tmp_path)
        async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
            assert (answer.status, await answer.read()) == (500, b"internal error\n")
        await server.stop()

    asyncio.run(main())


def test_a_stream_is_closed_when_its_client_goes(tmp_path: Path) -> None:
    """The generator behind a stream is closed when the client leaves, and when the server stops."""

    async def main() -> None:
        closed: asyncio.Queue[str] = asyncio.Queue()

        async def endless(name: str) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"tick\n"
                    await asyncio.sleep(0.02)
            finally:
                closed.put_nowait(name)

        async def app(request: Request) -> Response:
            return Response(200, (), endless(request.path))

        server, url, context = await _serve(app, tmp_path)
        async with aiohttp.ClientSession() as session:
            async with session.get(url + "/gone", ssl=context) as answer:
                assert await answer.content.readline() == b"tick\n"
            assert await asyncio.wait_for(closed.get(), 60) == "/gone"
            async with session.get(url + "/stopped", ssl=context) as answer:
                await answer.content.readline()
                await server.stop()
                assert await asyncio.wait_for(closed.get(), 60) == "/stopped"

    asyncio.run(main())


def test_stopping_waits_for_requests(tmp_path: Path) -> None:
    """A request that is being answered when the server stops is answered."""

    async def main() -> None:
        started = asyncio.Event()

        async def app(request: Request) -> Response:
            started.set()
            await asyncio.sleep(0.2)
            return await _echo(request)

        server, url, context = await _serve(app, tmp_path)
        async with aiohttp.ClientSession() as session:
            request = asyncio.ensure_future(session.post(url, data=b"last", ssl=context))
            await started.wait()
            await server.stop()
            answer = await request
            assert await answer.read() == b"last"

    asyncio.run(main())


def test_a_taken_port_names_its_owner() -> None:
    """A port in use is an InputError that says by which process."""
    import os

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        server = RunningServer(_echo, Listener("127.0.0.1", port))
        with pytest.raises(InputError, match=f"port {port} on 127.0.0.1 is in use by process {os.getpid()}"):
            asyncio.run(server.start())


def test_a_reload_under_load_loses_nothing(tmp_path: Path) -> None:
    """Kept connections and new ones, over several reloads: each request is answered, and the old generations end."""

    async def main() -> None:
        server, url, context = await _serve(_echo, tmp_path)
        done, enough, counts = asyncio.Event(), asyncio.Event(), [0, 0]

        async def ask(which: int) -> None:
            connector = aiohttp.TCPConnector(ssl=context, force_close=which == 1)
            async with aiohttp.ClientSession(connector=connector) as session:
                while not done.is_set():
                    async with session.post(url, data=b"x" * 2000) as answer:
                        assert len(await answer.read()) == 2000
                    counts[which] += 1
                    if min(counts) > 20:
                        enough.set()
                    await asyncio.sleep(0.002)

        asking = [asyncio.create_task(ask(which)) for which in (0, 0, 0, 0, 1, 1, 1)]
        for _ in range(4):
            await server.reload()
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in asking)
        waiting = asyncio.create_task(enough.wait())
        await asyncio.wait([waiting, *asking], timeout=60, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        done.set()
        await asyncio.gather(*asking)
        assert min(counts) > 20
        await server.stop()

    asyncio.run(main())


def test_a_drain_sends_clients_elsewhere_then_refuses(tmp_path: Path) -> None:
    """While it drains it answers, new connections too, each with `connection: close`; then the port is closed."""

    async def main() -> None:
        server, url, context = await _serve(_echo, tmp_path)
        async with aiohttp.ClientSession() as session:
            async with session.post(url, data=b"1", ssl=context) as answer:
                assert "connection" not in answer.headers
            draining = asyncio.create_task(server.drain(2.0))
            await asyncio.sleep(0.1)
            for _ in range(2):
                async with session.post(url, data=b"2", ssl=context) as answer:
                    assert (answer.status, answer.headers["connection"]) == (200, "close")
            await draining
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.post(url, data=b"3", ssl=context)
        await server.stop()

    asyncio.run(main())


def test_a_wrong_certificate_at_reload_keeps_the_old_one(tmp_path: Path) -> None:
    """The new generation must stand before the old one goes."""

    async def main() -> None:
        server, url, context = await _serve(_echo, tmp_path)
        (tmp_path / "server.crt").write_text("garbage")
        with pytest.raises(ssl.SSLError):
            await server.reload()
        async with aiohttp.ClientSession() as session, session.post(url, data=b"1", ssl=context) as answer:
            assert answer.status == 200
        await server.stop()

    asyncio.run(main())


def test_two_hundred_open_connections_keep_nobody_out(tmp_path: Path) -> None:
    """Clients that hold their connections open, as API servers do, leave room for the next."""

    async def main() -> None:
        server, url, context = await _serve(_echo, tmp_path)
        port = int(url.rpartition(":")[2].partition("/")[0])
        idle = [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(200)]
        async with aiohttp.ClientSession() as session, session.post(url, data=b"1", ssl=context) as answer:
            assert answer.status == 200
        for _, writer in idle:
            writer.transport.abort()
        await server.stop()

    asyncio.run(main())


def test_a_slow_body_is_ended(tmp_path: Path) -> None:
    """408 and a closed connection, whether its length is declared or not; a body in time is answered."""

    async def main() -> None:
        authority = CertificateAuthority(tmp_path, name="test", now=NOW)
        leaf = authority.leaf("server", hosts=("127.0.0.1",))
        port = free_port()
        listener = Listener("127.0.0.1", port, leaf.certificate, leaf.key, body_timeout=0.4)
        server = RunningServer(_echo, listener)
        await server.start()
        context = ssl.create_default_context(cafile=str(authority.certificate_file))
        for framing in ("Content-Length: 100", "Transfer-Encoding: chunked"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(f"POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n3\r\nabc\r\n".encode())
            said = await asyncio.wait_for(reader.read(), 60)
            assert said.startswith(b"HTTP/1.1 408 ")
            writer.close()
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"https://127.0.0.1:{port}", data=b"1", ssl=context) as answer,
        ):
            assert (answer.status, await answer.read()) == (200, b"1")
        await server.stop()

    asyncio.run(main())
