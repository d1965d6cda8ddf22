"""What the AWS SDK for JavaScript v3 computes of S3 bodies is what is computed here, and it takes the answers for whole."""

import asyncio
import json
import subprocess
from pathlib import Path

from tests.conformance.sdk_peers import javascript
from tests.conformance.test_sdk_matrix import World, running

_RUN_SECONDS = 120
PARTS = {"theDefault", "inAHeader", "inATrailer", "ofAnotherBody", "multipart"}


def test_every_checksum_of_the_sdk_is_verified_on_both_sides(peer_cache: Path, tmp_path: Path) -> None:
    """In headers, in trailers and in parts; the SDK verifies what it reads back."""
    command = javascript(peer_cache, "checksums.mjs")

    def run(world: World) -> subprocess.CompletedProcess[str]:
        admin = world.side.account.admin
        keys = {"AWS_ACCESS_KEY_ID": admin.id, "AWS_SECRET_ACCESS_KEY": admin.secret}
        environment = world.environment | keys
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False
        )

    async def play() -> None:
        async with running(tmp_path) as world:
            done = await asyncio.to_thread(run, world)
            assert done.returncode == 0, done.stderr
            outcome = json.loads(done.stdout)
            assert set(outcome) == PARTS
            assert "\n".join(f"{part}: {said}" for part, said in outcome.items() if said != "passed") == ""

    asyncio.run(play())
