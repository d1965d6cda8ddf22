"""The webhook's daemons as processes, on an API server, under the rights that `deploy/webhook` gives and no others."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from iambridge.adapters.serving import free_port

NAMESPACE, NAME = "iambridge", "iambridge-webhook"
IAMBRIDGE = str(Path(sys.executable).with_name("iambridge"))


def manifests(*words: str) -> list[dict[str, Any]]:
    printed = subprocess.run([IAMBRIDGE, "manifests", "webhook", *words], capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(printed.stdout) if document]


def eventually(what: str, asked: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not asked():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)


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
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
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
