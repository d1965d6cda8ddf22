"""The authenticator beside the Go original: same machine, same STS, same tokens, interleaved rounds, one core.

    python -m benchmarks.authenticator [--rounds 3] [--tokens 1500] [--seconds 3]

The original is built from `benchmarks/original_authenticator` into the user's cache; without Go it is left out, and
that is said. It calls only hosts that look like AWS's, so both find the sandbox's STS behind a CONNECT relay
(HTTPS_PROXY); STS verifies every signature. Both map by MountedFile; ours has its decision log on, into a file, as the
original has its own. The server has the last core; load, relay and STS share the first. CPU is user and system time of
the server's process.

Two floors stand beside them (`authenticator_floor.py`): `floor` answers a constant over the same TLS, `floor+STS` asks
STS once before it does. What ours costs above them is its own work; what the original's CPU is to them says how many
times as many requests a core this server can reach at all.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import resource
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.resting_collector import resting_collector
from iambridge.adapters.serving import free_port
from iambridge.core import sigv4
from iambridge.core.authenticator_token import CLUSTER_ID_HEADER, encode
from iambridge.core.aws_auth import Mappings, load
from iambridge.wire.aws_auth_yaml import read_sections

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iambridge-bench"
BINARY = "aws-iam-authenticator"
TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
ACCOUNT, CLUSTER = "111122223333", "bench"
KEY = sigv4.Credentials("AKIABENCHBENCHBENCH1", "bench-secret")
STS = "https://sts.us-east-1.amazonaws.com"
CONNECTIONS = 16
STARTED = dt.datetime.now(dt.UTC)
FLOORS = ("floor", "floor+STS")


def build_original() -> Path | None:
    """The original's binary, built at its pinned version; None without Go."""
    binary = CACHE / BINARY
    if binary.exists():
        return binary
    if shutil.which("go") is None:
        print("the original is left out: Go is not installed")
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", "-o", binary, f"sigs.k8s.io/aws-iam-authenticator/cmd/{BINARY}"]
    done = subprocess.run(command, cwd=HERE / "original_authenticator", capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"the original is left out: it did not build\n{done.stderr[-500:]}")
        return None
    return binary


def presigned(number: int) -> str:
    return sigv4.presign(
        KEY,
        method="GET",
        url=f"{STS}/?Action=GetCallerIdentity&Version=2011-06-15",
        region="us-east-1",
        service="sts",
        headers={CLUSTER_ID_HEADER: CLUSTER},
        expires=1 + number % 900,
        now=STARTED - dt.timedelta(seconds=number // 900),
    )


def tokens(count: int, first: int) -> list[str]:
    """Distinct tokens, none of which was made before: X-Amz-Date and X-Amz-Expires tell them apart."""
    return [encode(presigned(number)) for number in range(first, first + count)]


class Aws:
    """STS and the relay, as one process on the first core."""

    def __init__(self, directory: Path) -> None:
        self.relay, self._control = free_port(), free_port()
        self.authority = directory / "ca.crt"
        command = ["taskset", "-c", str(CORES[0]), sys.executable, str(HERE / "authenticator_aws.py")]
        command += [str(free_port()), str(self.relay), str(self._control), str(directory)]
        command += [KEY.access_key_id, KEY.secret_access_key]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def control(self, query: str = "") -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._control}/{query}") as answer:
            return int(json.load(answer)["calls"])

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(30)


