# ruff: noqa: E501 - reviews, requests and objects are data
"""One load on one webhook: raw HTTP/1.1 over TLS keep-alive, as kube-apiserver's client sends it.

    python benchmarks/webhook_load.py PORT saturate|steady|connect SECONDS review.json

prints one JSON object: requests, seconds, p50 and p99 in milliseconds, failures. Written on bare sockets and selectors, so
that the loader on its core is not slower than the server on the other.
"""

import asyncio
import json
import ssl
import sys
import time
from pathlib import Path

import uvloop

CONNECTIONS, RATE = 32, 300


def _request(body: bytes) -> bytes:
    head = f"POST /mutate?timeout=10s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bool:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    start = lower.find(b"content-length:")
    if start >= 0:
        await reader.readexactly(int(lower[start + 15 : lower.find(b"\r\n", start)]))
    else:  # chunked, as Go answers what is over 2 KiB
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return head.startswith(b"HTTP/1.1 200")


async def main(port: int, mode: str, seconds: float, body: bytes) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = _request(body)
    times: list[float] = []
    failures = 0
    began = time.perf_counter()
    end = began + seconds

    async def saturate() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        while (start := time.perf_counter()) < end:
            failures += not await _exchange(reader, writer, request)
            times.append(time.perf_counter() - start)
        writer.close()

    async def connect() -> None:
        nonlocal failures
        while (start := time.perf_counter()) < end:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            failures += not await _exchange(reader, writer, request)
            times.append(time.perf_counter() - start)
            writer.transport.abort()

    async def steady(index: int) -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        step = CONNECTIONS / RATE
        due = began + 0.2 + index / RATE
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            failures += not await _exchange(reader, writer, request)
            times.append(time.perf_counter() - due)  # from when it was due: a late answer delays nobody's clock
            due += step
        writer.close()

    if mode == "steady":
        await asyncio.gather(*(steady(index) for index in range(CONNECTIONS)))
    else:
        await asyncio.gather(
            *(saturate() if mode == "saturate" else connect() for _ in range(CONNECTIONS if mode == "saturate" else 8))
        )
    spent = time.perf_counter() - began
    times.sort()
    print(
        json.dumps(
            {
                "requests": len(times),
                "seconds": spent,
                "p50": times[len(times) // 2] * 1000,
                "p99": times[int(len(times) * 0.99)] * 1000,
                "failures": failures,
            }
        )
    )


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]).read_bytes()))
