"""Asks a TokenReview webhook who a token stands for, over HTTPS, and remembers its answers for a short while.

Sources: apiserver plugin/pkg/authenticator/token/webhook, pkg/util/webhook and pkg/authentication/token/cache.
"""

import asyncio
import hashlib
import logging
import random
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
import msgspec

from iambridge.core.decision import Reason
from iambridge.core.rbac import User
from iambridge.sandbox.cluster.authenticated import Answer, AuthenticatedToken

_log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 30.0
_ATTEMPTS = 5
_FIRST_DELAY_SECONDS = 0.5
_DELAY_FACTOR = 1.5
_LONGEST_RETRY_AFTER_SECONDS = 10.0
_RETRIED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.GATEWAY_TIMEOUT)
_MOST_ANSWERS = 4096
_MOST_BYTES = 1024 * 1024


class _UserInfo(msgspec.Struct):
    username: str = ""
    uid: str = ""
    groups: list[str] | None = None
    extra: dict[str, list[str] | None] | None = None


class _Status(msgspec.Struct):
    authenticated: bool = False
    user: _UserInfo | None = None
    audiences: list[str] | None = None
    error: str = ""


class _Reply(msgspec.Struct):
    status: _Status | None = None


_REPLY = msgspec.json.Decoder(_Reply)


@dataclass(frozen=True, slots=True)
class _Retry:
    """An answer that may be another in a while: `after` is the server's wish in seconds."""

    reason: Reason
    after: float = 0.0


class TokenReviewWebhook:
    """A webhook at `url`, trusted through the PEM authorities of `ca_file` and no others.

    Times to live are in seconds; `now` is a clock in seconds of which only differences count. Errors are never kept.
    `first_delay` is the pause in seconds before the first of at most four retries.
    """

    def __init__(
        self,
        url: str,
        ca_file: Path,
        *,
        cache_ttl_authorized: float = 1.0,
        cache_ttl_unauthorized: float = 1.0,
        now: Callable[[], float],
        first_delay: float = _FIRST_DELAY_SECONDS,
    ) -> None:
        self._url = url
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._lives = {True: cache_ttl_authorized, False: cache_ttl_unauthorized}
        self._now = now
        self._first_delay = first_delay
        self._session: aiohttp.ClientSession | None = None
        self._answers: OrderedDict[bytes, tuple[float, AuthenticatedToken | None]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Answer]] = {}

    async def close(self) -> None:
        for task in tuple(self._asking.values()):
            task.cancel()
        if self._session is not None:
            await self._session.close()

    async def authenticate(self, token: str, audiences: tuple[str, ...]) -> Answer:
        """The token's user, None when the webhook knows none, or the Reason why it could not say.

        Calls for one token at one time share one request.
        """
        key = _key(token, audiences)
        kept = self._answers.get(key)
        if kept is not None and self._now() < kept[0]:
            return kept[1]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask_and_keep(key, token, audiences))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _ask_and_keep(self, key: bytes, token: str, audiences: Sequence[str]) -> Answer:
        answer = await self._ask(token, audiences)
        if isinstance(answer, Reason):
            _log.error("Failed to make webhook authenticator request: %s", answer.text)
            return answer
        life = self._lives[answer is not None]
        if life > 0:
            self._answers[key] = (self._now() + life, answer)
            self._answers.move_to_end(key)
            if len(self._answers) > _MOST_ANSWERS:
                self._answers.popitem(last=False)
        return answer

    async def _ask(self, token: str, audiences: Sequence[str]) -> Answer:
        body = msgspec.json.encode(
            {
                "kind": "TokenReview",
                "apiVersion": "authentication.k8s.io/v1",
                "metadata": {"creationTimestamp": None},
                "spec": {"token": token, "audiences": list(audiences)},
                "status": {"user": {}},
            }
        )
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reply = await self._post_with_retries(body)
        except TimeoutError:
            return Reason("webhook-timeout", f"no answer within {_TIMEOUT_SECONDS:.0f} s")
        if isinstance(reply, Reason):
            return reply
        return _judged(reply, token)

    async def _post_with_retries(self, body: bytes) -> bytes | Reason:
        delay = self._first_delay
        for attempt in range(1, _ATTEMPTS + 1):
            reply = await self._post(body)
            if not isinstance(reply, _Retry):
                return reply
            if attempt < _ATTEMPTS:
                # jitter as wait.Backoff's: up to a fifth more
                await asyncio.sleep(max(delay * random.uniform(1, 1.2), reply.after))  # noqa: S311 - not for secrecy
                delay *= _DELAY_FACTOR
        assert isinstance(reply, _Retry)
        return reply.reason

    async def _post(self, body: bytes) -> bytes | Reason | _Retry:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))
        headers = {"content-type": "application/json", "accept": "application/json, */*"}
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, ssl=self._tls, allow_redirects=False
            ) as answer:
                return _received(answer.status, answer.headers.get("retry-after", ""), await _bounded(answer))
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            reason = Reason("webhook-unreachable", f"the webhook could not be reached: {type(error).__name__}")
            reset = isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError)
            return _Retry(reason) if reset else reason
        except aiohttp.ClientError as error:
            return Reason("webhook-unreachable", f"the webhook could not be asked: {type(error).__name__}")


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    """The body, or somewhat more than the limit of a longer one."""
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > _MOST_BYTES:
            break
    return bytes(content)


def _key(token: str, audiences: Sequence[str]) -> bytes:
    digest = hashlib.sha256(token.encode())
    for audience in audiences:
        text = audience.encode()
        digest.update(len(text).to_bytes(8) + text)
    return digest.digest()


def _received(status: int, retry_after: str, content: bytes) -> bytes | Reason | _Retry:
    if len(content) > _MOST_BYTES:
        return Reason("webhook-reply", f"the webhook's reply is longer than {_MOST_BYTES} bytes")
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return content
    reason = Reason("webhook-status", f"the webhook answered HTTP {status}", facts={"status": str(status)})
    if status in _RETRIED or retry_after:
        seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
        return _Retry(reason, min(seconds, _LONGEST_RETRY_AFTER_SECONDS))
    return reason


def _judged(reply: bytes, token: str) -> Answer:
    try:
        status = _REPLY.decode(reply).status or _Status()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Reason("webhook-reply", "the webhook's reply is no TokenReview")
    if not status.authenticated:
        # a webhook may quote what it was sent
        return Reason("webhook-error", status.error.replace(token, "<token>")) if status.error else None
    user = status.user
    if user is None or not user.username:
        return Reason("webhook-reply", "the webhook's reply authenticates a user without a name")
    extra = {key: tuple(values or ()) for key, values in (user.extra or {}).items()}
    return AuthenticatedToken(
        User(user.username, tuple(user.groups or ()), user.uid, extra), tuple(status.audiences or ())
    )
