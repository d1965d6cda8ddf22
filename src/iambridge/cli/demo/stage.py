"""The sandbox that a demo plays on: a real `iambridge up`, and the world of names that the steps fill in."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import iambridge
from iambridge.cli.demo.play import client_path
from iambridge.cli.demo.step import World
from iambridge.errors import InputError
from iambridge.sandbox.client_environment import client_environment, past_the_proxy
from iambridge.sandbox.data_dir import SIGNING_KEY, read_ports

READY = "iambridge is ready"
_START_SECONDS = 60
_STOP_SECONDS = 20


class Stage:
    """Starts `iambridge up` on a data directory below `directory`, and stops it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data_dir = directory / "sandbox"
        # a file and not a pipe: with --keep the sandbox outlives its reader
        self._log = directory / "up.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._world: World | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def world(self) -> World:
        assert self._world is not None, "start() comes first"
        return self._world

    def start(self, progress: Callable[[float], None]) -> None:
        """Start and wait until everything answers.

        Raises:
            InputError: the sandbox ended, with what it printed.
        """
        with self._log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "iambridge", "up", "--data-dir", str(self.data_dir)],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_ready(progress)
        (self.directory / "examples").symlink_to(examples())
        ports = read_ports(self.data_dir)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KUBE"))}
        changes = client_environment(self.data_dir) | past_the_proxy(os.environ)
        environment.update({name: value for name, value in changes.items() if value is not None})
        environment["PATH"] = client_path()
        environment["AWS_PAGER"] = ""
        issuer = ports.url("issuer")
        self._world = World(
            self.directory,
            environment,
            {
                "account": "111122223333",
                "cluster": "iambridge",
                "issuer": issuer,
                "issuer_host": issuer.removeprefix("https://"),
                "kubernetes": ports.url("kubernetes"),
                "aws": ports.url("aws"),
                "ca": str(self.data_dir / "pki/ca.crt"),
                "directory": str(self.directory),
                "secret_admin": environment["AWS_SECRET_ACCESS_KEY"],
                "signing_key": str(self.data_dir / SIGNING_KEY),
            },
        )

    def _await_ready(self, progress: Callable[[float], None]) -> None:
        assert self._process is not None
        started = told = time.monotonic()
        while READY not in (printed := self._log.read_text()):
            now = time.monotonic()
            if self._process.poll() is not None or now - started > _START_SECONDS:
                self.stop()
                raise InputError("the sandbox did not start", cause=printed.strip(), fix="run `iambridge up` by itself")
            if now - told >= 1:
                told = now
                progress(now - started)
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def examples() -> Path:
    """The examples' folder: of this checkout, or of the installed package."""
    package = Path(iambridge.__file__).parent
    for folder in (package.parents[1] / "examples", package / "examples"):
        if (folder / "s3-echoer").is_dir():
            return folder
    raise InputError("the examples folder is missing", where=str(package), fix="run the demo from a checkout")
