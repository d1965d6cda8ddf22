"""The original aws-iam-authenticator is sent the same reviews: the same answer, or a difference that is named.

It needs the original's binary, which `make bench-authenticator` builds into the user's cache. Ours is always judged. Both
reach STS through a CONNECT relay, since the original calls only hosts that look like AWS's.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import importlib.util
import json
import os
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import pytest
import yaml
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.wire.http import Request, Response

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iambridge-bench"
BINARY = CACHE / "aws-iam-authenticator"
CASES: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests/cases/authenticator/reviews.yaml").read_text())
LEDGER = ROOT / "docs/explanation/compatibility-authenticator.md"
HOST = "sts.us-east-1.amazonaws.com"
NAMES = (
    HOST,
    "*.amazonaws.com",
    "*.us-east-1.amazonaws.com",
    "sts.not-a-region.amazonaws.com",
    "sts.us-east-1.api.aws",
)
CONFIGURATION = """
clusterID: demo
server:
  backendMode: [MountedFile]
  mapUsers:
  - {userARN: "arn:aws:iam::111122223333:user/alice", username: alice, groups: [readers]}
  - {userARN: "arn:aws:iam::777788889999:user/ops", username: ops}
  - {userARN: "arn:aws:iam::111122223333:user/reserved", username: "system:nobody"}
  - {userARN: "arn:aws:iam::111122223333:user/key", username: "key:{{AccessKeyID}}:{{AccountID}}"}
  mapRoles:
  - {roleARN: "arn:aws:iam::111122223333:role/dev", username: "dev:{{SessionName}}", groups: [devs]}
  - {roleARN: "arn:aws:iam::111122223333:role/raw", username: "raw:{{SessionNameRaw}}"}
  - {roleARN: "arn:aws:iam::111122223333:role/team/pathed", username: pathed}
  - {roleARN: "arn:aws:iam::111122223333:role/node", username: "system-node:{{EC2PrivateDNSName}}"}
  - {sso: {permissionSetName: Admins, accountID: "111122223333"}, username: sso}
  - {sso: {permissionSetName: Spelled, accountID: "111122223333", partition: aws}, username: spelled}
  mapAccounts: ["444455556666"]
  scrubbedAccounts: ["777788889999"]
  reservedPrefixConfig:
  - {backendMode: MountedFile, usernamePrefixReserveList: ["system:"]}
"""


def _relay() -> Any:
    spec = importlib.util.spec_from_file_location("authenticator_aws", ROOT / "benchmarks/authenticator_aws.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.relay


def answer_of(case: dict[str, Any]) -> tuple[int, bytes]:
    """What STS says of the case's caller."""
    if "sts" in case:
        status, _, body = case["sts"].partition(" ")
        return int(status), body.encode()
    arn, _, user_id = case.get("caller", "arn:aws:iam::111122223333:user/alice AIDAALICE00000000001").partition(" ")
    result = {"Account": (arn.split(":") + [""] * 5)[4] or "111122223333", "Arn": arn, "UserId": user_id}
    return 200, json.dumps({"GetCallerIdentityResponse": {"GetCallerIdentityResult": result}}).encode()


def token_of(case: dict[str, Any], number: int) -> str:
    """A token of its own for each case, signed by nobody: this STS answers by the key's number."""
    change: dict[str, Any] = case.get("token", {})
    if "raw" in change:
        return str(change["raw"])
    at = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=change.get("age", 30))).strftime("%Y%m%dT%H%M%S")
    query: dict[str, str | None] = {
        "Action": "GetCallerIdentity", "Version": "2011-06-15", "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIACASE{number:012}/{at[:8]}/us-east-1/sts/aws4_request",
        "X-Amz-Date": at + (".5Z" if change.get("fraction") else "Z"), "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host;x-k8s-aws-id", "X-Amz-Signature": f"{number:064x}", **change.get("query", {}),
    }  # fmt: skip
    if query.get("X-Amz-Security-Token") == "LONG":
        query["X-Amz-Security-Token"] = "x" * 4000
    kept = {
        (name.lower() if change.get("lower") else name): value for name, value in query.items() if value is not None
    }
    url = f"{change.get('scheme', 'https')}://{change.get('host', HOST)}{change.get('path', '/')}"
    url += "?" + urlencode(kept, quote_via=quote) + change.get("append", "") + change.get("fragment", "")
    encoded = base64.urlsafe_b64encode(url.encode()).rstrip(b"=").decode()
    return f"{change.get('prefix', 'k8s-aws-v1.')}{encoded}{change.get('suffix', '')}"


