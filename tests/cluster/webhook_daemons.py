"""The webhook's daemons as processes, on an API server, under the rights that `deploy/webhook` gives and no others."""

import base64
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from tests.ports import free_port

from . import plumbing
from .conftest import _KUBECTLS, EmbeddedServer, Kubectl
from .plumbing import SECONDS

NAMESPACE, NAME = "iambridge", "iambridge-webhook"
CONFIGURATION = f"mutatingwebhookconfiguration/{NAME}"
ROLE = "arn:aws:iam::111122223333:role/app"
_NEEDS_A_NODE = {"Deployment", "Service"}
IAMBRIDGE = str(Path(sys.executable).with_name("iambridge"))


def manifests(*words: str) -> list[dict[str, Any]]:
    printed = subprocess.run([IAMBRIDGE, "manifests", "webhook", *words], capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(printed.stdout) if document]


def eventually(what: str, asked: Callable[[], bool], seconds: float = SECONDS) -> None:
    plumbing.eventually(asked, seconds, what)


class WebhookProcess:
    """One replica on a port of 127.0.0.1, known to the API server as the ServiceAccount of the manifests."""

    def __init__(self, directory: Path, kubeconfig: Path, *flags: str, port: int = 0) -> None:
        self.port, self.metrics_port = port or free_port(), free_port()
        self.log_file = directory / f"webhook-{self.port}.log"
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(
                [
                    IAMBRIDGE, "serve", "webhook", f"--kubeconfig={kubeconfig}", f"--namespace={NAMESPACE}",
                    f"--service-name={NAME}", f"--tls-secret={NAME}", f"--lease={NAME}", f"--webhook-configuration={NAME}",
                    "--bind-address=127.0.0.1", f"--port={self.port}", f"--metrics-port={self.metrics_port}", *flags,
                ],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def metric(self, name: str) -> float:
        """The sample whose name and labels are `name`; 0 when there is none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=60) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.rpartition(" ")[2])
        return 0.0

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


def daemon_kubeconfig(path: Path, admin: Path, token: str) -> Path:
    """The admin's kubeconfig with another token."""
    config = json.loads(admin.read_text())
    config["users"] = [{"name": "webhook", "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = "webhook"
    path.write_text(json.dumps(config))
    return path


class Installed:
    """An embedded API server with the manifests in it, and the daemons that a test starts."""

    def __init__(self, directory: Path, server: type[EmbeddedServer] = EmbeddedServer) -> None:
        self.directory = directory
        self.server = server(directory)
        self.kubectl = Kubectl(_KUBECTLS[-1], self.server.kubeconfig, directory)
        self.kubeconfig = directory / "webhook-kubeconfig"
        self.replicas: list[WebhookProcess] = []

    def install(self) -> None:
        items = [document for document in manifests() if document["kind"] not in _NEEDS_A_NODE]
        within = self.kubectl.within(NAMESPACE)
        within.ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        token = self.kubectl.within(NAMESPACE).ok("create", "token", NAME).strip()
        daemon_kubeconfig(self.kubeconfig, self.server.kubeconfig, token)
        self.kubectl.ok("create", "serviceaccount", "app")
        self.kubectl.ok("annotate", "serviceaccount", "app", f"eks.amazonaws.com/role-arn={ROLE}")

    def replica(self, *flags: str, port: int = 0) -> WebhookProcess:
        started = WebhookProcess(self.directory, self.kubeconfig, "--self-managed-tls", *flags, port=port)
        self.replicas.append(started)
        return started

    def point_at(self, replica: WebhookProcess) -> None:
        """Services are another test's matter: here the API server calls a port of this machine."""
        client = {"url": f"https://127.0.0.1:{replica.port}/mutate"}
        patch = [{"op": "replace", "path": "/webhooks/0/clientConfig", "value": client}]
        self.kubectl.ok("patch", CONFIGURATION, "--type=json", "-p", json.dumps(patch))

    def bundle(self) -> bytes:
        found = self.kubectl.json("get", CONFIGURATION)
        return base64.b64decode(found["webhooks"][0]["clientConfig"].get("caBundle", ""))

    def secret(self) -> dict[str, bytes]:
        found = self.kubectl.within(NAMESPACE).json("get", "secret", NAME)
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}

    def take_out(self, *keys: str) -> None:
        patch = json.dumps({"data": dict.fromkeys(keys)})
        self.kubectl.within(NAMESPACE).ok("patch", "secret", NAME, "--type=merge", "-p", patch)

    def served(self, replica: WebhookProcess) -> str:
        """The certificate on the port, when the live caBundle verifies it for its name; else empty."""
        bundle = self.bundle()
        try:
            context = ssl.create_default_context(cadata=bundle.decode()) if bundle else ssl.create_default_context()
            with (
                socket.create_connection(("127.0.0.1", replica.port), timeout=20) as raw,
                context.wrap_socket(raw, server_hostname=f"{NAME}.{NAMESPACE}.svc") as secured,
            ):
                return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")
        except (OSError, ssl.SSLError):
            return ""

    def mutates(self) -> bool:
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "probe-", "namespace": "default"},
            "spec": {"serviceAccountName": "app", "containers": [{"name": "c", "image": "i", "command": ["true"]}]},
        }  # fmt: skip
        made = self.kubectl.run("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pod))
        return "AWS_ROLE_ARN" in made.out

    def outage(self, seconds: float) -> None:
        """The API server is killed, and comes back on the same port with the same state."""
        self.server.kill()
        time.sleep(seconds)
        self.server = EmbeddedServer(self.directory)

    def close(self) -> None:
        for replica in self.replicas:
            replica.stop()
        self.server.stop()
