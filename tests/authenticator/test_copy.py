"""The persisted copy of aws-auth: what a server that starts in an outage, or before a broken document, lets in."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from .world import ACCOUNT, MAP_USERS, OUTSIDER, Surroundings

BROKEN = "- userarn: arn\n  username: x: // do not change\n"
MAP_OUTSIDER = f"- userarn: arn:aws:iam::{ACCOUNT}:user/outsider\n  username: outsider\n"
IN_USE = 'mapping_from_copy{source="EKSConfigMap"} 1\n'
NOT_IN_USE = 'mapping_from_copy{source="EKSConfigMap"} 0\n'


def play(directory: Path, story: Callable[[Surroundings], Awaitable[None]]) -> None:
    async def run() -> None:
        world = Surroundings(directory)
        await world.start("api")
        await world.start("sts")
        try:
            await story(world)
        finally:
            await world.stop()

    asyncio.run(run())


def test_an_outage_of_the_api_server_at_a_start_throws_out_nobody(tmp_path: Path) -> None:
    """The copy stands in, is shown and told, and the document counts again as soon as it can be had."""

    async def story(world: Surroundings) -> None:
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(), authenticated=True)
        assert (tmp_path / "state/aws-auth.json").stat().st_mode & 0o777 == 0o600
        await world.stop("api")
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(), authenticated=True)
            assert (await daemon.review(world.token(OUTSIDER)))[1]["authenticated"] is False
            await daemon.shows(IN_USE)
            world.api.edit({"mapUsers": MAP_OUTSIDER}, watched=False)
            await world.start("api")
            await daemon.becomes(world.token(OUTSIDER), authenticated=True)
            await daemon.becomes(world.token(), authenticated=False)
            await daemon.shows(NOT_IN_USE)
            assert "the API server cannot be reached" in await world.told("AwsAuthCopyInUse")

    play(tmp_path, story)


def test_whom_a_definite_edit_removed_stays_out_in_an_outage_after_it(tmp_path: Path) -> None:
    """The edit is in the copy before it is in effect, so that not even a kill at that moment brings anybody back."""

    async def story(world: Surroundings) -> None:
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(), authenticated=True)
            world.api.edit({"mapUsers": MAP_OUTSIDER})
            await daemon.becomes(world.token(), authenticated=False)
        await world.stop("api")
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(OUTSIDER), authenticated=True)
            assert (await daemon.review(world.token()))[1]["authenticated"] is False

    play(tmp_path, story)


def test_a_broken_section_at_a_start_is_served_from_the_copy_and_the_others_are_not(tmp_path: Path) -> None:
    """What can be read counts at once, across the restart; the rest stays as it was until its time is over."""
    roles = f"- rolearn: arn:aws:iam::{ACCOUNT}:role/r\n  username: r\n"

    async def story(world: Surroundings) -> None:
        world.api.edit({"mapUsers": MAP_USERS, "mapRoles": roles, "mapAccounts": f'["{ACCOUNT}"]'})
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(OUTSIDER), authenticated=True)
        world.api.edit({"mapUsers": BROKEN, "mapRoles": roles}, watched=False)
        async with world.authenticator("--aws-auth-copy-max-age", "15s") as daemon:
            assert (await daemon.review(world.token(OUTSIDER)))[1]["authenticated"] is False
            assert (await daemon.review(world.token()))[1]["authenticated"] is True
            await daemon.shows(IN_USE)
            assert "a section cannot be read: mapUsers" in await world.told("AwsAuthCopyInUse")
            await daemon.becomes(world.token(), authenticated=False)
            await daemon.shows(NOT_IN_USE)
            await daemon.shows('mapping_entries{source="EKSConfigMap"} 1\n')
        world.api.edit({"mapUsers": MAP_USERS}, watched=False)
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(), authenticated=True)

    play(tmp_path, story)


def test_a_deleted_config_map_leaves_no_copy(tmp_path: Path) -> None:
    """Deleted while the server was away, or while its watch was: nobody is in, in an outage after it neither."""

    async def story(world: Surroundings) -> None:
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(), authenticated=True)
            await world.stop("api")
            world.api.edit(None, watched=False)
            await daemon.becomes(world.token(), authenticated=True)
            await world.start("api")
            await daemon.becomes(world.token(), authenticated=False)
            world.api.edit({"mapUsers": MAP_USERS})
            await daemon.becomes(world.token(), authenticated=True)
        world.api.edit(None, watched=False)
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(), authenticated=False)
            assert not (tmp_path / "state/aws-auth.json").exists()
        await world.stop("api")
        async with world.authenticator(wait="/healthz") as daemon:
            assert (await daemon.review(world.token()))[0] == 503

    play(tmp_path, story)


@pytest.mark.parametrize("how", ["expired", "others-may-read", "garbage", "refused"])
def test_a_copy_that_does_not_count_lets_nobody_in(tmp_path: Path, how: str) -> None:
    """Old, open to others, or no copy at all: the server is not ready. Nor does an API server that refuses stand for one
    that is away."""

    async def story(world: Surroundings) -> None:
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(), authenticated=True)
        copy = tmp_path / "state/aws-auth.json"
        flags = ("--aws-auth-copy-max-age", "0.001s") if how == "expired" else ()
        if how == "others-may-read":
            copy.chmod(0o640)
        if how == "garbage":
            copy.write_bytes(b'{"format": 1}')
        if how == "refused":
            world.api.refusal = True
        else:
            await world.stop("api")
        async with world.authenticator(*flags, wait="/healthz") as daemon:
            await asyncio.sleep(1.0)
            assert (await daemon.review(world.token()))[0] == 503
            assert "not read yet" in (await daemon.get("/readyz"))[1]

    play(tmp_path, story)


def test_another_clusters_copy_stands_in_for_no_broken_section(tmp_path: Path) -> None:
    """A state directory that moved to another cluster brings nobody along."""

    async def story(world: Surroundings) -> None:
        async with world.authenticator() as daemon:
            await daemon.becomes(world.token(), authenticated=True)
        world.api.cluster_uid = "c-2"
        world.api.edit({"mapUsers": BROKEN}, watched=False)
        async with world.authenticator() as daemon:
            assert (await daemon.review(world.token()))[1]["authenticated"] is False
            await daemon.shows(NOT_IN_USE)

    play(tmp_path, story)