@dataclass
class Aws:
    """An STS that answers each access key as its case says, under AWS's names, and the relay to it."""

    directory: Path
    cases: list[dict[str, Any]]
    relay: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)

    async def sts(self, request: Request) -> Response:
        values = {name.lower(): value[0] for name, value in parse_qs(request.query).items()}
        number = int(values["x-amz-credential"].removeprefix("AKIACASE")[:12])
        status, body = answer_of(self.cases[number])
        if status == 302:
            return Response(302, (("location", body.decode()),), b"")
        return Response(status, (("content-type", "application/json"),), body)

    @contextlib.contextmanager
    def running(self) -> Iterator["Aws"]:
        authority = CertificateAuthority(self.directory, name="test", now=dt.datetime.now(dt.UTC))
        names = {
            *NAMES,
            *(case["token"]["host"].rpartition("@")[2] for case in self.cases if "host" in case.get("token", {})),
        }
        leaf = authority.leaf("sts", hosts=tuple(sorted(name for name in names if ":" not in name)))
        ready, ends = threading.Event(), []

        async def serve() -> None:
            done = asyncio.Event()
            ends.append((asyncio.get_running_loop(), done))
            server = RunningServer(self.sts, Listener("127.0.0.1", self.port, leaf.certificate, leaf.key))
            await server.start()
            relay = _relay()
            proxy = await asyncio.start_server(lambda r, w: relay(r, w, self.port), "127.0.0.1", self.relay)
            ready.set()
            await done.wait()
            proxy.close()
            await server.stop()

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        assert ready.wait(60)
        try:
            yield self
        finally:
            loop, done = ends[0]
            loop.call_soon_threadsafe(done.set)
            thread.join(60)


