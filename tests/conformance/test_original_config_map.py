"""aws-auth, right and wrong, before the original and ours: who gets in, and each difference named.

Both watch one API server; each document carries a fresh account in mapAccounts, by which the test sees that it counts.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ports import free_port

from iambridge.adapters.serving import Listener, RunningServer
from iambridge.wire.http import Request, Response

from .test_original_authenticator import BINARY, LEDGER, ROOT, Aws, Server, token_of

CASES: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests/cases/authenticator/documents.yaml").read_text())
ACCOUNT = "111122223333"
CALLERS = {
    "alice": f"arn:aws:iam::{ACCOUNT}:user/alice AIDAALICE00000000001",
    "bob": f"arn:aws:iam::{ACCOUNT}:user/bob AIDABOB0000000000001",
    "dev": f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/s AROADEV0000000000001:s",
    "octal": "arn:aws:iam::012345678901:user/any AIDAANY0000000000001",
    "account": "arn:aws:iam::444455556666:user/any AIDAANY0000000000001",
}
BEFORE = {
    "mapUsers": f"- {{userarn: 'arn:aws:iam::{ACCOUNT}:user/alice', username: alice, groups: [readers]}}",
    "mapRoles": f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/dev', username: dev, groups: [devs]}}",
}
SENTINELS = [f"9{number:011}" for number in range(4 * len(CASES) + 4)]
IDENTITIES = [
    *({"caller": caller} for caller in CALLERS.values()),
    *({"caller": f"arn:aws:iam::{account}:user/sentinel AIDASENTINEL00000001"} for account in SENTINELS),
]
CONFIGURATION = "clusterID: demo\nserver:\n  backendMode: [EKSConfigMap]\n"


class Api:
    """An API server with one ConfigMap and any number of watchers, each of which is told the newest version."""

    def __init__(self) -> None:
        self.port = free_port()
        self.version = 1
        self.data: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(60)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self) -> None:
        server = RunningServer(self._app, Listener("127.0.0.1", self.port))
        await server.start()
        self._ready.set()
        await self._stop.wait()
        await server.stop()

    def _object(self) -> dict[str, Any]:
        metadata = {"name": "aws-auth", "namespace": "kube-system", "uid": "u", "resourceVersion": str(self.version)}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": self.data}

    async def _app(self, request: Request) -> Response:
        kind = (("content-type", "application/json"),)
        if request.method == "POST":
            return Response(201, kind, b"{}")
        if "watch=" in request.query:
            seen = self.version if f"resourceVersion={self.version}&" in request.query + "&" else 0
            return Response(200, kind, self._watch(seen))
        if request.path.endswith("/configmaps"):
            items = {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": str(self.version)}}
            return Response(200, kind, json.dumps({**items, "items": [self._object()]}).encode())
        return Response(200, kind, json.dumps(self._object()).encode())

    async def _watch(self, seen: int) -> AsyncIterator[bytes]:
        while True:
            if seen != self.version:
                event = "MODIFIED" if seen else "ADDED"
                seen = self.version
                yield json.dumps({"type": event, "object": self._object()}).encode() + b"\n"
            changed = self._changed
            await changed.wait()

    def put(self, data: dict[str, str]) -> None:
        def change() -> None:
            self.data, self.version = data, self.version + 1
            self._changed.set()
            self._changed = asyncio.Event()

        self._loop.call_soon_threadsafe(change)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)


class Judges:
    """The servers before one API server, and a token for each caller."""

    def __init__(self, aws: Aws) -> None:
        self.api = Api()
        kubeconfig = aws.directory / "api.yaml"
        kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "c", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.api.port}"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        }))  # fmt: skip
        program = str(Path(sys.executable).with_name("iambridge"))
        flags = ("--kubeconfig", str(kubeconfig))
        ours = [program, "serve", "authenticator", "--sts-ca-file", str(aws.directory / "ca.crt")]
        self.servers = {"ours": Server(ours, aws, CONFIGURATION, *flags)}
        if BINARY.exists():
            self.servers["theirs"] = Server([str(BINARY), "server"], aws, CONFIGURATION, *flags)
        self._sentinel = 0

    def show(self, data: dict[str, str]) -> None:
        """Give all servers the document, and wait until it counts with each."""
        account = SENTINELS[self._sentinel]
        number = len(CALLERS) + self._sentinel
        self._sentinel += 1
        listed = data.get("mapAccounts", "").rstrip("\n")
        self.api.put({**data, "mapAccounts": f'{listed}\n- "{account}"\n'})
        for server in self.servers.values():
            end = time.monotonic() + 30
            while not server.review(token_of({}, number)).startswith("in: "):
                assert time.monotonic() < end, server.log.read_text()[-2000:]
                time.sleep(0.02)

    def asked(self, who: str, caller: str) -> str:
        found = self.servers[who].review(token_of({}, list(CALLERS).index(caller)))
        return "out" if found == "403" or found.startswith("out") else found

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()
        self.api.stop()


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judges]:
    with Aws(tmp_path_factory.mktemp("aws"), IDENTITIES).running() as aws:
        found = Judges(aws)
        yield found
        found.stop()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_who_gets_in_after_a_document(judges: Judges, case: dict[str, Any]) -> None:
    """Both as the case says, the original where its binary is there."""
    judges.show(BEFORE)
    judges.show(case["data"])
    for who in judges.servers:
        wanted = case.get(who) or case["both"]
        assert {caller: judges.asked(who, caller) for caller in wanted} == wanted, who


def test_the_original_was_asked_too(judges: Judges) -> None:
    """Without its binary its half of the cases was not judged."""
    if "theirs" not in judges.servers:
        pytest.skip("the original is not built: `make bench-authenticator` builds it")


def test_a_difference_is_named_and_stands_in_the_ledger() -> None:
    """No case has two columns without a reason and a row."""
    ledger = LEDGER.read_text()
    for case in CASES:
        assert ("both" in case) is ("differs" not in case), case["name"]
        if "differs" in case:
            assert f"`{case['name']}`" in ledger, f"the ledger lacks `{case['name']}`"
