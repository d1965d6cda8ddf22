"""The dynamic file on a real disk: followed, removed, unreadable."""

import asyncio
import json
from pathlib import Path

from iambridge.adapters.dynamic_file import DynamicFileMappings
from iambridge.core.aws_auth import Rules


def written(*names: str, updated: int = 0) -> str:
    entries = [{"userarn": f"arn:aws:iam::111122223333:user/{name}", "username": name} for name in names]
    return json.dumps({"mapUsers": entries, "LastUpdatedDateTime": str(updated)})


def usernames(followed: DynamicFileMappings) -> list[str]:
    return [entry.username for entry in followed.mappings.entries]


def test_each_version_has_its_effect(tmp_path: Path) -> None:
    """An edit counts at the next look, a broken or unreadable one changes nothing, a removal clears, and all is counted."""
    file = tmp_path / "map.json"
    failures: list[int] = []
    latencies: list[float] = []
    followed = DynamicFileMappings(
        file, rules=Rules(), now=lambda: 1000.0, failed=lambda: failures.append(1), latency=latencies.append
    )

    async def play() -> None:
        followed.load()
        assert usernames(followed) == []
        file.write_text(written("a", updated=900))
        await followed.follow()
        assert usernames(followed) == ["a"]
        assert latencies == []
        file.write_text(written("a", "b", updated=990))
        await followed.follow()
        assert usernames(followed) == ["a", "b"]
        assert latencies == [10.0]
        for broken in ("{", '{"mapUsers": {}}', "\xff"):
            file.write_text(broken, encoding="latin-1")
            await followed.follow()
            assert usernames(followed) == ["a", "b"]
        assert len(failures) == 3
        file.unlink()
        file.mkdir()
        await followed.follow()
        assert usernames(followed) == ["a", "b"]
        assert len(failures) == 4
        file.rmdir()
        await followed.follow()
        assert usernames(followed) == []
        file.write_text(written("c"))
        await followed.follow()
        assert usernames(followed) == ["c"]

    asyncio.run(play())


def test_a_replaced_file_is_no_removed_one(tmp_path: Path) -> None:
    """A rename over the file and a mount's symbolic link are changes like any other."""
    first, second, link = tmp_path / "1.json", tmp_path / "2.json", tmp_path / "map.json"
    first.write_text(written("a"))
    second.write_text(written("b"))
    link.symlink_to(first)
    followed = DynamicFileMappings(link, rules=Rules(), now=lambda: 0.0)

    async def play() -> None:
        followed.load()
        assert usernames(followed) == ["a"]
        fresh = tmp_path / "fresh"
        fresh.symlink_to(second)
        fresh.replace(link)
        await followed.follow()
        assert usernames(followed) == ["b"]

    asyncio.run(play())
