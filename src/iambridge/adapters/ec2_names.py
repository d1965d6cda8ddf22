"""EC2 instances' private DNS names by DescribeInstances, many instances a call.

Instances are asked for by filter and not by id: an id that does not exist is then absent from the answer and cannot
fail the others. Source: EC2 API Reference, DescribeInstances (2016-11-15).
"""

import asyncio
import datetime as dt
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import aiohttp

from iambridge.core import sigv4
from iambridge.errors import BridgeError, ServiceUnavailable, Throttling

_SECONDS = 10.0
_GATHER_SECONDS = 0.01
_BATCH = 100
_CALLS_AT_ONCE = 5
_REMEMBERED = 20_000
_MAX_BYTES = 8 * 1024 * 1024
_THROTTLED = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException"})

FindCredentials = Callable[[], Awaitable[sigv4.Credentials]]


class Ec2InstanceNames:
    """Implements `ports.InstanceNames`. A name once known is kept; an empty one never is.

    `endpoint` is `https://host[:port]`. `qps` and `burst` bound the calls. `now` is the UTC clock that signs.
    """

    def __init__(
        self,
        credentials: FindCredentials,
        *,
        endpoint: str,
        region: str,
        now: Callable[[], dt.datetime],
        ca_file: Path | None = None,
        qps: float = 15.0,
        burst: int = 5,
        called: Callable[[], None] = lambda: None,
    ) -> None:
        self._credentials = credentials
        self._endpoint = endpoint.rstrip("/") + "/"
        self._region = region
        self._now = now
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._called = called
        self._qps = qps
        self._burst = burst
        self._names: OrderedDict[str, str] = OrderedDict()
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._fresh: list[str] = []
        self._slots = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._allowance = float(burst)
        self._allowance_at: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def private_dns_name(self, instance_id: str) -> str:
        """Raises Throttling and ServiceUnavailable."""
        known = self._names.get(instance_id)
        if known is not None:
            return known
        waiting = self._waiting.get(instance_id)
        if waiting is None:
            waiting = self._waiting[instance_id] = asyncio.get_running_loop().create_future()
            self._fresh.append(instance_id)
            if len(self._fresh) == 1:
                self._start(self._gather())
            elif len(self._fresh) >= _BATCH:
                self._flush()
        return await asyncio.shield(waiting)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _gather(self) -> None:
        """A storm of nodes arrives within milliseconds: wait that long for company."""
        await asyncio.sleep(_GATHER_SECONDS)
        self._flush()

    def _flush(self) -> None:
        batch, self._fresh = self._fresh[:_BATCH], self._fresh[_BATCH:]
        if batch:
            self._start(self._resolve(batch))
        if self._fresh:
            self._flush()

    async def _resolve(self, batch: list[str]) -> None:
        found: dict[str, str] = {}
        failure: BridgeError | None = None
        try:
            async with self._slots:
                found = await self._describe(batch)
        except BridgeError as error:
            failure = error
        finally:
            for instance_id in batch:
                self._settle(instance_id, found.get(instance_id, ""), failure)

    def _settle(self, instance_id: str, name: str, failure: BridgeError | None) -> None:
        if name:
            self._names[instance_id] = name
            while len(self._names) > _REMEMBERED:
                self._names.popitem(last=False)
        waiting = self._waiting.pop(instance_id)
        if waiting.done():
            return
        if failure is not None:
            waiting.set_exception(failure)
            waiting.exception()  # whoever waited may have gone
        else:
            waiting.set_result(name)

    async def _describe(self, batch: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        page = ""
        while True:
            await self._pace()
            parameters = {"Action": "DescribeInstances", "Version": "2016-11-15", "Filter.1.Name": "instance-id"}
            parameters |= {f"Filter.1.Value.{number}": name for number, name in enumerate(batch, 1)}
            if page:
                parameters["NextToken"] = page
            document = await self._call(urlencode(parameters).encode())
            for instance in document.iter():
                if _tag(instance) == "item" and (instance_id := _text(instance, "instanceId")):
                    found[instance_id] = _text(instance, "privateDnsName")
            page = _text(document, "nextToken")
            if not page:
                return found

    async def _call(self, body: bytes) -> ET.Element:
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        try:
            credentials = await self._credentials()
        except BridgeError as error:
            raise _unavailable(f"has no credentials: {error.cause}", error.fix) from error
        headers |= sigv4.sign(
            credentials, method="POST", url=self._endpoint, region=self._region, service="ec2", headers=headers,
            body=body, now=self._now(),
        )  # fmt: skip
        self._called()
        try:
            async with self._open().post(
                self._endpoint, data=body, headers=headers, allow_redirects=False, ssl=self._tls
            ) as response:
                answer = await response.content.read(_MAX_BYTES)
                while len(answer) < _MAX_BYTES and not response.content.at_eof():
                    answer += await response.content.read(_MAX_BYTES - len(answer))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unavailable(f"could not be reached: {type(error).__name__}") from error
        try:
            document = ET.fromstring(answer)  # noqa: S314 - EC2's own answer, over TLS; expat bounds entity expansion
        except ET.ParseError as error:
            raise _unavailable(f"answered {response.status} without XML") from error
        if response.status != 200:
            raise _refused(response.status, next((e.text or "" for e in document.iter() if _tag(e) == "Code"), ""))
        return document

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    async def _pace(self) -> None:
        """A token bucket of `burst`, refilled with `qps` a second."""
        loop = asyncio.get_running_loop()
        at = loop.time()
        elapsed = at - self._allowance_at if self._allowance_at is not None else 0.0
        self._allowance = min(float(self._burst), self._allowance + elapsed * self._qps) - 1.0
        self._allowance_at = at
        if self._allowance < 0:
            await asyncio.sleep(-self._allowance / self._qps)


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ET.Element, name: str) -> str:
    return next((child.text or "" for child in element if _tag(child) == name), "")


def _refused(status: int, code: str) -> BridgeError:
    if code in _THROTTLED or status == 429:
        return Throttling("EC2 throttles DescribeInstances", fix="lower --ec2-describeInstances-qps")
    if code in {"UnauthorizedOperation", "AccessDenied", "AuthFailure"}:
        return _unavailable(f"refused with {code}", "allow ec2:DescribeInstances to the authenticator's role")
    return _unavailable(f"answered {status} {code}")


def _unavailable(problem: str, fix: str = "check the network's way to EC2") -> ServiceUnavailable:
    return ServiceUnavailable("instance names are not available", cause=f"DescribeInstances {problem}", fix=fix)


class NoInstanceNames:
    """For a server without a region: an entry with {{EC2PrivateDNSName}} cannot be rendered."""

    async def private_dns_name(self, instance_id: str) -> str:
        raise _unavailable(f"cannot be asked for {instance_id}: no region is known", "set AWS_REGION or --region")
