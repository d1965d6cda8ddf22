"""Container logs on disk, in the CRI format: `<RFC 3339 time> <stdout|stderr> <F|P> <text>`, one file a start.

`P` marks a part of a line that had no end yet. Reading follows core/v1 PodLogOptions.
"""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_LONGEST_PART = 16 * 1024
_CHUNK = 64 * 1024

_Record = tuple[str, bytes, bool]


@dataclass(frozen=True, slots=True)
class LogOptions:
    """core/v1 PodLogOptions. `tail_lines`, `limit_bytes` and `since_seconds` are None when not asked for."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since_seconds: int | None = None
    since_time: dt.datetime | None = None


class ContainerLog:
    """The log of one start of a container. Written by `pump`, read by any number of readers."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self.path = path
        self._now = now
        self._stream = path.open("ab", buffering=0)
        self._grown = asyncio.Condition()
        self.closed = False

    async def pump(self, stream: str, reader: asyncio.StreamReader) -> None:
        """Write what the process says on `stream` (stdout or stderr) until it ends."""
        pending = b""
        while chunk := await reader.read(_CHUNK):
            *lines, pending = (pending + chunk).split(b"\n")
            self._write(stream, lines, whole=True)
            while len(pending) >= _LONGEST_PART:
                self._write(stream, [pending[:_LONGEST_PART]], whole=False)
                pending = pending[_LONGEST_PART:]
            await self._tell()
        if pending:
            self._write(stream, [pending], whole=False)
            await self._tell()

    async def close(self) -> None:
        self.closed = True
        self._stream.close()
        await self._tell()

    async def grown(self) -> None:
        """Wait for the next write, or the end."""
        async with self._grown:
            if not self.closed:
                await self._grown.wait()

    def _write(self, stream: str, lines: list[bytes], *, whole: bool) -> None:
        prefix = f"{_stamp(self._now())} {stream} {'F' if whole else 'P'} ".encode()
        self._stream.write(b"".join(prefix + line + b"\n" for line in lines))

    async def _tell(self) -> None:
        async with self._grown:
            self._grown.notify_all()


async def read(path: Path, options: LogOptions, *, now: float, writing: ContainerLog | None) -> AsyncIterator[bytes]:
    """The log's text in chunks. With `follow` it goes on to the process's end; `writing` is None when that has come."""
    left = options.limit_bytes
    since = _since(options, now)
    async for chunk in _chunks(path, options, since, writing):
        if left is not None:
            if len(chunk) >= left:
                yield chunk[:left]
                return
            left -= len(chunk)
        if chunk:
            yield chunk


async def _chunks(path: Path, options: LogOptions, since: str, writing: ContainerLog | None) -> AsyncIterator[bytes]:
    with path.open("rb") as stream:
        records: Iterator[_Record] = (record for record in _records(stream.readline) if record[0] >= since)
        if options.tail_lines is not None:
            records = iter(_last_lines(records, options.tail_lines))
        yield b"".join(_text(record, options) for record in records)
        while options.follow and writing is not None:
            ended = writing.closed
            position = stream.tell()
            chunk = b"".join(_text(record, options) for record in _records(stream.readline) if record[0] >= since)
            if chunk:
                yield chunk
            if ended:
                return
            if stream.tell() == position:
                await writing.grown()


def _records(readline: Callable[[], bytes]) -> Iterator[_Record]:
    """(time, text, whole) of each record."""
    while line := readline():
        time, _, flag, text = line.split(b" ", 3)
        yield time.decode(), text.removesuffix(b"\n"), flag == b"F"


def _last_lines(records: Iterator[_Record], count: int) -> list[_Record]:
    lines: deque[list[_Record]] = deque(maxlen=count)
    current: list[_Record] = []
    for record in records:
        current.append(record)
        if record[2]:
            lines.append(current)
            current = []
    if current:
        lines.append(current)
    return [record for line in lines for record in line]


def _text(record: _Record, options: LogOptions) -> bytes:
    time, text, whole = record
    stamp = f"{time} ".encode() if options.timestamps else b""
    return stamp + text + (b"\n" if whole else b"")


def _since(options: LogOptions, now: float) -> str:
    """The earliest time wanted, as a text that compares like the records' own; empty for all."""
    if options.since_seconds is not None:
        return _stamp(now - options.since_seconds)
    if options.since_time is not None:
        return _stamp(options.since_time.timestamp())
    return ""


def _stamp(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z"