class Running:
    """A server process on its core, waited for until it lets a token in."""

    def __init__(self, command: list[str], port: int, aws: Aws, log: Path) -> None:
        self.port = port
        self._log = log.open("wb")
        environment = {
            "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "GOMAXPROCS": "1",
            "HTTPS_PROXY": f"http://127.0.0.1:{aws.relay}", "SSL_CERT_FILE": str(aws.authority),
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1",
        }  # fmt: skip
        self.process = subprocess.Popen(
            ["taskset", "-c", str(CORES[-1]), *command], stdout=self._log, stderr=subprocess.STDOUT, env=environment
        )
        body = json.dumps(
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": tokens(1, 0)[0]}}
        )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for _ in range(600):
            request = urllib.request.Request(f"https://127.0.0.1:{port}/authenticate", body.encode())
            with contextlib.suppress(OSError), urllib.request.urlopen(request, context=context, timeout=10) as answer:
                if json.load(answer)["status"].get("authenticated"):
                    return
            time.sleep(0.1)
        raise RuntimeError(f"{command[0]} let nobody in within a minute: {log.read_text()[-1000:]}")

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def load(
        self, sent: list[str], directory: Path, *, connections: int = CONNECTIONS, seconds: float = 0
    ) -> dict[str, Any]:
        """Adds to the loader's result the server's CPU a review in microseconds."""
        file = directory / "tokens.txt"
        file.write_text("\n".join(sent))
        command = ["taskset", "-c", str(CORES[0]), sys.executable, str(HERE / "authenticator_load.py")]
        command += [str(self.port), str(connections), str(seconds), str(file)]
        before = self.cpu()
        result: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        result["cpu_us"] = (self.cpu() - before) / result["requests"] * 1e6
        return result

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)  # the original waits for its connections, ours for its requests
        self.process.wait(30)
        self._log.close()


def configuration(directory: Path, entries: int) -> Path:
    """The original's configuration file, with the benchmark's user as the last of `entries`."""
    file = directory / f"config-{entries}.yaml"
    users = [
        f"  - {{userARN: 'arn:aws:iam::{ACCOUNT}:user/u{n}', username: u{n}, groups: [g]}}" for n in range(entries - 1)
    ]
    users.append(f"  - {{userARN: 'arn:aws:iam::{ACCOUNT}:user/bench', username: bench, groups: [readers]}}")
    file.write_text(
        f"clusterID: {CLUSTER}\nserver:\n  backendMode: [MountedFile]\n  mapUsers:\n" + "\n".join(users) + "\n"
    )
    return file


@contextlib.contextmanager
def servers(directory: Path, aws: Aws, original: Path | None, entries: int = 10) -> Iterator[dict[str, Running]]:
    found: dict[str, list[str]] = {}
    if original is not None:
        found["original"] = [str(original), "server", "-l", "json"]
    found["iambridge"] = [
        str(Path(sys.executable).parent / "iambridge"), "serve", "authenticator", "--sts-ca-file", str(aws.authority),
    ]  # fmt: skip
    running: dict[str, Running] = {}
    now = dt.datetime.now(dt.UTC)
    leaf = CertificateAuthority(directory / "floor", name="floor", now=now).leaf("floor", hosts=("127.0.0.1",))
    asked = dict(zip(FLOORS, ([], [presigned(0), CLUSTER, str(aws.authority)]), strict=True))
    try:
        for who, call in asked.items():
            port = free_port()
            floor = [sys.executable, str(HERE / "authenticator_floor.py"), str(port), str(leaf.certificate)]
            running[who] = Running([*floor, str(leaf.key), *call], port, aws, directory / f"{who}.log")
        for who, command in found.items():
            port = free_port()
            state = directory / f"state-{who}"
            state.mkdir(exist_ok=True)
            command += ["-c", str(configuration(directory, entries)), "--port", str(port), "--state-dir", str(state)]
            command += ["--generate-kubeconfig", str(state / "kubeconfig.yaml")]
            running[who] = Running(command, port, aws, directory / f"{who}.log")
        yield running
    finally:
        for server in running.values():
            server.stop()


def told(leg: str, rounds: dict[str, list[dict[str, Any]]]) -> None:
    medians = {}
    for who, results in rounds.items():
        medians[who] = statistics.median(result["cpu_us"] for result in results)
        p99 = statistics.median(result["p99"] for result in results)
        failures = sum(sum(result["failures"].values()) for result in results)
        reviews = sum(result["requests"] for result in results)
        counted = [result["calls"] for result in results if "calls" in result]
        asked = f"  STS calls {sum(counted)} of {reviews} reviews" if counted else f"  reviews {reviews}"
        print(
            f"{leg:24} {who:10} cpu {medians[who]:6.0f} us  {1e6 / medians[who]:7.0f} reviews/core-s  p99 {p99:7.1f} ms"
            f"{asked}  failures {failures}"
        )
    floor = next((medians.pop(name) for name in FLOORS if name in medians), None)
    if "original" in medians:
        print(f"{leg:24} {'ratio':10} cpu {medians['iambridge'] / medians['original']:.2f}"
              f"  requests per core {medians['original'] / medians['iambridge']:.1f}")  # fmt: skip
    if floor is not None:
        for who, median in medians.items():
            print(f"{leg:24} {who} / floor: {median / floor:.2f}")