class Server:
    def __init__(self, command: list[str], aws: Aws, configuration: str = CONFIGURATION, *flags: str) -> None:
        name = Path(command[0]).name
        state = aws.directory / name
        state.mkdir()
        (state / "config.yaml").write_text(configuration)
        self.port = free_port()
        command = [
            *command, "-c", str(state / "config.yaml"), "--port", str(self.port), "--state-dir", str(state),
            "--generate-kubeconfig", str(state / "kubeconfig.yaml"), "--feature-gates", "SSORoleMatch=true", *flags,
        ]  # fmt: skip
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(state), "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1",
            "HTTPS_PROXY": f"http://127.0.0.1:{aws.relay}", "SSL_CERT_FILE": str(aws.directory / "ca.crt"),
        }  # fmt: skip
        self.log = state / "log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        for _ in range(400):
            with contextlib.suppress(OSError):
                if self._send("healthz", None)[0] == 200:
                    return
            threading.Event().wait(0.05)
        raise AssertionError(self.log.read_text()[-2000:])

    def _send(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(
                f"https://127.0.0.1:{self.port}/{path}", body, context=tls, timeout=60
            ) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def status(self, body: bytes | None) -> tuple[int, bytes]:
        return self._send("authenticate", body)

    def review(self, token: str, version: str = "v1beta1") -> str:
        review = {"apiVersion": f"authentication.k8s.io/{version}", "kind": "TokenReview", "spec": {"token": token}}
        code, body = self._send("authenticate", json.dumps(review).encode())
        if code != 200:
            return str(code)
        status = json.loads(body)["status"]
        if not status.get("authenticated"):
            return f"out: {status['error']}" if status.get("error") else "out"
        user = status["user"]
        shown = f"in: {user.get('username', '')} [{','.join(user.get('groups') or ())}]"
        return shown if user.get("extra") else f"{shown} uid {user['uid']}"

    def user(self, token: str) -> dict[str, Any]:
        review = {"apiVersion": "authentication.k8s.io/v1beta1", "kind": "TokenReview", "spec": {"token": token}}
        user: dict[str, Any] = json.loads(self._send("authenticate", json.dumps(review).encode())[1])["status"]["user"]
        return user

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(60)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with Aws(tmp_path_factory.mktemp("aws"), CASES).running() as found:
        yield found


@pytest.fixture(scope="module")
def ours(aws: Aws) -> Iterator[Server]:
    program = str(Path(sys.executable).with_name("iambridge"))
    server = Server([program, "serve", "authenticator", "--sts-ca-file", str(aws.directory / "ca.crt")], aws)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def theirs(aws: Aws) -> Iterator[Server]:
    if not BINARY.exists():
        pytest.skip("the original is not built: `make bench-authenticator` builds it")
    server = Server([str(BINARY), "server"], aws)
    yield server
    server.stop()


def matches(found: str, wanted: str) -> bool:
    return found.startswith(wanted) if wanted.startswith("out: ") else found == wanted


NUMBERED = [pytest.param(number, case, id=case["name"]) for number, case in enumerate(CASES)]


@pytest.mark.parametrize(("number", "case"), NUMBERED)
def test_ours_answers_as_the_case_says(ours: Server, number: int, case: dict[str, Any]) -> None:
    """Who gets in, as whom, and what kube-apiserver may keep of a refusal."""
    found = ours.review(token_of(case, number))
    assert matches(found.replace(f"AKIACASE{number:012}", "KEY"), case.get("ours") or case["both"]), found


@pytest.mark.parametrize(("number", "case"), NUMBERED)
def test_the_original_answers_as_the_case_says(theirs: Server, number: int, case: dict[str, Any]) -> None:
    """The differences that the ledger lists are there, and there is no other."""
    found = theirs.review(token_of(case, number))
    assert found.replace(f"AKIACASE{number:012}", "KEY") == (case.get("theirs") or case["both"]), found


def test_a_difference_is_named_and_stands_in_the_ledger() -> None:
    """A refusal is `out` here and 403 there; whatever else is not equal has its reason and its row."""
    ledger = LEDGER.read_text()
    for case in CASES:
        mine, other = case.get("ours") or case["both"], case.get("theirs") or case["both"]
        equal = mine == other or (mine.startswith("out") and other == "403")
        assert equal is ("differs" not in case), case["name"]
        if not equal:
            assert f"`{case['name']}`" in ledger, f"the ledger lacks `{case['name']}`"


def test_the_user_is_the_same_to_the_byte(ours: Server, theirs: Server) -> None:
    """uid and every key of extra, of a user, a session and an account."""
    for name in (
        "a user",
        "a role's session",
        "an account that is listed",
        "a federated user of an account that is listed",
    ):
        number = next(number for number, case in enumerate(CASES) if case["name"] == name)
        users = [server.user(token_of(CASES[number], number)) for server in (ours, theirs)]
        for user in users:
            user["groups"] = user.get("groups") or []
        assert users[0] == users[1], name


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b'{"spec": 1}', b"\xff", b'"x"'], ids=repr)
def test_what_is_no_review_has_the_originals_status(ours: Server, theirs: Server, body: bytes | None) -> None:
    """GET is 405 and garbage 400, in the original's words."""
    mine, other = ours.status(body), theirs.status(body)
    assert mine == other
    assert mine[0] == (405 if body is None else 400)


def test_the_originals_own_pair_is_served_as_it_is(tmp_path: Path, aws: Aws) -> None:
    """What its `init` made is served by ours, and its webhook kubeconfig reaches us: the daemon can be swapped in place."""
    if not BINARY.exists():
        pytest.skip("the original is not built: `make bench-authenticator` builds it")
    port = free_port()
    init = [str(BINARY), "init", "-i", "demo", "--hostname", "127.0.0.1"]
    (tmp_path / "config.yaml").write_text(f"clusterID: demo\nserver:\n  port: {port}\n  stateDir: {tmp_path}\n")
    subprocess.run([*init, "-c", str(tmp_path / "config.yaml")], cwd=tmp_path, check=True, capture_output=True)
    program = str(Path(sys.executable).with_name("iambridge"))
    command = [program, "serve", "authenticator", "-c", str(tmp_path / "config.yaml"), "--kubeconfig-pregenerated"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        cluster = yaml.safe_load((tmp_path / "aws-iam-authenticator.kubeconfig").read_text())["clusters"][0]["cluster"]
        pinned = base64.b64decode(cluster["certificate-authority-data"]).decode()
        url = cluster["server"].replace("/authenticate", "/readyz")
        for _ in range(400):
            with contextlib.suppress(ConnectionError, urllib.error.URLError):
                tls = ssl.create_default_context(cadata=pinned)
                with urllib.request.urlopen(url, context=tls, timeout=60) as answer:
                    assert answer.read() == b"ok"
                    return
            threading.Event().wait(0.05)
        raise AssertionError(url)
    finally:
        process.kill()
        process.wait(60)
