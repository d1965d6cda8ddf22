"""STS beside moto_server, and beside what no server of ours can go below: one machine, one loader, rounds in turn.

    python benchmarks/sts.py [--rounds 3] [--seconds 1.5] [--sessions 100000]

`iambridge up --aws-only` answers AssumeRoleWithWebIdentity and GetCallerIdentity over TLS, with its decision log;
moto_server answers the same requests over plain HTTP, and verifies nothing. The floor is a constant answer by the same
server over TLS to the same request, with one bare RS256 verification before it where a token is to be verified. Web
identities come in two rows: tokens that are new to the server, which is what the floor is for, and a token that came
before, as a pod's does for as long as it lives: our server remembers that its signature was proved.

CPU is user and system time of the server's process tree, from /proc; the server has the last core, the loader the
first.
moto/floor is the most that any work behind this HTTP and TLS layer could come to.

With --sessions N, GetCallerIdentity of a role session is measured twice more: with 10 sessions issued, and with N.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import itertools
import json
import os
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import Listener, RunningServer, free_port
from iambridge.core import sigv4
from iambridge.core.service_account_token import (
    BoundObject,
    SigningKey,
    UnverifiedToken,
    VerificationKey,
    discovery_document,
    issue,
    jwks,
    parse_jwks,
    projected_claims,
)
from iambridge.sandbox.client_environment import client_environment
from iambridge.sandbox.data_dir import read_ports
from iambridge.wire.http import Request, Response

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
ACCOUNT = "111122223333"
AGENT = {"user-agent": "Boto3/1.44 md/Botocore#1.44 ua/2.1 os/linux lang/python#3.11"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
VERIFICATIONS = 2000
NEW_TOKENS = 1500
"""In turn: more than the server remembers."""
NEW, AGAIN = "AssumeRoleWithWebIdentity, new tokens", "AssumeRoleWithWebIdentity, one again"
CALLS = (NEW, AGAIN, "GetCallerIdentity")


@dataclass(frozen=True)
class Server:
    """A running server process; `port` is on 127.0.0.1."""

    process: subprocess.Popen[bytes]
    port: int
    scheme: str

    def cpu(self) -> float:
        """Seconds of user and system time of the process and all below it, ended children included."""
        return sum(process_cpu(pid) for pid in process_tree(self.process.pid))

    def microseconds(self, request: Path, seconds: float, *, tolerated: float = 0.0) -> tuple[float, float]:
        """CPU per request, and requests per second, under the loader; `tolerated` is the share that may not be 200."""
        before = self.cpu()
        command = [sys.executable, str(HERE / "sts_load.py"), str(self.port), self.scheme, str(seconds), str(request)]
        with _pinned(CORES[0]):
            loader = subprocess.Popen(command, stdout=subprocess.PIPE)
        found = json.loads(loader.communicate(timeout=60)[0])
        if found["failures"] > tolerated * found["requests"] or not found["requests"]:
            raise SystemExit(f"{request.stem}: {found['failures']} of {found['requests']} answers were not 200")
        return (self.cpu() - before) / found["requests"] * 1e6, found["requests"] / found["seconds"]


@contextlib.contextmanager
def _pinned(core: int) -> Iterator[None]:
    """Children started within inherit the core."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(CORES))


def process_tree(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(below for child in children for below in process_tree(int(child)))]
    return []


def process_cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICK


@contextlib.contextmanager
def started(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output, _pinned(CORES[-1]):
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def await_text(log: Path, text: str) -> None:
    for _ in range(600):
        if text in log.read_text():
            return
        time.sleep(0.05)
    raise SystemExit(f"not ready within 30 s: {log.read_text()[-800:]}")


class Issuer:
    """An OIDC issuer on loopback, in a thread of this process: asked once in five minutes."""

    def __init__(self, directory: Path) -> None:
        self.key = SigningKey.generate("RS256")
        self.authority = CertificateAuthority(directory / "pki", name="bench", now=dt.datetime.now(dt.UTC))
        self.leaf = self.authority.leaf("issuer", hosts=("127.0.0.1",))
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        listener = Listener("127.0.0.1", port, self.leaf.certificate, self.leaf.key)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._start(listener), self._loop).result(20)

    async def _start(self, listener: Listener) -> None:
        await RunningServer(self._app, listener).start()

    async def _app(self, request: Request) -> Response:
        documents: dict[str, object] = {
            "/.well-known/openid-configuration": discovery_document(self.url, f"{self.url}/jwks", ["RS256"]),
            "/jwks": jwks([self.key.public]),
        }
        return Response(200, (), json.dumps(documents[request.path]).encode())

    def token(self, number: int = 0) -> str:
        account, pod = BoundObject("reader", "5a0b0a6c-0000-4000-8000-000000000001"), BoundObject("pod-1", "uid-1")
        claims = projected_claims(
            issuer=self.url, namespace="demo", service_account=account, pod=pod, audiences=["sts.amazonaws.com"],
            now=int(time.time()), seconds=3600, jti=f"5a0b0a6c-0000-4000-8000-{number:012}",
        )  # fmt: skip
        return issue(claims, self.key)


