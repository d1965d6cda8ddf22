"""Prints a demo as it goes: why, the command, its output, and at the end the table of crossings."""

from collections.abc import Sequence
from typing import IO

from iambridge.cli.demo.play import Played
from iambridge.cli.demo.stage import Stage
from iambridge.cli.demo.step import Step, World


class Narrator:
    """Writes to `stream`; `quiet` prints only faults and waiting."""

    def __init__(self, stream: IO[str], *, quiet: bool) -> None:
        self._stream = stream
        self._quiet = quiet
        self._tty = stream.isatty()
        self._waiting = ""

    def _say(self, text: str = "") -> None:
        self._end_waiting()
        if not self._quiet:
            print(text, file=self._stream, flush=True)

    def starting(self) -> None:
        self._say("Starting a sandbox: an embedded Kubernetes cluster and an embedded AWS account, on loopback.")
        self._waiting = "starting the sandbox"

    def story(self, title: str) -> None:
        self._say(f"\n== {title} ==")

    def before(self, steps: Sequence[Step], world: World) -> None:
        """Announce a step that runs by itself; others are told with their output."""
        if len(steps) == 1:
            self._announce(steps[0], world)
        self._waiting = steps[0].command.split()[0]

    def _announce(self, step: Step, world: World) -> None:
        self._say(f"\n{step.name:>4}  {step.why}")
        self._say(f"      $ {world.shown(step)}")

    def waiting(self, seconds: float) -> None:
        """A progress line, once a second: rewritten on a terminal, printed elsewhere."""
        text = f"      ... {self._waiting} has been running for {seconds:.0f} s"
        if self._tty:
            print(f"\r{text}", end="", file=self._stream, flush=True)
        else:
            print(text, file=self._stream, flush=True)

    def _end_waiting(self) -> None:
        if self._tty and self._waiting:
            print("\r\033[K", end="", file=self._stream, flush=True)
        self._waiting = ""

    def after(self, one: Played, *, announced: bool) -> None:
        if not announced:
            self._say(f"\n{one.step.name:>4}  {one.step.why}")
            self._say(f"      $ {one.command}")
        lines = one.output.rstrip("\n").splitlines()
        for line in lines[: one.step.output_lines]:
            self._say(f"      | {line[:160]}")
        if len(lines) > one.step.output_lines:
            self._say(f"      | ... {len(lines) - one.step.output_lines} more lines")
        for fault in one.faults:
            self._end_waiting()
            print(f"      FAULT in {one.step.name}: {fault}", file=self._stream, flush=True)

    def stopped(self, step: Step) -> None:
        self._say(f"\nStopped at {step.name}: the steps after it rely on it.")

    def table(self, played: list[Played], seconds: float, *, good: bool) -> None:
        rows = [("who", "what", "expected", "seen")]
        rows += [
            (one.step.crossing.who, one.step.crossing.what, one.step.crossing.expected, one.seen)
            for one in played
            if one.step.crossing is not None
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        self._say("\n== Crossings ==\n")
        for index, row in enumerate(rows):
            self._say("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            if index == 0:
                self._say("  " + "  ".join("-" * width for width in widths))
        faults = sum(1 for one in played if one.faults)
        verdict = (
            "every step did what it should" if good else f"{faults} of {len(played)} steps did not do what they should"
        )
        self._say(f"\n{len(played)} steps in {seconds:.0f} s: {verdict}.")

    def carry_on(self, stage: Stage) -> None:
        print(
            f"\nThe sandbox keeps running (process {stage.pid}). To carry on by hand:\n\n"
            f'  eval "$(iambridge env --data-dir {stage.data_dir})"\n'
            "  kubectl get pods -A\n"
            "  aws s3 ls s3://s3-echoer-demo\n\n"
            f"To stop it: kill {stage.pid}; rm -r {stage.directory}",
            file=self._stream,
            flush=True,
        )
