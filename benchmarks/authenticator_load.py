# ruff: noqa: E501, TC003 - reviews are data; types are read by people only
"""One load on one authenticator: TokenReviews over TLS keep-alive.

    python benchmarks/authenticator_load.py PORT CONNECTIONS SECONDS tokens.txt

`tokens.txt` has one token a line. With SECONDS 0 each is sent once, all CONNECTIONS at the same moment; else they are sent in
turn, again and again, for so long. Prints one JSON object: requests, seconds, p50 and p99 in milliseconds, failures by kind.
"""

import asyncio
import itertools
import json
import resource
import ssl
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import uvloop

_, MOST = resource.getrlimit(resource.RLIMIT_NOFILE)


def request(token: str) -> bytes:
    body = json.dumps(
        {
            "kind": "TokenReview",
            "apiVersion": "authentication.k8s.io/v1beta1",
            "metadata": {"creationTimestamp": None},
            "spec": {"token": token},
            "status": {"user": {}},
        }
    ).encode()
    head = f"POST /authenticate?timeout=30s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> str:
    """Empty, or what the answer was instead of a user."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    start = lower.find(b"content-length:")
    body = await reader.readexactly(int(lower[start + 15 : lower.find(b"\r\n", start)]))
    if head.startswith(b"HTTP/1.1 200") and b'"authenticated":true' in body.replace(b" ", b""):
        return ""
    return head.split(b"\r\n", 1)[0].decode()


resource.setrlimit(resource.RLIMIT_NOFILE, (min(MOST, 65536), MOST))


async def main(port: int, connections: int, seconds: float, tokens: list[str]) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    ready = [request(token) for token in tokens]
    work: Iterator[bytes] = itertools.cycle(ready) if seconds else iter(ready)
    times: list[float] = []
    failures: Counter[str] = Counter()
    opened = [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(connections)]
    began = time.perf_counter()
    end = began + seconds if seconds else float("inf")

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for sent in work:
            start = time.perf_counter()
            if start >= end:
                break
            try:
                problem = await exchange(reader, writer, sent)
            except (OSError, asyncio.IncompleteReadError) as error:
                problem = type(error).__name__
            times.append(time.perf_counter() - start)
            if problem:
                failures[problem] += 1
        writer.close()

    await asyncio.gather(*(send(*pair) for pair in opened))
    spent = time.perf_counter() - began
    times.sort()
    print(
        json.dumps(
            {
                "requests": len(times),
                "seconds": spent,
                "p50": times[len(times) // 2] * 1000,
                "p99": times[int(len(times) * 0.99)] * 1000,
                "failures": dict(failures),
            }
        )
    )


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]).read_text().split()))
