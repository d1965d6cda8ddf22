"""Programs in JavaScript whose parts assert on what the SDK parsed, played against a running account."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.conformance.test_sdk_matrix import World, running

_RUN_SECONDS = 300


def outcomes(directory: Path, command: Callable[[World], list[str]]) -> dict[str, str]:
    """What the administrator's run of the program says of each part; a part that failed is told with its line."""

    def run(world: World) -> subprocess.CompletedProcess[str]:
        admin = world.side.account.admin
        keys = {"AWS_ACCESS_KEY_ID": admin.id, "AWS_SECRET_ACCESS_KEY": admin.secret}
        return subprocess.run(
            command(world),
            env=world.environment | keys,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )

    async def play() -> dict[str, str]:
        async with running(directory) as world:
            done = await asyncio.to_thread(run, world)
            assert done.returncode == 0, done.stderr
            found: dict[str, str] = json.loads(done.stdout)
            return found

    return asyncio.run(play())


def all_passed(found: dict[str, str], parts: set[str]) -> None:
    assert set(found) == parts
    assert "\n".join(f"{part}: {said}" for part, said in found.items() if said != "passed") == ""