def prepare(issuer: Issuer, environment: dict[str, str], role: str) -> None:
    """The provider, and a role that trusts one ServiceAccount, by the IAM API."""
    iam: Any = boto3.client(
        "iam", endpoint_url=environment["AWS_ENDPOINT_URL"], verify=environment["AWS_CA_BUNDLE"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"], aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )  # fmt: skip
    made = iam.create_open_id_connect_provider(
        Url=issuer.url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=[issuer.authority.thumbprint]
    )
    host = issuer.url.removeprefix("https://")
    condition = {
        "StringEquals": {f"{host}:sub": "system:serviceaccount:demo:reader", f"{host}:aud": "sts.amazonaws.com"}
    }
    trust = {
        "Effect": "Allow", "Principal": {"Federated": made["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition,
    }  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)


def _post(port: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"POST / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {len(body)}\r\n{''.join(lines)}\r\n"
    return head.encode() + body


def web_identity(port: int, token: str) -> bytes:
    """The request as boto3 writes it."""
    asked = {
        "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "pod-1",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/reader", "WebIdentityToken": token,
    }  # fmt: skip
    return _post(port, urlencode(asked).encode(), {**FORM, **AGENT})


def caller_identity(port: int, keys: sigv4.Credentials) -> bytes:
    """The request, signed now."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    signed = sigv4.sign(
        keys, method="POST", url=f"https://127.0.0.1:{port}/", region="us-east-1", service="sts", headers=FORM,
        body=body, now=dt.datetime.now(dt.UTC),
    )  # fmt: skip
    return _post(port, body, {**FORM, **AGENT, **signed})


def requests(directory: Path, port: int, tokens: list[str], keys: sigv4.Credentials) -> dict[str, Path]:
    """Each call's requests, in files."""
    new, again, caller = directory / "new", directory / "again", directory / "caller"
    new.mkdir(parents=True, exist_ok=True)
    for number, token in enumerate(tokens):
        (new / f"{number:04}").write_bytes(web_identity(port, token))
    again.write_bytes(web_identity(port, tokens[0]))
    caller.write_bytes(caller_identity(port, keys))
    return {NEW: new, AGAIN: again, "GetCallerIdentity": caller}


def verification(issuer: Issuer, token: str) -> float:
    """Microseconds of one bare RS256 verification."""
    parsed, key = UnverifiedToken.parse(token), issuer.key.public
    began = time.process_time()
    for _ in range(VERIFICATIONS):
        if not key.proves("RS256", parsed.signing_input, parsed.signature):
            raise SystemExit("the token does not verify")
    return (time.process_time() - began) / VERIFICATIONS * 1e6


async def hello(listener: Listener, token: UnverifiedToken, public: VerificationKey) -> None:
    """The floor's server: a constant answer of an STS answer's size, to a token once its signature is proved."""
    answer = Response(200, (("content-type", "text/xml"), ("x-amzn-requestid", "0" * 36)), b"x" * 1800)

    async def app(request: Request) -> Response:
        if request.body.startswith(b"Action=AssumeRole"):
            assert public.proves("RS256", token.signing_input, token.signature)
        return answer

    await RunningServer(app, listener).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


def run(directory: Path, rounds: int, seconds: float, sessions: int) -> None:
    issuer = Issuer(directory)
    tokens = [issuer.token(number) for number in range(NEW_TOKENS)]
    ports, leaf = (free_port(), free_port()), issuer.leaf
    logs = {name: directory / f"{name}.log" for name in ("iambridge", "moto", "hello")}
    data_dir = directory / "data"
    ours = [sys.executable, "-m", "iambridge", "up", "--aws-only", "--data-dir", str(data_dir)]
    moto = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(ports[0])]
    keys_file, token_file = directory / "jwks", directory / "token"
    keys_file.write_text(json.dumps(jwks([issuer.key.public])))
    token_file.write_text(tokens[0])
    files = [str(file) for file in (leaf.certificate, leaf.key, keys_file, token_file)]
    floor = [sys.executable, str(HERE / "sts.py"), "--hello", str(ports[1]), *files]
    with (
        started(ours, logs["iambridge"]) as our_process,
        started(moto, logs["moto"]) as moto_process,
        started(floor, logs["hello"]) as floor_process,
    ):
        await_text(logs["iambridge"], "iambridge is ready")
        await_text(logs["moto"], "Running on")
        await_text(logs["hello"], "ready")
        environment = {name: value or "" for name, value in client_environment(data_dir).items()}
        prepare(issuer, environment, "reader")
        keys = sigv4.Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        served = {
            "iambridge": Server(our_process, read_ports(data_dir).aws, "https"),
            "hello": Server(floor_process, ports[1], "https"),
            "moto_server": Server(moto_process, ports[0], "http"),
        }
        measured: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for number in range(rounds + 1):
            asked = {name: requests(directory / name, server.port, tokens, keys) for name, server in served.items()}
            for call, (name, server) in itertools.product(CALLS, served.items()):
                found = server.microseconds(asked[name][call], seconds if number else 0.5)
                if number:  # the first round warms up
                    measured.setdefault((name, call), []).append(found)
        report(measured, verification(issuer, tokens[0]))
        if sessions:
            report_sessions(directory, served["iambridge"], tokens[0], sessions)


def report_sessions(directory: Path, server: Server, token: str, many: int) -> None:
    """A session's GetCallerIdentity with few and with many sessions issued."""
    assume, caller = directory / "issue", directory / "session"
    assume.write_bytes(web_identity(server.port, token))
    issued, found = 0, {}
    for wanted in (10, many):
        while issued < wanted:
            seconds = 1.0 if wanted == 10 else 5.0
            issued += round(server.microseconds(assume, seconds)[1] * seconds)
        caller.write_bytes(caller_identity(server.port, _assumed(server.port, assume)))
        server.microseconds(caller, 0.5)
        found[wanted] = statistics.median(server.microseconds(caller, 1.5)[0] for _ in range(3))
    print(f"\nGetCallerIdentity of a role session: {found[10]:.0f} us with at least 10 sessions issued, "
          f"{found[many]:.0f} us with {issued}: {found[many] / found[10]:.2f}x")  # fmt: skip


def _assumed(port: int, assume: Path) -> sigv4.Credentials:
    """The credentials of one answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 20) as raw, context.wrap_socket(raw) as connection:
        connection.sendall(assume.read_bytes())
        answer = b""
        while b"</AssumeRoleWithWebIdentityResponse>" not in answer:
            answer += connection.recv(65536)
    values = [answer.partition(f"<{name}>".encode())[2].partition(b"<")[0].decode()
              for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]  # fmt: skip
    return sigv4.Credentials(*values)


def report(measured: dict[tuple[str, str], list[tuple[float, float]]], verify: float) -> None:
    """Medians over the rounds, of ratios too: a machine's speed changes between rounds."""
    cpu = {key: [one for one, _ in found] for key, found in measured.items()}
    rate = {key: statistics.median(one for _, one in found) for key, found in measured.items()}
    print(f"one bare RS256 verification on an idle core: {verify:.0f} us\n")
    print(f"{'':38}{'iambridge':>12}{'moto_server':>13}{'floor':>9}", end="")
    print(f"{'moto/ours':>11}{'ours/floor (range)':>21}{'moto/floor':>12}")
    for call in CALLS:
        # the signature of GetCallerIdentity is an HMAC: its floor is the hello alone
        ours, floor, moto = (cpu[name, call] for name in ("iambridge", "hello", "moto_server"))
        over = sorted(ratios(ours, floor))
        widths = ((ours, 9), (moto, 10), (floor, 6))
        times = "".join(f"{statistics.median(one):>{width}.0f} us" for one, width in widths)
        spread = f"{statistics.median(over):.2f}x ({over[0]:.2f}-{over[-1]:.2f})"
        of_moto = [statistics.median(ratios(moto, one)) for one in (ours, floor)]
        print(f"{call:38}{times}{of_moto[0]:>10.1f}x{spread:>21}{of_moto[1]:>11.1f}x")
        print(f"{'  requests a second':38}{rate['iambridge', call]:>9.0f}   {rate['moto_server', call]:>10.0f}")


def ratios(these: list[float], those: list[float]) -> list[float]:
    return [one / other for one, other in zip(these, those, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of load on each server for each call and round")
    parser.add_argument("--sessions", type=int, default=100_000, help="how many to issue for the last line; 0: none")
    parser.add_argument("--hello", nargs=5, metavar="FILE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.hello:
        import uvloop  # noqa: PLC0415 - the floor's process alone

        port, *files = arguments.hello
        certificate, key, keys, token = map(Path, files)
        listener = Listener("127.0.0.1", int(port), certificate, key)
        uvloop.run(hello(listener, UnverifiedToken.parse(token.read_text()), parse_jwks(keys.read_bytes())[0]))
        return
    with tempfile.TemporaryDirectory(prefix="iambridge-bench-") as directory:
        run(Path(directory), arguments.rounds, arguments.seconds, arguments.sessions)


if __name__ == "__main__":
    main()
