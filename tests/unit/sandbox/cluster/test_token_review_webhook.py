"""The webhook is asked over verified TLS, once, and believed only for what it says."""

import asyncio
import datetime as dt
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.decision import Reason
from iambridge.core.rbac import User
from iambridge.sandbox.cluster import token_review_webhook
from iambridge.sandbox.cluster.authenticated import Answer, AuthenticatedToken
from iambridge.sandbox.cluster.token_review_webhook import TokenReviewWebhook
from iambridge.wire.http import Request, Response

AUDIENCES = ("https://127.0.0.1:8443",)
TOKEN = "k8s-aws-v1.marked-secret"
GOOD = {"authenticated": True, "user": {"username": "jane", "uid": "u", "groups": ["devs"], "extra": {"arn": ["a"]}}}
JANE = AuthenticatedToken(User("jane", ("devs",), "u", {"arn": ("a",)}))


def _status(status: dict[str, Any], code: int = 200, **headers: str) -> Response:
    body = msgspec.json.encode({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status})
    return Response(code, tuple(headers.items()), body)


class Scene:
    """A webhook on a TLS socket that gives `answers` in turn, the last one for ever, and keeps what it was sent."""

    def __init__(self, answers: list[Response]) -> None:
        self.answers = answers
        self.seen: list[Request] = []
        self.clock = 0.0
        self.webhook: TokenReviewWebhook

    async def app(self, request: Request) -> Response:
        self.seen.append(request)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]

    async def ask(self, token: str = TOKEN, audiences: tuple[str, ...] = AUDIENCES) -> Answer:
        return await self.webhook.authenticate(token, audiences)


@asynccontextmanager
async def _serving(directory: Path, answers: list[Response], *, trusted: bool = True) -> AsyncIterator[Scene]:
    now = dt.datetime.now(dt.UTC)
    authority = CertificateAuthority(directory / "pki", name="test", now=now)
    leaf = authority.leaf("webhook", hosts=("127.0.0.1",))
    ca = authority if trusted else CertificateAuthority(directory / "other", name="other", now=now)
    scene = Scene(answers)
    port = free_port()
    server = RunningServer(scene.app, Listener("127.0.0.1", port, leaf.certificate, leaf.key))
    await server.start()
    scene.webhook = TokenReviewWebhook(
        f"https://127.0.0.1:{port}/authenticate",
        ca.certificate_file,
        cache_ttl_authorized=10.0,
        cache_ttl_unauthorized=5.0,
        now=lambda: scene.clock,
        first_delay=0.0,
    )
    try:
        yield scene
    finally:
        await scene.webhook.close()
        await server.stop()


def _run(directory: Path, answers: list[Response], story: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        async with _serving(directory, answers) as scene:
            await story(scene)

    asyncio.run(main())


def test_a_review_is_sent_and_its_user_taken(tmp_path: Path) -> None:
    """A v1 TokenReview with token and audiences is POSTed; the user comes back whole."""

    async def story(scene: Scene) -> None:
        assert await scene.ask() == JANE
        request = scene.seen[0]
        assert (request.method, request.path) == ("POST", "/authenticate")
        review = msgspec.json.decode(request.body)
        assert (review["apiVersion"], review["kind"]) == ("authentication.k8s.io/v1", "TokenReview")
        assert review["spec"] == {"token": TOKEN, "audiences": list(AUDIENCES)}

    _run(tmp_path, [_status(GOOD)], story)


def test_answers_are_kept_for_their_time(tmp_path: Path) -> None:
    """Within its time to live an answer is not asked again, for its token and its audiences only."""

    async def story(scene: Scene) -> None:
        assert await scene.ask() == JANE
        scene.clock = 9.9
        assert await scene.ask() == JANE
        assert len(scene.seen) == 1
        scene.clock = 10.0
        assert await scene.ask() is None
        scene.clock = 14.9
        assert await scene.ask() is None
        assert len(scene.seen) == 2
        scene.clock = 15.0
        await scene.ask()
        assert len(scene.seen) == 3
        await scene.ask("another")
        await scene.ask(audiences=(*AUDIENCES, "b"))
        assert len(scene.seen) == 5

    _run(tmp_path, [_status(GOOD), _status({"authenticated": False})], story)


def test_what_is_kept_does_not_hold_the_token(tmp_path: Path) -> None:
    """The cache is keyed by digest, so that a dump of it opens nothing."""

    async def story(scene: Scene) -> None:
        await scene.ask()
        assert TOKEN.encode() not in b"".join(scene.webhook._answers)
        assert TOKEN not in repr(scene.webhook._answers)

    _run(tmp_path, [_status(GOOD)], story)


def test_the_oldest_answer_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tokens come, only so many answers are kept."""
    monkeypatch.setattr(token_review_webhook, "_MOST_ANSWERS", 2)

    async def story(scene: Scene) -> None:
        for token in ("a", "b", "c", "c", "b", "a"):
            await scene.ask(token)
        asked = [msgspec.json.decode(request.body)["spec"]["token"] for request in scene.seen]
        assert asked == ["a", "b", "c", "a"]

    _run(tmp_path, [_status(GOOD)], story)


def test_one_token_at_one_time_is_one_request(tmp_path: Path) -> None:
    """Fifty callers with one token wait for one review."""

    async def story(scene: Scene) -> None:
        assert set(await asyncio.gather(*(scene.ask() for _ in range(50)))) == {None}
        assert len(scene.seen) == 1

    _run(tmp_path, [_status({"authenticated": False})], story)


def test_an_error_is_not_kept_and_told_without_the_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`status.error` is an error: logged, asked again next time, and cleared of the token it quotes."""

    async def story(scene: Scene) -> None:
        answer = await scene.ask()
        assert isinstance(answer, Reason)
        assert answer.text == "bad token <token>"
        assert await scene.ask() == JANE

    with caplog.at_level(logging.ERROR):
        _run(tmp_path, [_status({"authenticated": False, "error": f"bad token {TOKEN}"}), _status(GOOD)], story)
    assert "bad token <token>" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "outage", [Response(500), Response(504), Response(429), Response(503, (("retry-after", "0"),))]
)
def test_an_outage_is_retried(tmp_path: Path, outage: Response) -> None:
    """429, 500, 504 and any answer with Retry-After are asked again, five times in all."""

    async def recovers(scene: Scene) -> None:
        assert await scene.ask() == JANE
        assert len(scene.seen) == 3

    async def stays(scene: Scene) -> None:
        answer = await scene.ask()
        assert isinstance(answer, Reason)
        assert answer.facts["status"] == str(outage.status)
        assert len(scene.seen) == 5

    _run(tmp_path / "a", [outage, outage, _status(GOOD)], recovers)
    _run(tmp_path / "b", [outage], stays)


