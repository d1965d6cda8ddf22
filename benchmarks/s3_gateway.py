"""S3 PutObject through the gateway beside moto_server alone: one machine, one loader, rounds in turn.

    python benchmarks/s3_gateway.py [--rounds 3] [--seconds 2.0]

The gateway verifies the signature and the payload's hash, decides by policy and bucket policy, logs, and hands the
object to moto in a child process; moto_server takes the same request over plain HTTP and checks nothing. CPU is user
and system time of the server's process tree, from /proc. The object is 1 KiB, replaced again and again. moto_server
has no locks, and fails one in some hundred of parallel writes: up to 2 in 100 are tolerated of it, and none of ours.
"""

import argparse
import datetime as dt
import http.client
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
from sts import Server, await_text, ratios, started

from iambridge.adapters.serving import free_port
from iambridge.core import sigv4
from iambridge.sandbox.client_environment import client_environment
from iambridge.sandbox.data_dir import read_ports

BUCKET, KEY, OBJECT = "bench", "object", b"x" * 1024


def request(port: int, keys: sigv4.Credentials) -> bytes:
    """PutObject as an SDK signs it: the payload's hash in x-amz-content-sha256."""
    host, path = f"127.0.0.1:{port}", f"/{BUCKET}/{KEY}"
    signed = sigv4.sign(
        keys, method="PUT", url=f"https://{host}{path}", region="us-east-1", service="s3", body=OBJECT,
        headers={"content-type": "binary/octet-stream"}, now=dt.datetime.now(dt.UTC),
    )  # fmt: skip
    headers = {"host": host, "content-type": "binary/octet-stream", "content-length": str(len(OBJECT)), **signed}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"PUT {path} HTTP/1.1\r\n{lines}\r\n".encode() + OBJECT


def run(directory: Path, rounds: int, seconds: float) -> None:
    data_dir, port = directory / "data", free_port()
    ours = [sys.executable, "-m", "iambridge", "up", "--aws-only", "--data-dir", str(data_dir)]
    moto = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    logs = {name: directory / f"{name}.log" for name in ("iambridge", "moto_server")}
    with started(ours, logs["iambridge"]) as our_process, started(moto, logs["moto_server"]) as moto_process:
        await_text(logs["iambridge"], "iambridge is ready")
        await_text(logs["moto_server"], "Running on")
        environment = {name: value or "" for name, value in client_environment(data_dir).items()}
        keys = sigv4.Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        s3: Any = boto3.client(
            "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], verify=environment["AWS_CA_BUNDLE"],
            aws_access_key_id=keys.access_key_id, aws_secret_access_key=keys.secret_access_key, region_name="us-east-1",
        )  # fmt: skip
        s3.create_bucket(Bucket=BUCKET)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("PUT", f"/{BUCKET}")
        assert connection.getresponse().status == 200
        served = {
            "iambridge": Server(our_process, read_ports(data_dir).aws, "https"),
            "moto_server": Server(moto_process, port, "http"),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in served}
        for number in range(rounds + 1):
            for name, server in served.items():
                file = directory / f"{name}-put"
                file.write_bytes(request(server.port, keys))
                tolerated = 0.02 if name == "moto_server" else 0.0
                one = server.microseconds(file, seconds if number else 1.0, tolerated=tolerated)
                if number:  # the first round warms up
                    found[name].append(one)
    cpu = {name: statistics.median(one for one, _ in each) for name, each in found.items()}
    rate = {name: statistics.median(one for _, one in each) for name, each in found.items()}
    over = sorted(ratios(*([one for one, _ in found[name]] for name in ("iambridge", "moto_server"))))
    print(f"{'':28}{'iambridge':>12}{'moto_server':>13}{'ours/moto, median of rounds (range)':>38}")
    times = f"{cpu['iambridge']:>9.0f} us{cpu['moto_server']:>10.0f} us"
    spread = f"{statistics.median(over):.2f}x ({over[0]:.2f}-{over[-1]:.2f})"
    print(f"{'PutObject of 1 KiB':28}{times}{spread:>38}")
    print(f"{'  requests a second':28}{rate['iambridge']:>9.0f}   {rate['moto_server']:>10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load on each server for each round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="iambridge-bench-") as directory:
        run(Path(directory), arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
