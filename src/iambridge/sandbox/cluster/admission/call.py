"""One HTTPS call to a webhook: by URL, or by Service while TLS still verifies `svc.namespace.svc`."""

import base64
import ssl
from collections.abc import Callable, Mapping, Sequence
from socket import AddressFamily
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_MAX_ANSWER = 8 * 1024 * 1024

_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
# a kept connection would stay with one pod, ready or not
_HEADERS_ONCE = {**_HEADERS, "Connection": "close"}

ServiceResolver = Callable[[str, str, int], Sequence[tuple[str, int]]]


class ServiceUnresolved(Exception):  # noqa: RUF100, N818  # becomes part of a sentence, never an answer of its own
    """Nobody stands behind a Service; the words are kube-apiserver's."""


class CallFailed(Exception):  # noqa: RUF100, N818  # becomes part of a sentence, never an answer of its own
    """The webhook gave no usable HTTP answer; the words follow Go's net/http."""


class _Services(AbstractResolver):
    """Finds Services by the given callable, which may raise ServiceUnresolved, everything else by the system."""

    def __init__(self, resolve_service: ServiceResolver) -> None:
        self._resolve_service = resolve_service
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        if not host.endswith(".svc"):
            return await self._system.resolve(host, port, family)
        name, _, rest = host.partition(".")
        namespace = rest.removesuffix(".svc")
        try:
            found = self._resolve_service(namespace, name, port)
        except ServiceUnresolved as error:
            raise OSError(str(error)) from None
        # each is tried in turn until one takes the connection
        return [
            ResolveResult(hostname=host, host=address, port=number, family=AddressFamily.AF_INET, proto=0, flags=0)
            for address, number in found
        ]

    async def close(self) -> None:
        await self._system.close()


class WebhookCaller:
    """Keeps connections to webhooks open between calls. `close` it."""

    def __init__(self, resolve_service: ServiceResolver) -> None:
        self._resolve_service = resolve_service
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, config: Mapping[str, Any], body: bytes, *, timeout: float) -> bytes:  # noqa: ASYNC109  # aiohttp keeps it
        """Post `body` and return the answer's. `config` is the webhook's clientConfig; `timeout` is in seconds.

        Raises:
            CallFailed: no connection, a certificate that does not verify, no answer in time, or a status but 200.
        """
        url = f"{address(config)}?timeout={timeout:g}s"
        try:
            async with self._open().post(
                url,
                data=body,
                ssl=self._context(config.get("caBundle") or ""),
                headers=_HEADERS if config.get("service") is None else _HEADERS_ONCE,
                timeout=aiohttp.ClientTimeout(total=timeout),
                allow_redirects=False,
            ) as response:
                answer = await _read(response)
                if response.status != 200:
                    raise CallFailed(f'Post "{url}": the webhook answered with HTTP status {response.status}')
                return answer
        except TimeoutError:
            raise CallFailed(f'Post "{url}": context deadline exceeded') from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise CallFailed(f'Post "{url}": tls: failed to verify certificate: {error.certificate_error}') from None
        except aiohttp.ClientConnectorError as error:
            refused = f"dial tcp {error.host}:{error.port}: connect: connection refused"
            why = refused if isinstance(error.os_error, ConnectionRefusedError) else error.os_error
            raise CallFailed(f'Post "{url}": {why}') from None
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            raise CallFailed(f'Post "{url}": {error}') from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=_Services(self._resolve_service), use_dns_cache=False)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session

    def _context(self, bundle: str) -> ssl.SSLContext:
        context = self._contexts.get(bundle)
        if context is None:
            pem = base64.b64decode(bundle).decode() if bundle else None
            context = ssl.create_default_context(cadata=pem)
            self._contexts = {**self._contexts, bundle: context} if len(self._contexts) < 64 else {bundle: context}
        return context


async def _read(response: aiohttp.ClientResponse) -> bytes:
    answer = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        answer += chunk
        if len(answer) > _MAX_ANSWER:
            raise CallFailed(f"the webhook's answer is longer than {_MAX_ANSWER} bytes")
    return bytes(answer)


def address(config: Mapping[str, Any]) -> str:
    """The URL of a clientConfig, without a query."""
    service = config.get("service")
    if service is None:
        return str(config["url"])
    port = service.get("port", 443)
    return f"https://{service['name']}.{service['namespace']}.svc:{port}/{(service.get('path') or '').lstrip('/')}"
