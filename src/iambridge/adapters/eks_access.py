"""Reads authenticationMode, access entries and their policies from EKS, signed by us, without an SDK.

Source: EKS API Reference (REST JSON, service `eks`); its operations are read-only.
"""

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from iambridge.core import sigv4
from iambridge.core.cluster_access import EksAccess
from iambridge.errors import InputError
from iambridge.wire.eks_access import eks_access

_SECONDS = 10.0
_AT_ONCE = 8
_TRIES = 4
_MOST_ENTRIES = 5_000
_THROTTLED = frozenset({"ThrottlingException", "TooManyRequestsException", "Throttling", "RequestLimitExceeded"})


class _NotReadable(Exception):
    """EKS refused a read or did not answer; the text says which and in whose words."""


def endpoint_of(environment: Mapping[str, str], region: str) -> str:
    """`https://host[:port]` of EKS: the configured endpoint, else the region's."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        for name in ("AWS_ENDPOINT_URL_EKS", "AWS_ENDPOINT_URL"):
            if environment.get(name):
                return environment[name].rstrip("/")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://eks.{region}.{suffix}"


async def read_eks_access(
    credentials: sigv4.Credentials, *, endpoint: str, region: str, cluster: str, ca_file: str = ""
) -> EksAccess:
    """What EKS says of `cluster`; where it refuses or does not answer, an `EksAccess` whose `unknown` says why.

    `ca_file` replaces the system's authorities when not empty.

    Raises:
        InputError: `ca_file` cannot be read.
    """
    try:
        tls = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"cannot read {ca_file}", where="AWS_CA_BUNDLE", fix="name a PEM file") from error
    reader = _Reader(credentials, tls, endpoint=endpoint, region=region, cluster=cluster)
    try:
        return eks_access(await reader.documents())
    except _NotReadable as refused:
        return EksAccess(unknown=str(refused))


class _Reader:
    def __init__(
        self, credentials: sigv4.Credentials, tls: ssl.SSLContext, *, endpoint: str, region: str, cluster: str
    ) -> None:
        self._credentials = credentials
        self._tls = tls
        self._endpoint = endpoint
        self._region = region
        self._path = f"/clusters/{quote(cluster, safe='')}"
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def documents(self) -> list[dict[str, Any]]:
        """As `wire.eks_access` takes them: the cluster, and unless it asks its ConfigMap only, entries and policies."""
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            cluster = await self._get(session, "DescribeCluster", self._path)
            mode = (cluster["cluster"].get("accessConfig") or {}).get("authenticationMode") or "CONFIG_MAP"
            if mode == "CONFIG_MAP":
                return [cluster]
            listed = await self._pages(session, "ListAccessEntries", f"{self._path}/access-entries", "accessEntries")
            arns = listed["accessEntries"]
            if len(arns) > _MOST_ENTRIES:
                raise _NotReadable(f"the cluster has more than {_MOST_ENTRIES} access entries")
            described = await asyncio.gather(*(self._entry(session, arn) for arn in arns))
            return [cluster, listed, *(document for pair in described for document in pair)]

    async def _entry(self, session: aiohttp.ClientSession, arn: str) -> list[dict[str, Any]]:
        path = f"{self._path}/access-entries/{quote(arn, safe='')}"
        async with self._slots:
            entry = await self._get(session, "DescribeAccessEntry", path)
            if (entry["accessEntry"].get("type") or "STANDARD") != "STANDARD":
                return [entry]
            field = "associatedAccessPolicies"
            found = await self._pages(session, "ListAssociatedAccessPolicies", f"{path}/access-policies", field)
            return [entry, {**found, "principalArn": arn}]

    async def _pages(self, session: aiohttp.ClientSession, operation: str, path: str, field: str) -> dict[str, Any]:
        found: list[Any] = []
        query = ""
        while True:
            page = await self._get(session, operation, path, query)
            found += page[field]
            token = page.get("nextToken")
            if not token or len(found) > _MOST_ENTRIES:
                return {field: found}
            query = f"?nextToken={quote(token, safe='')}"

    async def _get(self, session: aiohttp.ClientSession, operation: str, path: str, query: str = "") -> dict[str, Any]:
        for attempt in range(_TRIES):
            status, code, body = await self._exchange(session, operation, path + query)
            if status == 200:
                try:
                    return dict(json.loads(body))
                except ValueError as error:
                    raise _not_readable(operation, "the answer is not JSON") from error
            found, message = _error(body)
            code = code or found
            if status != 429 and code not in _THROTTLED and status < 500:
                raise _not_readable(operation, f"{code or status}: {message}".rstrip(": "))
            if attempt + 1 < _TRIES:
                await asyncio.sleep(0.2 * 2**attempt)
        raise _not_readable(operation, f"{code or status}, also when asked again")

    async def _exchange(self, session: aiohttp.ClientSession, operation: str, path: str) -> tuple[int, str, bytes]:
        url = self._endpoint + path
        headers = sigv4.sign(
            self._credentials, method="GET", url=url, region=self._region, service="eks", headers={}, body=b"",
            now=dt.datetime.now(dt.UTC),
        )  # fmt: skip
        try:
            async with session.get(
                URL(url, encoded=True), headers=headers, ssl=self._tls, allow_redirects=False
            ) as response:
                code = response.headers.get("x-amzn-errortype", "").partition(":")[0]
                return response.status, code, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _not_readable(
                operation, f"{self._endpoint} did not answer: {error or type(error).__name__}"
            ) from error


def _not_readable(operation: str, why: str) -> _NotReadable:
    return _NotReadable(f"eks:{operation}: {why}")


def _error(body: bytes) -> tuple[str, str]:
    try:
        found = json.loads(body)
        code = str(found.get("__type") or found.get("code") or "").rpartition("#")[2]
        return code, str(found.get("message") or found.get("Message") or "")
    except (ValueError, AttributeError):
        return "", ""
