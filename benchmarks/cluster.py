"""The embedded cluster beside a real kube-apiserver with etcd: same machine, same requests, one after the other.

    python -m benchmarks.cluster [--requests 400] [--objects 10000] [--watchers 100]

The real one runs when `tools/kubernetes_oracle/oracle.py --build` has put its binaries into the cache; else its column
is left out, and that is said. Ready CPU is user and system time of the server's processes until /readyz answers; PSS is
their proportional memory at that moment, in MB, and after the run. Latencies are in milliseconds, seen by the client:
one Python process, whose own time counts at 32 clients.
"""

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
import yaml

ROOT = Path(__file__).parents[1]
ORACLE = ROOT / "tools/kubernetes_oracle/oracle.py"
CLIENTS = (1, 8, 32)
MAPS = "/api/v1/namespaces/bench/configmaps"
TICK = os.sysconf("SC_CLK_TCK")
Row = dict[str, str]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def pss_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


@contextlib.contextmanager
def server(command: list[str]) -> Iterator[tuple[dict[str, Any], list[int], float]]:
    """Its facts, its processes and the seconds until it was ready; ends with the block."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"{command[0]} did not start")
        facts = json.loads(line)
        yield facts, list(facts.get("processes", {"": process.pid}).values()), time.monotonic() - start
    finally:
        process.communicate("", timeout=60)


class Load:
    """Requests to one server; `timed` gives each one's milliseconds."""

    def __init__(self, kubeconfig: Path, session: aiohttp.ClientSession) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._server = cluster["server"]
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        self._session = session

    def request(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, **({"Content-Type": kind} if data else {})}
        return self._session.request(method, self._server + path, data=data, headers=headers, ssl=self._tls)

    async def ask(self, method: str, path: str, body: object = None, kind: str = "application/json") -> bytes:
        async with self.request(method, path, body, kind) as response:
            content: bytes = await response.read()
            if response.status >= 400:
                raise SystemExit(f"{method} {path}: {response.status} {content[:300]!r}")
            return content

    async def timed(self, work: Callable[[int], Awaitable[object]], count: int, clients: int) -> list[float]:
        """`work(0)` to `work(count - 1)`, by so many clients at once."""
        numbers, found = iter(range(count)), []

        async def client() -> None:
            for number in numbers:
                start = time.perf_counter()
                await work(number)
                found.append((time.perf_counter() - start) * 1000)

        await asyncio.gather(*(client() for _ in range(clients)))
        return found

    async def create(self, name: str) -> None:
        await self.ask(
            "POST", MAPS, {"metadata": {"name": name, "labels": {"of": "bench"}}, "data": {"key": "v" * 100}}
        )


def shown(values: list[float]) -> str:
    """p50 (p99)."""
    cuts = statistics.quantiles(values, n=100)
    return f"{cuts[49]:.1f} ({cuts[98]:.1f})"


async def operations(load: Load, count: int, row: Row) -> None:
    for clients in CLIENTS:

        def name(number: int, clients: int = clients) -> str:
            return f"c{clients}-{number}"

        async def create(number: int, name: Callable[[int], str] = name) -> None:
            await load.create(name(number))

        async def get(number: int, name: Callable[[int], str] = name) -> None:
            await load.ask("GET", f"{MAPS}/{name(number)}")

        async def patch(number: int, name: Callable[[int], str] = name) -> None:
            change = {"data": {"key": "changed"}}
            await load.ask("PATCH", f"{MAPS}/{name(number)}", change, "application/merge-patch+json")

        for title, work in {"create": create, "get": get, "merge patch": patch}.items():
            row[f"{title}, {clients} clients"] = shown(await load.timed(work, count, clients))


async def watching(load: Load, watchers: int, row: Row) -> None:
    """From the moment a create is sent until each watcher has read it."""
    sent: dict[str, float] = {}
    delays: list[float] = []
    wanted = 30
    since = json.loads(await load.ask("GET", f"{MAPS}?limit=1"))["metadata"]["resourceVersion"]
    ready = asyncio.Semaphore(0)

    async def watch() -> None:
        seen = 0
        async with load.request("GET", f"{MAPS}?watch=1&resourceVersion={since}&labelSelector=of%3Dbench") as response:
            ready.release()
            async for line in response.content:
                event = json.loads(line)
                delays.append((time.perf_counter() - sent[event["object"]["metadata"]["name"]]) * 1000)
                seen += 1
                if seen == wanted:
                    return

    tasks = [asyncio.create_task(watch()) for _ in range(watchers)]
    for _ in tasks:
        await ready.acquire()
    for number in range(wanted):
        name = f"watched-{number}"
        sent[name] = time.perf_counter()
        await load.create(name)
        await asyncio.sleep(0.05)
    await asyncio.wait_for(asyncio.gather(*tasks), 60)
    row[f"event to each of {watchers} watchers"] = shown(delays)


async def listing(load: Load, objects: int, row: Row) -> None:
    start = time.perf_counter()
    await load.timed(lambda n: load.create(f"many-{n}"), objects, 32)
    row[f"{objects} creates, 32 clients, per second"] = f"{objects / (time.perf_counter() - start):.0f}"
    whole = await load.timed(lambda _: load.ask("GET", MAPS), 5, 1)
    row[f"list of all {objects} and more"] = f"{statistics.median(whole):.0f} ({max(whole):.0f})"
    pages = await load.timed(lambda _: load.ask("GET", f"{MAPS}?limit=500"), 20, 1)
    row["first page of 500 of them"] = f"{statistics.median(pages):.0f} ({max(pages):.0f})"


async def measure(kubeconfig: Path, asked: argparse.Namespace, row: Row) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=120)) as session:
        load = Load(kubeconfig, session)
        await load.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})
        await load.timed(lambda n: load.create(f"warm-{n}"), 100, 4)
        await operations(load, asked.requests, row)
        await watching(load, asked.watchers, row)
        await listing(load, asked.objects, row)


def run(command: list[str], asked: argparse.Namespace) -> Row:
    row: Row = {}
    with server(command) as (facts, processes, seconds):
        row["ready: seconds of CPU"] = f"{sum(map(cpu_seconds, processes)):.1f}"
        row["ready: seconds"] = f"{seconds:.1f}"
        row["ready: MB PSS"] = f"{sum(map(pss_megabytes, processes)):.0f}"
        uvloop.run(measure(Path(facts["kubeconfig"]), asked, row))
        row["afterwards: MB PSS"] = f"{sum(map(pss_megabytes, processes)):.0f}"
        row["whole run: seconds of CPU"] = f"{sum(map(cpu_seconds, processes)):.0f}"
    return row


def oracle_is_built() -> bool:
    done = subprocess.run([sys.executable, ORACLE, "--is-built"], check=False, capture_output=True)
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400, help="of each operation at each number of clients")
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--watchers", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        columns = {"embedded": run([str(ROOT / "tests/cluster/embedded_server.py"), directory], asked)}
    if oracle_is_built():
        columns["kube-apiserver, controllers, etcd"] = run([str(ORACLE)], asked)
    else:
        print(f"kube-apiserver is left out: `python {ORACLE.relative_to(ROOT)} --build` puts it into the cache")
    print(f"{'latencies in ms: p50 (p99)':<44}" + "".join(f"{name:>34}" for name in columns))
    for name in columns["embedded"]:
        print(f"{name:<44}" + "".join(f"{column[name]:>34}" for column in columns.values()))


if __name__ == "__main__":
    main()
