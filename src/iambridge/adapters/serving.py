"""Serves a `wire.http.App` on a socket with granian (RSGI): TLS, bounded bodies, streams, drain.

All servers of a process share its event loop; each has its own socket and its own threads in granian's runtime.
"""

import asyncio
import contextlib
import logging
import os
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from granian._granian import SocketHolder
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server

from iambridge.adapters.listening import BACKLOG, free_port, listen, refuse_taken_port, take_away
from iambridge.wire.http import App, Headers, Request, Response

_log = logging.getLogger(__name__)

__all__ = ["Listener", "RunningServer", "free_port", "refuse_taken_port"]

_BACKLOG = (
    1024  # the server's own default is 128, and as many connections at all: a storm of logins would wait behind it
)
_DRAIN_SECONDS = 10
_TAKE_OVER_SECONDS = 0.25  # from a new generation's start until it surely accepts
_LINGER_SECONDS = 30.0  # how long an old one waits for clients that keep connections open without a word
_LAST_REQUESTS_SECONDS = 0.5  # for what had been accepted and not been asked when the listener closed
_STREAMS_CLOSE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Listener:
    """Where and how to listen. Without `certificate` and `key` (PEM files, PKCS#8) it is plain HTTP.

    `max_body` is in bytes: a longer body is answered 413 and never read whole. `header_timeout` and `body_timeout` are
    in seconds: a body that takes longer is answered 408. Past `connections` open ones the next waits unanswered until
    one is closed.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    max_body: int = 4 * 1024 * 1024
    header_timeout: float = 10.0
    connections: int = 4096
    body_timeout: float = 30.0
    minimum_tls: str = "1.2"


class _TooSlow(Exception):
    pass


class _Granian(Server):
    """granian on a listening socket that is ours: `descriptor` is a duplicate for it alone, and it closes it."""

    def __init__(self, target: Any, listener: Listener, descriptor: int) -> None:
        super().__init__(
            target,
            address=listener.host,
            port=listener.port,
            interface=Interfaces.RSGI,
            ssl_cert=listener.certificate,
            ssl_key=listener.key,
            ssl_protocol_min=SSLProtocols.tls13 if listener.minimum_tls == "1.3" else SSLProtocols.tls12,
            websockets=False,
            backlog=_BACKLOG,
            backpressure=listener.connections,
            log_enabled=False,
            http1_settings=HTTP1Settings(header_read_timeout=int(listener.header_timeout * 1000)),
        )
        self._descriptor = descriptor

    def _init_shared_socket(self) -> None:
        # granian's own would be a socket of its own behind SO_REUSEPORT, whose waiting connections die with it
        self._ssp = None
        self._shd = SocketHolder(self._descriptor, False, BACKLOG)  # type: ignore[assignment, call-arg]  # granian's stubs lag


class _Generation:
    """One granian with the certificate that was there when it started. `closing` sends its clients elsewhere."""

    def __init__(self, answer: Callable[[Any, Any, "_Generation"], Awaitable[None]], listener: Listener) -> None:
        self._answer = answer
        self._listener = listener
        self._descriptor = -1
        self._server: Any = None
        self._serving: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self.busy: set[asyncio.Task[Any]] = set()
        self.closing = False

    async def start(self, listening: socket.socket) -> None:
        """Raises what a wrong certificate or key raises."""
        self._descriptor = os.dup(listening.fileno())
        try:
            self._server = _Granian(self, self._listener, self._descriptor)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._serving = asyncio.create_task(self._server.serve(), name=f"serve:{self._listener.port}")
        started = asyncio.create_task(self._started.wait())
        await asyncio.wait({self._serving, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if self._serving.done():
            self._serving.result()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Granian calls this in the very step in which its worker reads the certificate and begins to accept."""
        del loop
        self._started.set()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.busy.add(task)
        try:
            await self._answer(scope, protocol, self)
        finally:
            self.busy.discard(task)

    def take_away_listener(self) -> None:
        if self._serving is not None and not self._serving.done():  # else the number may be another file's by now
            take_away(self._descriptor)

    async def stop(self) -> None:
        self.closing = True
        pending = set(self.busy)
        if pending:
            _, late = await asyncio.wait(pending, timeout=_DRAIN_SECONDS)
            for task in late:  # or granian would wait for them in turn
                task.cancel()
        self._server.stop()
        if self._serving is not None:
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._serving, _DRAIN_SECONDS)


