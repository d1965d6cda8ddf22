"""Sends a validated, rebuilt GetCallerIdentity to STS, and reads no more of the answer than there can be.

Sources: aws-iam-authenticator pkg/token/token.go `Verify`; STS API Reference, GetCallerIdentity and Common Errors.
"""

import json
import re
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from iambridge.core.authenticator_token import CallerIdentity, PresignedCallerIdentity, caller_identity
from iambridge.core.decision import Reason
from iambridge.errors import InputError, ServiceUnavailable, Throttling

_SECONDS = 10.0
_MAX_BYTES = 64 * 1024
_CONNECTIONS = 256
_CODE = re.compile(r"<Code>([A-Za-z.]{1,64})</Code>")
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestThrottled", "RequestLimitExceeded", "TooManyRequestsException"}
)
_MISMATCH = frozenset({"SignatureDoesNotMatch", "IncompleteSignature"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})

Responded = Callable[[str, str], None]


class StsClient:
    """Implements `ports.CallerIdentities`.

    With `endpoint` (`https://host[:port]`) every call goes there, with the Host header as it was signed; else to the
    host that the token names. `ca_file` replaces the system's authorities. `responded(code, region)` is told of every
    answer, with code 0 when there was none. Proxies come from HTTPS_PROXY and NO_PROXY as they are when it is made.
    """

    def __init__(self, *, endpoint: str = "", ca_file: Path | None = None, responded: Responded | None = None) -> None:
        self._endpoint = endpoint.rstrip("/")
        if endpoint and (urlsplit(self._endpoint).scheme != "https" or urlsplit(self._endpoint).path):
            raise InputError(
                f"`{endpoint}` is not an https URL without a path",
                where="--sts-endpoint",
                fix="write https://HOST or https://HOST:PORT",
            )
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"cannot read CA file {ca_file}: {error}", where="--sts-ca-file", fix="name a PEM file of certificates"
            ) from error
        self._responded = responded or (lambda _code, _region: None)
        self._endpoint_host = urlsplit(self._endpoint).hostname or ""
        self._proxy = getproxies().get("https", "")
        self._direct: dict[str, bool] = {}
        self._session: aiohttp.ClientSession | None = None

    async def caller_identity(self, presigned: PresignedCallerIdentity, cluster_id: str) -> CallerIdentity | Reason:
        """Raises Throttling and ServiceUnavailable; their words hold neither the URL nor its signature."""
        status, body = await self._get(presigned, cluster_id)
        self._responded(str(status), region_of(presigned.host))
        if status == 200:
            return caller_identity(body, access_key_id=presigned.access_key_id)
        code = _error_code(body)
        if status == 429 or code in _THROTTLED:
            raise Throttling(
                "STS throttles GetCallerIdentity",
                cause=f"STS at {presigned.host} answered {code or status}",
                fix="wait; a longer --token-cache-ttl asks STS less often",
            )
        if not 400 <= status < 500 or status == 408:
            raise _unavailable(presigned.host, f"answered {status} {code}".strip())
        return _refusal(code or str(status), presigned)

    async def _get(self, presigned: PresignedCallerIdentity, cluster_id: str) -> tuple[int, bytes]:
        url = presigned.url
        headers = presigned.headers(cluster_id)
        if self._endpoint:
            url = self._endpoint + url.removeprefix(f"https://{presigned.host}")
            headers["host"] = presigned.host
        try:
            async with self._open().get(
                URL(url, encoded=True),
                headers=headers,
                allow_redirects=False,
                ssl=self._tls,
                proxy=self._proxy_of(self._endpoint_host or presigned.host.partition(":")[0]) if self._proxy else None,
            ) as response:
                body = await response.content.read(_MAX_BYTES + 1)
                while len(body) <= _MAX_BYTES and not response.content.at_eof():
                    body += await response.content.read(_MAX_BYTES + 1 - len(body))
                return response.status, body
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._responded("0", region_of(presigned.host))
            raise _unavailable(presigned.host, _without_url(error)) from None

    def _proxy_of(self, host: str) -> str | None:
        """Asked once a host: reading the environment costs more than the call's own work."""
        direct = self._direct.get(host)
        if direct is None:
            direct = self._direct[host] = _is_loopback(host) or bool(proxy_bypass(host))
        return None if direct else self._proxy

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ttl_dns_cache=60),
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                headers={"user-agent": "iambridge-authenticator"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def region_of(host: str) -> str:
    """The region in an AWS endpoint's name, `global`, or `custom`; a metric's label, so it comes from allowed hosts."""
    labels = host.split(".")
    if labels[0] in {"sts", "sts-fips"} and len(labels) >= 3:
        return "global" if host == "sts.amazonaws.com" else labels[1]
    return "custom"


def _error_code(body: bytes) -> str:
    """STS answers in JSON when asked to, a gateway before it perhaps in XML."""
    try:
        code = json.loads(body)["Error"]["Code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = _CODE.search(body[:_MAX_BYTES].decode("utf-8", "replace"))
        return found.group(1) if found else ""
    return code[:64] if isinstance(code, str) else ""


def _refusal(code: str, presigned: PresignedCallerIdentity) -> Reason:
    if code in _MISMATCH:
        text = "the signature does not match: a wrong secret key, or a token for another cluster id"
        return Reason("sts-signature-mismatch", text, where=presigned.host, facts={"code": code})
    if code in _EXPIRED:
        return Reason("sts-expired", "the AWS session has expired", where=presigned.host, facts={"code": code})
    return Reason("sts-refused", f"STS refuses the caller with {code}", where=presigned.host, facts={"code": code})


def _is_loopback(host: str) -> bool:
    """What no proxy can reach for us. Source: golang.org/x/net/http/httpproxy, which the original goes by."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unavailable(host: str, problem: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        "STS is not available",
        cause=f"STS at {host} {problem}",
        fix="check the network's way to STS, and --sts-endpoint with --sts-ca-file for a private one",
    )


def _without_url(error: BaseException) -> str:
    """What went wrong by kind only: aiohttp's words may hold the URL, which holds the signature."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "cannot be trusted: its certificate is not signed by a known authority, or is for another name"
    if isinstance(error, TimeoutError):
        return f"did not answer within {_SECONDS:g} seconds"
    return f"could not be reached: {type(error).__name__}"
