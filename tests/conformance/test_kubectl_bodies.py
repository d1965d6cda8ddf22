import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from iambridge.sandbox.cluster.objects import protobuf
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.types import type_of

KUBECTLS = sorted(
    {
        path
        for path in (str(Path(sys.executable).with_name("kubectl")), shutil.which("kubectl"))
        if path and Path(path).exists()
    }
)


class Recorder(ThreadingHTTPServer):
    bodies: list[bytes]


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Recorder)
        server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}'
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    server = Recorder(("127.0.0.1", 0), Answers)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(kubectl: str, home: Path, *arguments: str) -> str:
    environment = {"HOME": str(home), "KUBECONFIG": str(home / "none"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [kubectl, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    ).stdout


@pytest.mark.skipif(not KUBECTLS, reason="no kubectl on PATH or beside this Python")
@pytest.mark.parametrize("kubectl", KUBECTLS)
@pytest.mark.parametrize(
    "command",
    [
        "create serviceaccount robot",
        "create job j --image=i -- sh -c true",
        "create secret generic s --from-literal=k=v",
        "create configmap c --from-literal=k=v",
        "create namespace n",
        "create deployment d --image=i --replicas=2 --port=80",
        "create service clusterip s --tcp=80:8080",
        "create clusterrolebinding b --clusterrole=view --user=u --group=g --serviceaccount=a:b",
    ],
)
def test_what_kubectl_sends_is_what_kubectl_shows(
    kubectl: str, command: str, recorder: Recorder, tmp_path: Path
) -> None:
    """The body that kubectl sends decodes to the object that its own client-side dry run prints."""
    server = f"--server=http://127.0.0.1:{recorder.server_port}"
    head, dashes, tail = command.partition(" -- ")
    ending = ["--", *tail.split()] if dashes else []
    run(kubectl, tmp_path, *head.split(), server, *ending)
    shown = json.loads(run(kubectl, tmp_path, *head.split(), server, "--dry-run=client", "-o", "json", *ending))
    (body,) = recorder.bodies
    sent = protobuf.decode(body) if body.startswith(protobuf.MAGIC) else json.loads(body)
    kind = type_of(shown["apiVersion"], shown["kind"])
    found, wanted = conform(sent, kind), conform(shown, kind)
    assert (found.unknown, wanted.unknown) == ((), ())
    wanted.object["metadata"].pop("namespace", None)
    found.object["metadata"].pop("namespace", None)
    assert found.object == wanted.object


@pytest.mark.skipif(not KUBECTLS, reason="no kubectl on PATH or beside this Python")
@pytest.mark.parametrize("kubectl", KUBECTLS)
def test_a_token_request_is_read(kubectl: str, recorder: Recorder, tmp_path: Path) -> None:
    """`kubectl create token` sends a TokenRequest that we read to the last field."""
    run(
        kubectl,
        tmp_path,
        "create",
        "token",
        "robot",
        "--audience=a",
        "--duration=10m",
        f"--server=http://127.0.0.1:{recorder.server_port}",
    )
    (body,) = recorder.bodies
    sent = protobuf.decode(body) if body.startswith(protobuf.MAGIC) else json.loads(body)
    assert (sent["kind"], sent["spec"]["audiences"], sent["spec"]["expirationSeconds"]) == ("TokenRequest", ["a"], 600)
