"""The AWS SDK for JavaScript v3, unmodified, calls IAM: values, pages and errors arrive as its own classes."""

import asyncio
import json
import subprocess
from pathlib import Path

from tests.conformance.sdk_peers import javascript
from tests.conformance.test_sdk_matrix import World, running

_RUN_SECONDS = 300
PARTS = {
    "users", "accessKeys", "groups", "rolesAndBoundary", "instanceProfiles", "managedPolicyVersions", "oidcProviders",
    "tags", "accountAliasAndSummary", "serviceLinkedRoles", "simulation", "pages", "authorizationDetails", "errors",
}  # fmt: skip


def test_every_iam_call_is_as_the_sdk_expects(peer_cache: Path, tmp_path: Path) -> None:
    """Each part of the program asserts on what the SDK parsed; a part that failed is told with its line."""
    command = javascript(peer_cache, "iam.mjs")

    def run(world: World) -> subprocess.CompletedProcess[str]:
        admin = world.side.account.admin
        keys = {"AWS_ACCESS_KEY_ID": admin.id, "AWS_SECRET_ACCESS_KEY": admin.secret}
        return subprocess.run(
            [*command, world.issuer],
            env=world.environment | keys,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )

    async def play() -> None:
        async with running(tmp_path) as world:
            done = await asyncio.to_thread(run, world)
            assert done.returncode == 0, done.stderr
            outcome = json.loads(done.stdout)
            assert set(outcome) == PARTS
            assert "\n".join(f"{part}: {said}" for part, said in outcome.items() if said != "passed") == ""

    asyncio.run(play())
