import asyncio
import datetime as dt
from pathlib import Path

import pytest

from iambridge.sandbox.cluster.kubelet.logs import ContainerLog, LogOptions, read

LINES = "".join(f"2026-01-01T00:00:0{second}.000000000Z stdout F line {second}\n" for second in range(5))
NOW = dt.datetime(2026, 1, 1, 0, 0, 10, tzinfo=dt.UTC)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    path.write_text(LINES)
    return path


def said(path: Path, options: LogOptions) -> str:
    async def gather() -> bytes:
        return b"".join([part async for part in read(path, options, now=NOW.timestamp(), writing=None)])

    return asyncio.run(gather()).decode()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (LogOptions(tail_lines=2), "line 3\nline 4\n"),
        (LogOptions(tail_lines=0), ""),
        (LogOptions(since_seconds=6), "line 4\n"),
        (LogOptions(since_time=NOW.replace(second=3)), "line 3\nline 4\n"),
        (LogOptions(limit_bytes=9), "line 0\nli"),
        (LogOptions(tail_lines=1, timestamps=True), "2026-01-01T00:00:04.000000000Z line 4\n"),
        (LogOptions(follow=True, tail_lines=1), "line 4\n"),
    ],
)
def test_options(log: Path, options: LogOptions, text: str) -> None:
    """Each of PodLogOptions cuts the log as core/v1 says."""
    assert said(log, options) == text


def test_follow_ends_with_the_process(tmp_path: Path) -> None:
    """A follower gets what is written after it came, and ends when the container does."""

    async def story() -> list[bytes]:
        log = ContainerLog(tmp_path / "log", NOW.timestamp)
        reader = asyncio.StreamReader()
        pump = asyncio.create_task(log.pump("stdout", reader))
        parts: list[bytes] = []

        async def follow() -> None:
            async for part in read(log.path, LogOptions(follow=True), now=0, writing=log):
                parts.append(part)
                if part == b"one\n":
                    reader.feed_data(b"two\n")
                    reader.feed_eof()
                    await pump
                    await log.close()

        following = asyncio.create_task(follow())
        await asyncio.sleep(0)
        reader.feed_data(b"one\n")
        await following
        return parts

    assert asyncio.run(story()) == [b"one\n", b"two\n"]


def test_long_line_is_one_line_again(tmp_path: Path) -> None:
    """A line longer than a record is split on disk and whole when read."""

    async def story() -> None:
        log = ContainerLog(tmp_path / "log", NOW.timestamp)
        reader = asyncio.StreamReader()
        reader.feed_data(b"x" * 40_000 + b"\nnext\n")
        reader.feed_eof()
        await log.pump("stdout", reader)
        await log.close()

    asyncio.run(story())
    assert said(tmp_path / "log", LogOptions()) == "x" * 40_000 + "\nnext\n"
    assert said(tmp_path / "log", LogOptions(tail_lines=1)) == "next\n"