class RunningServer:
    """A started server. `stop` refuses new connections, lets requests finish, and closes streams."""

    def __init__(self, app: App, listener: Listener) -> None:
        self._app = app
        self._listener = listener
        self._stopping = asyncio.Event()
        self._listening: socket.socket | None = None
        self._generation: _Generation | None = None
        self._changing = asyncio.Lock()
        self._draining: set[asyncio.Task[None]] = set()
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            InputError: the port is taken, or may not be bound.
        """
        async with self._changing:
            self._listening = listen(self._listener.host, self._listener.port)
            try:
                self._generation = await self._started(self._listening)
            except BaseException:
                self._listening.close()
                raise
        self._sweeping = asyncio.create_task(self._sweep(), name=f"sweep:{self._listener.port}")

    async def _sweep(self) -> None:
        """End what has been reading its body for too long: one look a second costs less than a timer a request."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, self._listener.body_timeout / 4))
            for task, since in tuple(self._reading.items()):
                if loop.time() - since > self._listener.body_timeout:
                    self._overdue.add(task)
                    task.cancel()

    async def _started(self, listening: socket.socket) -> _Generation:
        generation = _Generation(self._answer, self._listener)
        await generation.start(listening)
        return generation

    async def reload(self) -> None:
        """Serve with the certificate files as they are now, without a lost request.

        New connections go to a new generation on the same socket. The old one takes no more, tells its clients with
        each answer to close (RFC 9112 section 9.6), and ends when those that ask at all have gone.
        """
        async with self._changing:
            old, listening = self._generation, self._listening
            if old is None or listening is None or old.closing:  # not started, or about to end
                return
            self._generation = await self._started(listening)
            await asyncio.sleep(_TAKE_OVER_SECONDS)
            old.closing = True
            old.take_away_listener()
        draining = asyncio.create_task(_end(old), name=f"drain:{self._listener.port}")
        self._draining.add(draining)
        draining.add_done_callback(self._draining.discard)

    async def drain(self, seconds: float) -> None:
        """Send clients elsewhere with each answer for so long, then accept no more. `stop` comes after."""
        async with self._changing:
            if self._generation is None or self._listening is None:
                return
            self._generation.closing = True
        await asyncio.sleep(seconds)
        self._generation.take_away_listener()
        self._listening.close()
        await asyncio.sleep(min(seconds, _LAST_REQUESTS_SECONDS))

    async def stop(self) -> None:
        self._stopping.set()
        async with self._changing:
            if self._generation is not None:
                self._generation.closing = True
        if self._listening is not None:
            self._listening.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for draining in tuple(self._draining):
            draining.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        if self._generation is not None:
            await self._generation.stop()

    async def _answer(self, scope: Any, protocol: Any, generation: _Generation) -> None:
        try:
            body = await self._body(scope, protocol)
        except _TooSlow:
            protocol.response_str(
                408, [("content-type", "text/plain"), ("connection", "close")], "request body too slow\n"
            )
            return
        if body is None:
            protocol.response_str(
                413, [("content-type", "text/plain"), ("connection", "close")], "request body too large\n"
            )
            return
        items = list(scope.headers.items())
        if scope.authority is not None:
            items.append(("host", scope.authority))
        request = Request(
            scope.method, scope.path, scope.query_string, Headers(items), body, scope.client, scope.scheme
        )
        try:
            response = await self._app(request)
        except Exception:  # noqa: BLE001 - the last line of defence: a bug must not tell the caller anything
            _log.error("unhandled error in %s %s\n%s", scope.method, scope.path, traceback.format_exc())
            response = Response(500, (("content-type", "text/plain"),), b"internal error\n")
        headers = list(response.headers)
        if generation.closing and scope.http_version.startswith("1"):
            headers.append(("connection", "close"))
        if isinstance(response.body, bytes):
            protocol.response_bytes(response.status, headers, response.body)
        else:
            await self._stream(protocol, response.status, headers, response.body)

    async def _body(self, scope: Any, protocol: Any) -> bytes | None:
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = asyncio.get_running_loop().time()
        try:
            return await _read_body(scope, protocol, self._listener.max_body)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise _TooSlow from None
        finally:
            del self._reading[task]
            self._overdue.discard(task)

    async def _stream(
        self, protocol: Any, status: int, headers: list[tuple[str, str]], chunks: AsyncIterator[bytes]
    ) -> None:
        transport = protocol.response_stream(status, headers)
        sending = asyncio.ensure_future(_send_all(transport, chunks))
        gone = asyncio.ensure_future(_gone(protocol))
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({sending, gone, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done() and not sending.done():
            await asyncio.wait({sending, gone}, timeout=_STREAMS_CLOSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for waiter in (sending, gone, stopping):
            waiter.cancel()
        await asyncio.gather(sending, gone, stopping, return_exceptions=True)
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


async def _end(old: _Generation) -> None:
    """Let the clients of `old` go first: to close a connection on which a request is under way would lose it."""
    try:
        await asyncio.sleep(_LINGER_SECONDS)
    finally:
        await old.stop()


async def _gone(protocol: Any) -> None:
    # granian's own future is not one that asyncio can cancel or gather
    await protocol.client_disconnect()


async def _send_all(transport: Any, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        await transport.send_bytes(chunk)


async def _read_body(scope: Any, protocol: Any, limit: int) -> bytes | None:
    declared = scope.headers.get("content-length")
    if declared is None and scope.headers.get("transfer-encoding") is None and scope.http_version.startswith("1"):
        return b""
    if declared is not None and declared.isdigit():
        # the HTTP layer reads no more than was declared: one call costs a fraction of a loop over parts
        whole: bytes | None = await protocol() if int(declared) <= limit else None
        return whole
    parts: list[bytes] = []
    size = 0
    async for part in protocol:
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)