@pytest.mark.parametrize(
    "reply",
    [
        _status(GOOD, 403),
        _status(GOOD, 503),
        Response(302, (("location", "/elsewhere"),)),
        Response(200, (), b"no json"),
        Response(200, (), b'{"status":{"authenticated":"yes"}}'),
        Response(200, (), b" " * (1024 * 1024 + 1)),
        _status({"authenticated": True}),
        _status({"authenticated": True, "user": {"username": ""}}),
    ],
)
def test_anything_but_a_clear_answer_is_an_error(tmp_path: Path, reply: Response) -> None:
    """Another status, a redirect, a broken, huge or nameless reply authenticates nobody and is not retried."""

    async def story(scene: Scene) -> None:
        assert isinstance(await scene.ask(), Reason)
        assert len(scene.seen) == 1

    _run(tmp_path, [reply], story)


@pytest.mark.parametrize("audiences", [(), ("vault",)])
def test_audiences_are_the_webhooks(tmp_path: Path, audiences: tuple[str, ...]) -> None:
    """What the reply says of audiences is passed on: nothing means the API server's own."""

    async def story(scene: Scene) -> None:
        assert await scene.ask() == AuthenticatedToken(JANE.user, audiences)

    _run(tmp_path, [_status({**GOOD, "audiences": list(audiences)})], story)


def test_only_the_given_authority_is_trusted(tmp_path: Path) -> None:
    """A certificate of another CA gets no token and authenticates nobody."""

    async def main() -> None:
        async with _serving(tmp_path, [_status(GOOD)], trusted=False) as scene:
            answer = await scene.ask()
            assert isinstance(answer, Reason)
            assert "Certificate" in answer.text
            assert scene.seen == []

    asyncio.run(main())


def test_a_reset_connection_is_retried_and_a_refused_one_is_not(tmp_path: Path) -> None:
    """A connection that ends without an answer is asked again, five times in all; no listener is an error at once."""

    async def main() -> None:
        authority = CertificateAuthority(tmp_path, name="test", now=dt.datetime.now(dt.UTC))
        leaf = authority.leaf("webhook", hosts=("127.0.0.1",))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.certificate, leaf.key)
        port, connections = free_port(), 0

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.read(1)
            writer.close()

        webhook = TokenReviewWebhook(
            f"https://127.0.0.1:{port}/", authority.certificate_file, now=lambda: 0.0, first_delay=0.0
        )
        assert isinstance(await webhook.authenticate(TOKEN, AUDIENCES), Reason)
        server = await asyncio.start_server(hang_up, "127.0.0.1", port, ssl=context)
        assert isinstance(await webhook.authenticate(TOKEN, AUDIENCES), Reason)
        assert connections == 5
        await webhook.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())
