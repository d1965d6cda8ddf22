"""Asks a container whether it is ready. Sources: core/v1 Probe; kubernetes pkg/kubelet/prober, pkg/probe."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from iambridge.sandbox.cluster.kubelet.environment import Object

_USER_AGENT = "kube-probe/1.32"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`words` are the kubelet's, for the event that a failure makes."""

    passed: bool
    words: str = ""


@dataclass(slots=True)
class Verdict:
    """What outcomes make of a container: ready after successThreshold in a row, not after failureThreshold."""

    success_threshold: int
    failure_threshold: int
    ready: bool = False
    _last: bool | None = None
    _row: int = 0

    def after(self, passed: bool) -> bool:  # noqa: FBT001 - the outcome itself
        """Whether the container is ready, now that a probe has passed or failed."""
        self._row = self._row + 1 if passed == self._last else 1
        self._last = passed
        if self._row >= (self.success_threshold if passed else self.failure_threshold):
            self.ready = passed
        return self.ready


async def watch(
    container: Object,
    address: str,
    *,
    changed: Callable[[bool], Awaitable[None]],
    failed: Callable[[str], Awaitable[None]],
) -> None:
    """Probe until cancelled. `changed` hears when the container becomes ready or not, `failed` of each failure."""
    probe = container["readinessProbe"]
    verdict = Verdict(int(probe.get("successThreshold") or 1), int(probe.get("failureThreshold") or 3))
    timeout, period = float(probe.get("timeoutSeconds") or 1), float(probe.get("periodSeconds") or 10)
    await asyncio.sleep(float(probe.get("initialDelaySeconds") or 0))
    while True:
        outcome = await attempt(container, probe, address, timeout=timeout)
        if not outcome.passed:
            await failed(outcome.words)
        before = verdict.ready
        if verdict.after(outcome.passed) != before:
            await changed(verdict.ready)
        await asyncio.sleep(period)


async def attempt(container: Object, probe: Mapping[str, Any], address: str, *, timeout: float) -> Outcome:  # noqa: ASYNC109 - part of the probe
    """One probe. `timeout` is in seconds."""
    action = probe.get("httpGet") or probe.get("tcpSocket") or {}
    port = _port(container, action.get("port"))
    if port is None:
        return Outcome(passed=False, words=f"couldn't find port: {action.get('port')} in container {container['name']}")
    host = action.get("host") or address
    if "httpGet" in probe:
        return await _http_get(action, host, port, timeout)
    return await _dial(host, port, timeout)


async def _http_get(action: Mapping[str, Any], host: str, port: int, timeout: float) -> Outcome:  # noqa: ASYNC109 - as above
    path = "/" + (action.get("path") or "/").lstrip("/")
    url = f"{(action.get('scheme') or 'HTTP').lower()}://{host}:{port}{path}"
    headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Connection": "close"}
    headers |= {each["name"]: each.get("value", "") for each in action.get("httpHeaders") or ()}
    # a kubelet does not verify the certificate either: the probe asks for readiness, not for identity
    connector = aiohttp.TCPConnector(ssl=False, force_close=True)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=aiohttp.ClientTimeout(total=timeout), trust_env=False
            ) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            status = response.status
    except TimeoutError:
        return Outcome(
            passed=False,
            words=f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        )
    except aiohttp.ClientConnectorError as error:
        return Outcome(passed=False, words=f'Get "{url}": dial tcp {host}:{port}: connect: {_lower(error.os_error)}')
    except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
        return Outcome(passed=False, words=f'Get "{url}": {error}')
    if 200 <= status < 400:
        return Outcome(passed=True)
    return Outcome(passed=False, words=f"HTTP probe failed with statuscode: {status}")


async def _dial(host: str, port: int, timeout: float) -> Outcome:  # noqa: ASYNC109 - as above
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(passed=False, words=f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(passed=False, words=f"dial tcp {host}:{port}: connect: {_lower(error)}")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Outcome(passed=True)


def _port(container: Object, wanted: Any) -> int | None:
    """A number, also one spelled as text, or the number of the container's port of that name."""
    if str(wanted).isdecimal():
        return int(wanted)
    return next(
        (int(each["containerPort"]) for each in container.get("ports") or () if each.get("name") == wanted), None
    )


def _lower(error: OSError) -> str:
    """The system's words as Go spells them."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
