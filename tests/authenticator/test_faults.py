"""Faults under load: what a user sees of each, who stays in and who stays out.

The load is bounded: at most two hundred logins at once, each leg waits for a condition and not for a time.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from iambridge.adapters.certificates import CertificateAuthority

from .world import ACCOUNT, MAP_USERS, OUTSIDER, Daemon, Surroundings

LOGINS = 200
BROKEN = "- userarn: arn\n  username: x: // do not change\n"
MAP_BOTH = MAP_USERS + f"- userarn: arn:aws:iam::{ACCOUNT}:user/outsider\n  username: outsider\n"


def play(directory: Path, story: Callable[[Surroundings, Daemon], Awaitable[None]], *flags: str) -> None:
    async def run() -> None:
        world = Surroundings(directory)
        await world.start("api")
        await world.start("sts")
        try:
            async with world.authenticator(*flags) as daemon:
                await story(world, daemon)
        finally:
            await world.stop()

    asyncio.run(run())


async def storm(daemon: Daemon, tokens: list[str]) -> Counter[str]:
    """All tokens at once; counts `in`, `out`, and the status of whatever else was answered."""

    def name(code: int, status: dict[str, Any]) -> str:
        return ("in" if status["authenticated"] else "out") if code == 200 else str(code)

    return Counter(name(*answer) for answer in await asyncio.gather(*(daemon.review(token) for token in tokens)))


def fresh(world: Surroundings, count: int = LOGINS, start: int = 1) -> list[str]:
    """Tokens that differ by X-Amz-Expires, none of them seen before."""
    return [world.token(expires=number) for number in range(start, start + count)]


@pytest.mark.parametrize(
    ("mode", "code", "words", "metric"),
    [
        ("throttling", "429", "STS throttles GetCallerIdentity", 'latency_seconds_count{result="sts_throttling"}'),
        ("failing", "503", "STS is not available", 'sts_responses_total{ResponseCode="500",StsRegion="custom"}'),
        ("down", "503", "STS is not available", 'sts_connection_failures_total{StsRegion="custom"}'),
        ("wrong certificate", "503", "STS is not available", 'sts_connection_failures_total{StsRegion="custom"}'),
    ],
)
def test_a_sick_sts_is_an_outage_and_never_a_refusal(
    tmp_path: Path, mode: str, code: str, words: str, metric: str
) -> None:
    """Whoever was proven a moment ago stays in, others are told to come back, nobody is told no; and it heals by itself."""

    async def story(world: Surroundings, daemon: Daemon) -> None:
        proven = world.token(expires=900)
        await daemon.becomes(proven, authenticated=True)
        world.sts.mode = mode
        if mode in {"down", "wrong certificate"}:
            await world.stop("sts")
        if mode == "wrong certificate":
            other = CertificateAuthority(tmp_path / "other", name="other", now=dt.datetime.now(dt.UTC))
            await world.start("sts", authority=other)
        answers = await storm(daemon, [*fresh(world), proven])
        assert answers == {code: LOGINS, "in": 1}
        assert words in (await daemon.review(world.token(expires=800)))[1]["text"]
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": world.token(expires=801)},
        }
        async with daemon.http.post(daemon.url + "/authenticate", json=body) as answer:
            assert answer.headers["retry-after"] == {"429": "5", "503": "2"}[code]
        await daemon.shows(metric)
        assert (await daemon.get("/readyz"))[0] == 200
        log = daemon.log.read_text()
        assert "X-Amz-Signature" not in log
        assert "k8s-aws-v1." not in log
        world.sts.mode = "well"
        if mode == "wrong certificate":
            await world.stop("sts")
        if mode in {"down", "wrong certificate"}:
            await world.start("sts")
        assert await storm(daemon, fresh(world)) == {"in": LOGINS}

    play(tmp_path, story)


def test_a_slow_sts_lets_everybody_in_a_little_later(tmp_path: Path) -> None:
    """Two hundred logins with an STS of 300 ms: nobody fails, equal tokens ask once, and the server stays ready."""

    async def story(world: Surroundings, daemon: Daemon) -> None:
        world.sts.delay = 0.3
        tokens = fresh(world)
        answers = await storm(daemon, [*tokens, *tokens])
        assert answers == {"in": 2 * LOGINS}
        assert world.sts.calls == LOGINS
        assert (await daemon.get("/readyz"))[0] == 200

    play(tmp_path, story)


def test_an_api_server_that_goes_away_throws_out_nobody(tmp_path: Path) -> None:
    """While it is away the mapping stays as it was; whom an edit removed before that stays out, and edits made in the
    meantime count as soon as it is back."""

    async def story(world: Surroundings, daemon: Daemon) -> None:
        await daemon.becomes(world.token(), authenticated=True)
        world.api.edit({"mapUsers": MAP_BOTH})
        await daemon.becomes(world.token(OUTSIDER), authenticated=True)
        world.api.edit({"mapUsers": MAP_USERS})
        await daemon.becomes(world.token(OUTSIDER), authenticated=False)
        await world.stop("api")
        answers = await storm(daemon, [*fresh(world), world.token(OUTSIDER, expires=700)])
        assert answers == {"in": LOGINS, "out": 1}
        world.api.edit({"mapUsers": "[]"}, watched=False)
        await world.start("api")
        status = await daemon.becomes(world.token(), authenticated=False)
        assert "is in no mapRoles, mapUsers or mapAccounts" in status["error"]

    play(tmp_path, story)


def test_a_broken_document_throws_out_nobody_and_brings_back_nobody(tmp_path: Path) -> None:
    """The section's last good version stays; the fault is an Event with its line; a definite edit after it counts."""

    async def story(world: Surroundings, daemon: Daemon) -> None:
        world.api.edit({"mapUsers": MAP_BOTH})
        await daemon.becomes(world.token(OUTSIDER), authenticated=True)
        world.api.edit({"mapUsers": MAP_USERS})
        await daemon.becomes(world.token(OUTSIDER), authenticated=False)
        world.api.edit({"mapUsers": BROKEN})
        assert (await world.told("AwsAuthFault")).startswith("mapUsers line 2: the section is not YAML")
        await daemon.shows('mapping_stale_sections{source="EKSConfigMap"} 1')
        answers = await storm(daemon, [*fresh(world), world.token(OUTSIDER, expires=700)])
        assert answers == {"in": LOGINS, "out": 1}
        world.api.edit({"mapUsers": "[]"})
        await daemon.becomes(world.token(), authenticated=False)

    play(tmp_path, story)


