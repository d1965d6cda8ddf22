"""One cluster for all tests here: IAMBRIDGE_TEST_KUBECONFIG's, else an embedded one on TLS."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from tests.ports import free_port

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.errors import NotFound

from .plumbing import SECONDS, asked
from .sandbox_process import SandboxProcess

_SERVER = Path(__file__).with_name("embedded_server.py")
_KUBECTLS = [path for path in (shutil.which("kubectl"), str(Path(sys.executable).with_name("kubectl"))) if path]


def kubectl_name(path: str) -> str:
    """What a test's id calls the kubectl at `path`."""
    return "pinned" if ".venv" in path else "system"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    error: str


class Kubectl:
    """Runs one kubectl against one cluster, in a namespace."""

    def __init__(self, program: str, kubeconfig: Path, home: Path, namespace: str = "default") -> None:
        self.program, self.kubeconfig, self.home, self.namespace = program, kubeconfig, home, namespace

    def within(self, namespace: str) -> "Kubectl":
        return Kubectl(self.program, self.kubeconfig, self.home, namespace)

    def run(self, *words: str, stdin: str = "", timeout: float = 120) -> Result:
        done = subprocess.run(
            [self.program, "--namespace", self.namespace, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={
                "KUBECONFIG": str(self.kubeconfig),
                "HOME": str(self.home),
                "PATH": os.environ["PATH"],
                # a program of a tenth of a second spends a fifth of it on collecting what its end would free
                "GOGC": "off",
                "GOMEMLIMIT": "256MiB",
            },
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, stdin: str = "") -> str:
        """The output of a command that must succeed."""
        result = self.run(*words, stdin=stdin)
        assert result.code == 0, f"kubectl {' '.join(words)}: {result.error}{result.out}"
        return result.out

    def fails(self, *words: str, stdin: str = "") -> str:
        """What a command that must fail says."""
        result = self.run(*words, stdin=stdin)
        assert result.code != 0, f"kubectl {' '.join(words)} succeeded: {result.out}"
        return result.error

    def json(self, *words: str) -> dict:  # type: ignore[type-arg]  # whatever the API holds
        return json.loads(self.ok(*words, "-o", "json"))  # type: ignore[no-any-return]  # as above


async def _make_namespace(client: KubernetesClient, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await client.post("/api/v1/namespaces", body)
    end = time.monotonic() + SECONDS
    while not await _there(client, path_of("api", "v1", "namespaces", name, "serviceaccounts", "default")):
        assert time.monotonic() < end, f"namespace {name} has no ServiceAccount after {SECONDS} s"
        await asyncio.sleep(0.01)


async def _there(client: KubernetesClient, path: str) -> bool:
    try:
        await client.get(path)
    except NotFound:
        return False
    return True


@contextmanager
def in_new_namespace(tool: Kubectl) -> Iterator[Kubectl]:
    """`tool` within a namespace that is made for it, with its ServiceAccount, and deleted after.

    Not by kubectl: each test has one, and three more kubectls would cost most tests more than they do.
    """
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    asked(tool.kubeconfig, lambda client: _make_namespace(client, namespace))
    yield tool.within(namespace)
    asked(tool.kubeconfig, lambda client: client.delete(path_of("api", "v1", "namespaces", namespace)))


class EmbeddedServer:
    """An embedded API server in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        ports = directory / "ports"
        if not ports.exists():
            ports.write_text(json.dumps([free_port(), free_port()]))
        log = directory / "server.log"
        with log.open("w") as stream:
            self.process = self._started(stream)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self._close()
            raise RuntimeError(log.read_text())
        self.facts = json.loads(line)
        self.kubeconfig = Path(self.facts["kubeconfig"])

    def _started(self, stream: IO[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(_SERVER), str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
        )

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.communicate("", timeout=60)
        self._close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None and not stream.closed:
                stream.close()


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of an administrator."""
    given = os.environ.get("IAMBRIDGE_TEST_KUBECONFIG")
    if given:
        yield Path(given)
        return
    server = EmbeddedServer(tmp_path_factory.mktemp("embedded"))
    yield server.kubeconfig
    server.stop()


@pytest.fixture(autouse=True)
def _embedded_only(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("embedded_only")
    if marker and os.environ.get("IAMBRIDGE_TEST_KUBECONFIG"):
        pytest.skip(f"embedded only: {marker.kwargs['reason']}")


@pytest.fixture(params=_KUBECTLS, ids=kubectl_name)
def kubectl(request: pytest.FixtureRequest, kubeconfig: Path, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl, each one that is here, in a namespace of its own."""
    with in_new_namespace(Kubectl(request.param, kubeconfig, tmp_path)) as tool:
        yield tool


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A whole sandbox, for the tests that need pods to run."""
    started = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "data")
    yield started
    started.stop()


@pytest.fixture
def node(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl in a namespace of its own, on a cluster that runs pods."""
    with in_new_namespace(Kubectl(_KUBECTLS[-1], sandbox.kubeconfig, tmp_path)) as tool:
        yield tool
