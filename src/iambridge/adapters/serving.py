"""Serves a `wire.http.App` on a socket with granian (RSGI): TLS, bounded bodies, streams, drain.

All servers of a process share its event loop; each has its own socket and its own threads in granian's runtime.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server

from iambridge.errors import InputError
from iambridge.wire.http import App, Headers, Request, Response

_log = logging.getLogger(__name__)

_DRAIN_SECONDS = 10
_STREAMS_CLOSE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Listener:
    """Where and how to listen. Without `certificate` and `key` (PEM files, PKCS#8) it is plain HTTP.

    `max_body` is in bytes: a longer body is answered 413 and never read whole. `header_timeout` is in seconds.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    max_body: int = 4 * 1024 * 1024
    header_timeout: float = 10.0
    minimum_tls: str = "1.2"


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class RunningServer:
    """A started server. `stop` refuses new connections, lets requests finish, and closes streams."""

    def __init__(self, app: App, listener: Listener) -> None:
        self._app = app
        self._listener = listener
        self._busy: set[asyncio.Task[Any]] = set()
        self._stopping = asyncio.Event()
        self._server: Any = Server(
            self._rsgi,
            address=listener.host,
            port=listener.port,
            interface=Interfaces.RSGI,
            ssl_cert=listener.certificate,
            ssl_key=listener.key,
            ssl_protocol_min=SSLProtocols.tls13 if listener.minimum_tls == "1.3" else SSLProtocols.tls12,
            websockets=False,
            log_enabled=False,
            http1_settings=HTTP1Settings(header_read_timeout=int(listener.header_timeout * 1000)),
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bind and accept.

        Raises:
            InputError: the port is taken, or may not be bound.
        """
        refuse_taken_port(self._listener.host, self._listener.port)
        self._serving = asyncio.create_task(self._server.serve(), name=f"serve:{self._listener.port}")
        await self._accepting()

    async def _accepting(self) -> None:
        assert self._serving is not None
        while not self._serving.done():
            try:
                _, writer = await asyncio.open_connection(self._listener.host, self._listener.port)
            except OSError:
                await asyncio.sleep(0.005)
            else:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                return
        self._serving.result()

    async def reload(self) -> None:
        """Serve with the certificate files as they are now: a new worker accepts before the old one drains."""
        self._server.reload_signal = True
        self._server.main_loop_interrupt.set()

    async def stop(self) -> None:
        self._stopping.set()
        pending = set(self._busy)
        if pending:
            await asyncio.wait(pending, timeout=_DRAIN_SECONDS)
        self._server.stop()
        if self._serving is not None:
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._serving, _DRAIN_SECONDS)

    async def _rsgi(self, scope: Any, protocol: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            await self._answer(scope, protocol)
        finally:
            self._busy.discard(task)

    async def _answer(self, scope: Any, protocol: Any) -> None:
        body = await _read_body(scope, protocol, self._listener.max_body)
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
        if isinstance(response.body, bytes):
            protocol.response_bytes(response.status, headers, response.body)
        else:
            await self._stream(protocol, response.status, headers, response.body)

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


def refuse_taken_port(host: str, port: int) -> None:
    """Say who can't have which port, before granian starts.

    Raises:
        InputError: the port is in use or not permitted, with the fix.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InputError(
                    f"port {port} on {host} is in use by {port_owner(port)}",
                    fix="stop that process or choose another port",
                ) from error
            raise InputError(
                f"cannot listen on {host}:{port}: {error.strerror}", fix="choose a port above 1023 and a local address"
            ) from error


def port_owner(port: int) -> str:
    """The process that listens on `port`, as far as /proc shows it (Linux; own processes, or all for root)."""
    inode = ""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inode = fields[9]
    if not inode:
        return "another process"
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(fd.readlink()) == f"socket:[{inode}]":
                pid = fd.parts[2]
                command = (
                    Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
                return f"process {pid} ({command[:80]})"
    return "another process"