def test_a_deleted_and_an_empty_document_map_nobody(tmp_path: Path) -> None:
    """Either is definite: all are out, with an error that kube-apiserver does not cache, and come back with the document."""

    async def story(world: Surroundings, daemon: Daemon) -> None:
        for gone in (None, {}, {"mapUsers": ""}):
            await daemon.becomes(world.token(), authenticated=True)
            world.api.edit(gone)
            status = await daemon.becomes(world.token(), authenticated=False)
            assert status["error"]
            assert await storm(daemon, fresh(world, start=300)) == {"out": LOGINS}
            world.api.edit({"mapUsers": MAP_USERS})

    play(tmp_path, story)


def test_ten_thousand_entries_are_read_beside_the_logins(tmp_path: Path) -> None:
    """Each edit of a large document counts, the newest wins, and logins go on meanwhile."""
    many = "".join(
        f"- rolearn: arn:aws:iam::{ACCOUNT}:role/r{number}\n  username: u{number}\n  groups:\n  - g\n"
        for number in range(10_000)
    )

    async def story(world: Surroundings, daemon: Daemon) -> None:
        for users in (MAP_BOTH, MAP_USERS, MAP_BOTH, MAP_USERS):
            world.api.edit({"mapRoles": many, "mapUsers": users})
        assert await storm(daemon, fresh(world)) == {"in": LOGINS}
        await daemon.shows('mapping_entries{source="EKSConfigMap"} 10001')
        await daemon.becomes(world.token(OUTSIDER), authenticated=False)
        assert await storm(daemon, fresh(world)) == {"in": LOGINS}

    play(tmp_path, story)
