"""What STS said of a token is kept for a while, by the exact token, and nothing else is."""

import asyncio
import datetime as dt

import pytest

from iambridge.core.authenticator_token import CallerIdentity, PresignedCallerIdentity
from iambridge.core.decision import Reason
from iambridge.errors import ServiceUnavailable, Throttling
from iambridge.servers.caller_identity_cache import CachedCallerIdentities

ALICE = CallerIdentity(
    "111122223333", "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/alice", "AIDA", "", "AKIA"
)
PRESIGNED = PresignedCallerIdentity("sts.amazonaws.com", "AKIA", "us-east-1", "20260101T000000Z",
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 60, ("host", "x-k8s-aws-id"), "", "0" * 64)  # fmt: skip


class Sts:
    """An STS that answers when it is let, with what it was given."""

    def __init__(self, answer: CallerIdentity | Reason | Exception = ALICE) -> None:
        self.answer = answer
        self.go = asyncio.Event()
        self.go.set()
        self.clusters: list[str] = []

    async def caller_identity(self, presigned: PresignedCallerIdentity, cluster_id: str) -> CallerIdentity | Reason:
        self.clusters.append(cluster_id)
        await self.go.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Clock:
    now = 1000.0


def cache(
    sts: Sts, *, ttl: float = 60, size: int = 10, cluster: str = "a", endpoint: str = ""
) -> CachedCallerIdentities:
    return CachedCallerIdentities(sts, cluster_id=cluster, endpoint=endpoint, ttl=ttl, now=lambda: Clock.now, size=size)


def test_many_who_ask_at_once_ask_once() -> None:
    """One call a token; a waiter that goes away takes nobody's answer with it."""

    async def play() -> None:
        sts = Sts()
        sts.go.clear()
        callers = cache(sts)
        key = callers.key("t")
        waiting = [asyncio.create_task(callers.caller_identity(key, PRESIGNED)) for _ in range(50)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        sts.go.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert answers[1:] == [ALICE] * 49
        assert len(sts.clusters) == 1
        known = callers.known(key)
        assert known is not None
        assert (known.identity, known.presigned) == (ALICE, PRESIGNED)

    asyncio.run(play())


def test_an_identity_is_kept_for_its_time_and_no_longer() -> None:
    """At the end of its time it is asked for again; with 0 nothing is kept."""

    async def play() -> None:
        Clock.now = 1000.0
        callers = cache(Sts())
        key = callers.key("t")
        await callers.caller_identity(key, PRESIGNED)
        Clock.now = 1059.9
        assert callers.known(key) is not None
        Clock.now = 1060.0
        assert callers.known(key) is None
        off = cache(Sts(), ttl=0)
        await off.caller_identity(off.key("t"), PRESIGNED)
        assert off.known(off.key("t")) is None

    asyncio.run(play())


@pytest.mark.parametrize(
    "answer", [Reason("sts-refused", "no"), Throttling("wait", fix="wait"), ServiceUnavailable("away", fix="wait")]
)
def test_what_is_no_identity_is_never_kept(answer: Reason | Exception) -> None:
    """A refusal may be mended, an outage will be."""

    async def play() -> None:
        sts = Sts(answer)
        callers = cache(sts)
        key = callers.key("t")
        for _ in range(2):
            if isinstance(answer, Exception):
                with pytest.raises(type(answer)):
                    await callers.caller_identity(key, PRESIGNED)
            else:
                assert await callers.caller_identity(key, PRESIGNED) == answer
        assert callers.known(key) is None
        assert len(sts.clusters) == 2

    asyncio.run(play())


def test_the_oldest_goes_when_there_is_no_room() -> None:
    """The cache is bounded."""

    async def play() -> None:
        callers = cache(Sts(), size=3)
        for number in range(5):
            await callers.caller_identity(callers.key(str(number)), PRESIGNED)
        assert [callers.known(callers.key(str(number))) is not None for number in range(5)] == [
            False,
            False,
            True,
            True,
            True,
        ]

    asyncio.run(play())


def test_one_tokens_key_is_of_one_cluster_and_one_sts() -> None:
    """The same token at another cluster, or vouched for by another STS, is another question."""
    keys = {
        cache(Sts(), cluster=cluster, endpoint=sts).key("t")
        for cluster in "ab"
        for sts in ("", "https://sts.example.org")
    }
    assert len(keys) == 4
    assert len({cache(Sts()).key(token) for token in ("t", "t ", "T")}) == 3


def test_too_many_open_calls_are_told_to_come_back() -> None:
    """A flood of distinct tokens does not pile up without end."""

    async def play() -> None:
        sts = Sts()
        sts.go.clear()
        callers = cache(sts)
        waiting = [asyncio.create_task(callers.caller_identity(callers.key(str(n)), PRESIGNED)) for n in range(2048)]
        await asyncio.sleep(0)
        with pytest.raises(Throttling):
            await callers.caller_identity(callers.key("one more"), PRESIGNED)
        sts.go.set()
        assert set(await asyncio.gather(*waiting)) == {ALICE}

    asyncio.run(play())