def reviews(arguments: argparse.Namespace, directory: Path, aws: Aws, original: Path | None) -> None:
    used = 1
    fresh: dict[str, list[dict[str, Any]]] = {}
    repeated: dict[str, list[dict[str, Any]]] = {}
    with servers(directory, aws, original) as running:
        for _ in range(arguments.rounds):
            for who, server in running.items():
                if who == "floor":
                    continue
                before = aws.control()
                fresh.setdefault(who, []).append(server.load(tokens(arguments.tokens, used), directory))
                used += arguments.tokens
                fresh[who][-1]["calls"] = aws.control() - before
            for who, server in running.items():
                if who == "floor+STS":
                    continue
                before = aws.control()
                result = server.load(tokens(16, used), directory, seconds=arguments.seconds)
                used += 16
                repeated.setdefault(who, []).append(result)
                result["calls"] = aws.control() - before
        told("fresh tokens", fresh)
        told("repeated tokens", repeated)
        aws.control("?delay=0.3")
        for who in sorted(running.keys() - FLOORS, reverse=True):
            result = running[who].load(tokens(1000, used), directory, connections=1000)
            used += 1000
            print(
                f"{'1000 at once, STS 300 ms':24} {who:10} all answered after {result['seconds']:.2f} s"
                f"  p50 {result['p50']:.0f} ms  p99 {result['p99']:.0f} ms  failures {result['failures'] or 0}"
            )
        aws.control("?delay=0")


def mapping(arguments: argparse.Namespace, directory: Path, aws: Aws, original: Path | None) -> None:
    for entries in (10, 50_000):
        with servers(directory, aws, original, entries) as running:
            used = 200_000 + entries
            rounds = {}
            for who in sorted(running.keys() - FLOORS, reverse=True):
                rounds[who] = [running[who].load(tokens(16, used), directory, seconds=arguments.seconds)]
                used += 16
            told(f"{entries} mapped, repeated", rounds)
    for entries in (10, 1000, 10_000, 50_000):
        text = "".join(
            f"- rolearn: arn:aws:iam::{ACCOUNT}:role/r{n}\n  username: u{n}\n  groups:\n  - g\n" for n in range(entries)
        )
        started = time.process_time()
        with resting_collector():
            mappings = load(read_sections({"mapRoles": text}))
        read = time.process_time() - started
        print(
            f"{entries:6} entries: lookup {lookup(mappings, entries):.2f} us, reading the document {read * 1000:.0f} ms"
        )


def lookup(mappings: Mappings, entries: int) -> float:
    arns = [f"arn:aws:iam::{ACCOUNT}:role/r{n}" for n in range(0, entries, max(1, entries // 1000))]
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for arn in arns:
            mappings.find(arn, ACCOUNT)
        best = min(best, (time.perf_counter() - started) / len(arns))
    return best * 1e6


def clients(arguments: argparse.Namespace, original: Path | None) -> None:
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_ACCESS_KEY_ID": KEY.access_key_id,
        "AWS_SECRET_ACCESS_KEY": KEY.secret_access_key, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    scripts = Path(sys.executable).parent
    commands = {
        "iambridge token": [scripts / "iambridge", "token", "--cluster-name", CLUSTER],
        "aws eks get-token": [scripts / "aws", "eks", "get-token", "--cluster-name", CLUSTER],
    }
    if original is not None:
        commands["aws-iam-authenticator token"] = [original, "token", "-i", CLUSTER]
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(arguments.rounds * 2 + 1):
        for name, command in commands.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if number:  # the first compiles
                spent[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    ours = statistics.median(spent["iambridge token"])
    for name, seconds in spent.items():
        print(
            f"{name:28} cpu {statistics.median(seconds) * 1000:6.0f} ms"
            f"  ours is {ours / statistics.median(seconds):.2f} of it"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=1500, help="fresh tokens a round")
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    original = build_original()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        aws = Aws(directory)
        try:
            reviews(arguments, directory, aws, original)
            mapping(arguments, directory, aws, original)
        finally:
            aws.stop()
    clients(arguments, original)


if __name__ == "__main__":
    main()
