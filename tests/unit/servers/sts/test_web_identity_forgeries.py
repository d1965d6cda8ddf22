"""Tokens that look like good ones, sent by boto3 to a real STS which fetches the issuer's keys."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.unit.servers.sts.conftest import World, running

CORPUS = json.loads((Path(__file__).parents[3] / "cases/sts_forgeries/lookalikes.json").read_bytes())


def _filled(value: Any, world: World) -> Any:
    if not isinstance(value, str):
        return value
    return value.replace("$ISSUER", world.issuer).replace("$HOST", world.issuer.removeprefix("https://"))


def test_no_lookalike_of_an_issuer_or_subject_is_taken_for_it(tmp_path: Path) -> None:
    """Every case is refused with its code and words over the wire, and the token without a change is taken."""

    async def play() -> None:
        async with running(tmp_path) as world:
            await world.assume(world.token())
            for case in CORPUS["cases"]:
                claims = {name: _filled(value, world) for name, value in case["claims"].items()}
                code, message, status = await world.refusal(world.token(**claims))
                assert code == case["code"], case["name"]
                assert message.startswith(_filled(case["message"], world)), case["name"]
                assert status == (403 if code == "AccessDenied" else 400), case["name"]
            refused = [decision for decision in world.log.decisions if not decision.allowed]
            assert len(refused) == len(CORPUS["cases"])
            assert all(decision.reasons and decision.fix for decision in refused)

    asyncio.run(play())
