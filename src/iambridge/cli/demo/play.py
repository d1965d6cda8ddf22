"""Runs the steps of a story and judges what each one printed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iambridge.cli.demo.step import Step, World
from iambridge.cli.demo.tools import executable

_STEP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Played:
    """A step and what came of it. `faults` is empty when it did what it should; `output` holds no secret."""

    step: Step
    command: str
    exit_code: int
    output: str
    seconds: float
    faults: tuple[str, ...]

    @property
    def seen(self) -> str:
        """What the table shows: the expectation if it was met, else the first fault."""
        assert self.step.crossing is not None
        return self.faults[0] if self.faults else self.step.crossing.expected


def prepare(steps: Sequence[Step], world: World) -> None:
    """What the steps need written first; before any of them is played."""
    for step in steps:
        if step.prepare is not None:
            step.prepare(world)


def play(step: Step, world: World, progress: Callable[[float], None] = lambda _seconds: None) -> Played:
    """Run the step, again until it does what it should while `step.within` lasts."""
    started = time.monotonic()
    while True:
        exit_code, stdout, stderr = _run(step, world, started, progress)
        faults = _faults(step, world, exit_code, stdout, stderr)
        if not faults or time.monotonic() - started >= step.within:
            break
        time.sleep(0.1)
    return Played(
        step,
        world.shown(step),
        exit_code,
        world.mask(stdout + stderr),
        time.monotonic() - started,
        tuple(faults),
    )


def _run(step: Step, world: World, started: float, progress: Callable[[float], None]) -> tuple[int, str, str]:
    argv = world.argv(step)
    child = subprocess.Popen(  # noqa: S603 - the command lines are the stories' own
        [*executable(argv[0], world.environment["PATH"]), *argv[1:]],
        cwd=world.directory,
        env=world.environment_of(step),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while True:
        try:
            out, err = child.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
            progress(elapsed)
            if elapsed > _STEP_SECONDS:
                child.kill()
                out, err = child.communicate()
                return 124, out.decode(errors="replace"), err.decode(errors="replace") + "\ntimed out\n"
        else:
            return child.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def _faults(step: Step, world: World, exit_code: int, stdout: str, stderr: str) -> list[str]:
    faults = []
    if step.exit_code is None and exit_code == 0:
        faults.append("succeeded, and must not")
    elif step.exit_code is not None and exit_code != step.exit_code:
        faults.append(f"exit code {exit_code}, not {step.exit_code}")
    output = stdout + stderr
    faults += [f"does not show `{world.fill(text)}`" for text in step.shows if world.fill(text) not in output]
    faults += [f"shows `{world.fill(text)}`" for text in step.hides if world.fill(text) in output]
    if not faults:
        try:
            world.keep(step, stdout)
        except (LookupError, ValueError, TypeError) as error:
            faults.append(f"output lacks what the next steps need: {error!r}")
    return faults


def client_path() -> str:
    """PATH for the steps: the user's own first, then the pinned clients beside this interpreter."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
