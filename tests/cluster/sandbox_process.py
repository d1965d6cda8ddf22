"""A whole sandbox, as `iambridge up` runs it, for the tests that need pods to run."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

_READY = "iambridge is ready"


class SandboxProcess:
    """Starts `iambridge up` on `data_dir` with `environment` added to its own; ready when the constructor returns.

    `words` are further arguments; `printed` is what it said up to then. `program` is run in place of `iambridge up`, and `python` in place of this one.
    """

    def __init__(
        self,
        data_dir: Path,
        environment: Mapping[str, str] | None = None,
        *words: str,
        program: Sequence[str] = ("-m", "iambridge", "up"),
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        self.data_dir = data_dir
        self.kubeconfig = data_dir / "kubeconfig"
        self.process = subprocess.Popen(
            [*python, *program, "--data-dir", str(data_dir), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        self.printed = self._until_ready()
        if _READY not in self.printed:
            self.kill()
            raise RuntimeError(self.printed)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self._end()

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def _end(self) -> None:
        self.process.wait(60)
        if hasattr(self, "_reader"):
            self._reader.join(60)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _until_ready(self) -> str:
        printed = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            printed += line
            if _READY in line:
                break
        return printed

    def _drain(self) -> None:
        assert self.process.stdout is not None
        for _ in self.process.stdout:
            pass
