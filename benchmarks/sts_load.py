"""One load on one server: HTTP/1.1 requests in turn, again and again, over keep-alive connections.

    python benchmarks/sts_load.py PORT https|http SECONDS request.bin|directory

A directory's files are requests in turn. Prints one JSON object: requests, seconds, failures. On bare streams, so that
the loader on its core is not slower than the server on the other.
"""

import asyncio
import itertools
import json
import ssl
import sys
import time
from pathlib import Path

import uvloop

CONNECTIONS = 8


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[bool, bool]:
    """Whether the answer is 200, and whether the server closes the connection after it."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    start = lower.index(b"content-length:")
    body = await reader.readexactly(int(lower[start + 15 : lower.index(b"\r\n", start)]))
    good = head.startswith(b"HTTP/1.1 200")
    if not good:
        print(body.decode(errors="replace")[:500], file=sys.stderr)
    return good, b"\r\nconnection: close" in lower


async def main(port: int, scheme: str, seconds: float, requests: list[bytes]) -> None:
    context = ssl.create_default_context() if scheme == "https" else None
    if context is not None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    done = failures = 0
    turn = itertools.cycle(requests)
    began = time.perf_counter()
    end = began + seconds

    async def saturate() -> None:
        nonlocal done, failures
        while time.perf_counter() < end:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            closed = False
            while not closed and time.perf_counter() < end:
                async with asyncio.timeout(10):
                    good, closed = await _exchange(reader, writer, next(turn))
                done, failures = done + 1, failures + (not good)
            writer.close()

    await asyncio.gather(*(saturate() for _ in range(CONNECTIONS)))
    print(json.dumps({"requests": done, "seconds": time.perf_counter() - began, "failures": failures}))


if __name__ == "__main__":
    named = Path(sys.argv[4])
    asked = [file.read_bytes() for file in (sorted(named.iterdir()) if named.is_dir() else [named])]
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), asked))
