"""A Kubernetes API client over aiohttp: five verbs, a stream, and errors as `errors.KubernetesError`.

Paths are the API's own (`/api/v1/namespaces/default/pods`): there is no model of resources here.
"""

import json
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import msgspec

from iambridge import __version__
from iambridge.adapters import kubeconfig
from iambridge.errors import ApiServerUnreachable, KubernetesError, UnknownStatus

_MERGE_PATCH = "application/merge-patch+json"


class KubernetesClient:
    """Asks one API server as one identity. Build it with `from_kubeconfig` or `in_cluster`; use it in one event loop.

    `timeout` is the whole request's, in seconds.
    """

    def __init__(self, access: kubeconfig.ClusterAccess, *, timeout: float = 10.0, user_agent: str = "") -> None:
        self._access = access
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, 5.0))
        self._agent = user_agent or f"iambridge/{__version__}"
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_kubeconfig(cls, path: Path | None = None, context: str | None = None, *, timeout: float = 10.0) -> Self:
        """Raises InputError when the kubeconfig is missing or wrong."""
        return cls(kubeconfig.from_kubeconfig(path, context), timeout=timeout)

    @classmethod
    def in_cluster(cls, *, timeout: float = 10.0) -> Self:
        """Raises InputError outside a pod."""
        return cls(kubeconfig.in_cluster(), timeout=timeout)

    @property
    def server(self) -> str:
        return self._access.server

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, within: float | None = None
    ) -> dict[str, Any]:
        """Every verb returns the decoded object. `within` is a time limit of this request, in seconds.

        Raises:
            KubernetesError: the API's Status as its class; ApiServerUnreachable without an answer.
            InputError: the kubeconfig's credential cannot be had.
        """
        return _decoded(await self.get_bytes(path, query, within=within))

    async def get_bytes(
        self, path: str, query: Mapping[str, str] | None = None, *, within: float | None = None
    ) -> bytes:
        """`get`, undecoded: for callers that decode into a type of their own."""
        return await self._send("GET", path, query, within=within)

    async def post(self, path: str, body: Mapping[str, Any], query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return _decoded(await self._send("POST", path, query, body=body))

    async def put(self, path: str, body: Mapping[str, Any], query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return _decoded(await self._send("PUT", path, query, body=body))

    async def patch(
        self,
        path: str,
        body: Mapping[str, Any] | list[dict[str, Any]],
        query: Mapping[str, str] | None = None,
        *,
        content_type: str = _MERGE_PATCH,
    ) -> dict[str, Any]:
        """A list is a JSON Patch (RFC 6902); a mapping is a merge patch unless `content_type` says otherwise."""
        kind = "application/json-patch+json" if isinstance(body, list) else content_type
        return _decoded(await self._send("PATCH", path, query, body=body, content_type=kind))

    async def delete(
        self, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return _decoded(await self._send("DELETE", path, query, body=body))

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], *, idle_timeout: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A watch's lines as they come. `idle_timeout` is the longest silence, in seconds."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=idle_timeout)
        try:
            async with await self._request("GET", path, query, body=None, content_type="", limits=timeout) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read())
                yield _lines(response.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        *,
        body: Any = None,
        content_type: str = "application/json",
        within: float | None = None,
    ) -> bytes:
        limits = self._timeout if within is None else aiohttp.ClientTimeout(total=within)
        try:
            async with await self._request(
                method, path, query, body=body, content_type=content_type, limits=limits
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error
        if response.status >= 400:
            raise _error(response.status, content)
        return content

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        *,
        body: Any,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """One request; after a 401 once more with a fresh credential, since tokens rotate under us."""
        session = self._open()
        data = None if body is None else msgspec.json.encode(body)
        response: aiohttp.ClientResponse | None = None
        for refresh in (False, True):
            credential = await self._access.credential(time.time(), refresh=refresh)
            headers = {"accept": "application/json", "user-agent": self._agent, **credential.headers}
            if data is not None:
                headers["content-type"] = content_type
            response = await session.request(
                method,
                self._access.server + path,
                params=query,
                data=data,
                headers=headers,
                timeout=limits,
                ssl=credential.tls if credential.tls is not None else True,
                server_hostname=self._access.tls_server_name,
                proxy=self._access.proxy,
                allow_redirects=False,
            )
            if response.status != 401:
                break
            if not refresh:
                response.release()
        assert response is not None
        return response

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=32, socket_factory=_keepalive_socket)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self._session

    def _unreachable(self, error: BaseException) -> ApiServerUnreachable:
        reason = str(error) or type(error).__name__
        return ApiServerUnreachable(
            f"the API server at {self._access.server} did not answer: {reason}",
            fix="check that it runs, and that the kubeconfig's server and certificate-authority are right",
        )


def path_of(*segments: str) -> str:
    """Segments, percent-encoded, joined to a path: a name with a slash cannot leave its place."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def _keepalive_socket(address: Any) -> socket.socket:
    """A dead peer of a silent watch is noticed within a minute."""
    family, kind, protocol, _, _ = address
    opened = socket.socket(family=family, type=kind, proto=protocol)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return opened


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: aiohttp's readline stops at 64 KiB, and an object may have 1.5 MiB."""
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        if b"\n" not in chunk:
            continue
        *whole, last = bytes(rest).split(b"\n")
        rest = bytearray(last)
        for line in whole:
            if line:
                yield line


def _decoded(content: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise UnknownStatus("the API server's answer is not JSON", cause=str(error)) from error
    if not isinstance(value, dict):
        raise UnknownStatus("the API server's answer is not an object")
    return value


def _error(status: int, content: bytes) -> KubernetesError:
    try:
        body = json.loads(content)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    message = body.get("message") or content[:200].decode(errors="replace").strip() or f"HTTP {status}"
    reason, details = str(body.get("reason") or ""), body.get("details") or {}
    for kind in KubernetesError.__subclasses__():
        if kind.code == reason:
            return kind(str(message), details=details)
    return UnknownStatus(str(message), details=details, reason=reason, status=str(status))


def status_error(status: Mapping[str, Any]) -> KubernetesError:
    """The error of a Status object, as a watch delivers it in an ERROR event."""
    return _error(int(status.get("code") or 500), json.dumps(dict(status)).encode())
