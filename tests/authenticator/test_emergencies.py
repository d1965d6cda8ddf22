"""Break-glass, pinned principals and the decision log, on the running daemon."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from iambridge.cli.authenticator_backends import Backends, Fixed
from iambridge.core import sigv4
from iambridge.core.aws_auth import Mappings

from .world import ACCOUNT, OUTSIDER, READER, Daemon, Surroundings

BREAK_GLASS = f"arn:aws:iam::{ACCOUNT}:user/outsider"


def play(
    directory: Path,
    story: Callable[[Surroundings, Daemon], Awaitable[None]],
    *flags: str,
    api: bool = True,
    wait: str = "/readyz",
) -> None:
    async def run() -> None:
        world = Surroundings(directory)
        if api:
            await world.start("api")
        await world.start("sts")
        try:
            async with world.authenticator(*flags, wait=wait) as daemon:
                await story(world, daemon)
        finally:
            await world.stop()

    asyncio.run(run())


def test_break_glass_gets_in_whatever_aws_auth_says(tmp_path: Path) -> None:
    """As system:masters, proved by STS, with an Event and a count for each use; nobody else is let in by it."""

    async def story(world: Surroundings, daemon: Daemon) -> None:
        world.api.edit(None)
        await daemon.becomes(world.token(), authenticated=False)
        user = (await daemon.becomes(world.token(OUTSIDER), authenticated=True))["user"]
        assert (user["username"], user["groups"]) == (f"break-glass:{BREAK_GLASS}", ["system:masters"])
        assert BREAK_GLASS in await world.told("BreakGlassLogin")
        await daemon.shows("aws_iam_authenticator_break_glass_total 1\n")
        forged = world.token(sigv4.Credentials(OUTSIDER.access_key_id, "guessed"), expires=61)
        assert (await daemon.review(forged))[1] == {"authenticated": False}

    play(tmp_path, story, "--break-glass-arn", BREAK_GLASS)


def test_break_glass_does_not_wait_for_aws_auth(tmp_path: Path) -> None:
    """An API server that does not give it out is one of the days that it is for; all others get 503 until it does."""

    async def story(world: Surroundings, daemon: Daemon) -> None:
        assert (await daemon.get("/readyz"))[0] == 503
        assert (await daemon.review(world.token(OUTSIDER)))[1]["authenticated"] is True
        assert (await daemon.review(world.token()))[0] == 503

    play(tmp_path, story, "--break-glass-arn", BREAK_GLASS, api=False, wait="/healthz")


def test_a_principal_made_again_is_refused_and_told(tmp_path: Path) -> None:
    """With pinning on, who bears a pinned name with another unique id stays out, and an Event says so."""

    def users(unique_id: str) -> dict[str, str]:
        return {
            "mapUsers": f"- userarn: arn:aws:iam::{ACCOUNT}:user/pod-reader\n  username: a\n  userid: {unique_id}\n"
        }

    async def story(world: Surroundings, daemon: Daemon) -> None:
        world.api.edit(users("AIDAOTHEROTHEROTHER1"))
        status = await daemon.becomes(world.token(), authenticated=False)
        assert "the principal was deleted and made again" in status["error"]
        assert "is pinned to another unique id" in await world.told("PrincipalRecreated")
        await daemon.shows('denied_total{reason="principal-recreated"}')

    play(tmp_path, story, "--pin-principal-ids")


def test_each_review_is_one_line_that_says_why(tmp_path: Path) -> None:
    """The principal, the entry with its line, the groups, or the check that failed; and never what the token was."""

    async def story(world: Surroundings, daemon: Daemon) -> None:
        await daemon.becomes(world.token(), authenticated=True)
        await daemon.review(world.token(OUTSIDER))
        await daemon.review("k8s-aws-v1.!")
        lines: list[dict[str, Any]] = []
        for _ in range(200):
            text = daemon.log.read_text()
            lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
            if len(lines) >= 3:
                break
            await asyncio.sleep(0.05)
        found, missed, bent = lines
        assert (found["outcome"], found["arn"]) == ("allowed", f"arn:aws:iam::{ACCOUNT}:user/pod-reader")
        assert [reason["code"] for reason in found["reasons"]] == ["caller-proven", "mapping-found", "user-rendered"]
        assert found["reasons"][1]["where"] == "mapUsers line 1, [0]"
        assert found["reasons"][2]["facts"] == {"username": "pod-reader", "groups": "pod-readers"}
        assert [reason["code"] for reason in missed["reasons"]] == ["caller-proven", "not-mapped"]
        assert f"userarn: arn:aws:iam::{ACCOUNT}:user/outsider" in missed["fix"]
        assert [reason["code"] for reason in bent["reasons"]] == ["token-encoding"]
        for secret in ("k8s-aws-v1.", "X-Amz-Signature", READER.secret_access_key):
            assert secret not in text

    play(tmp_path, story)


@pytest.mark.parametrize("name", ["MountedFile", "EKSConfigMap", "CRD", "DynamicFile"])
def test_reserved_prefixes_reach_every_backend(name: str) -> None:
    """None of them is left out, as two of the original's were for years."""
    backends = Backends({name: Fixed(Mappings())}, {name: ("system:",)}, Mappings())
    assert [source.reserved_prefixes for source in backends.sources()] == [("system:",)]
