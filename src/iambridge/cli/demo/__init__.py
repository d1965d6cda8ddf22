"""`iambridge demo`: plays the crossings with real clients against a sandbox of its own, and checks every step.

`step` says what a step is, the three stories are data, `play` runs and judges a step, `narrate` prints.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from iambridge.cli.demo import aws_to_kubernetes, controllers, kubernetes_to_aws
from iambridge.cli.demo.narrate import Narrator
from iambridge.cli.demo.play import Played, play, prepare
from iambridge.cli.demo.stage import Stage
from iambridge.cli.demo.step import Step, together

_EXAMPLE = """examples:
  iambridge demo            play, check, clean up
  iambridge demo --keep     leave the sandbox running, to carry on by hand
  iambridge demo --json     one JSON document instead of the narration
"""

STORIES: tuple[tuple[str, tuple[Step, ...]], ...] = (
    ("Kubernetes to AWS: a pod writes to a bucket", kubernetes_to_aws.crossing()),
    ("Kubernetes to AWS: what is refused", kubernetes_to_aws.refusals()),
    ("Kubernetes to AWS: a controller changes the account", controllers.crossing()),
    ("Kubernetes to AWS: what the controller is refused", controllers.refusals()),
    ("AWS to Kubernetes: the mapping", aws_to_kubernetes.preparation()),
    ("AWS to Kubernetes: a user and a role log in", aws_to_kubernetes.crossing()),
    ("AWS to Kubernetes: an EC2 instance logs in as its node", aws_to_kubernetes.instance()),
    ("AWS to Kubernetes: what is refused", aws_to_kubernetes.refusals()),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("--keep", action="store_true", help="leave the sandbox running and say how to carry on by hand")
    parser.add_argument("--json", action="store_true", help="print one JSON document: every step and every crossing")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 only if every step did what it should."""
    started = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="iambridge-demo-"))
    narrator = Narrator(sys.stderr if arguments.json else sys.stdout, quiet=arguments.json)
    stage = Stage(directory)
    try:
        narrator.starting()
        stage.start(narrator.waiting)
        played = _play_all(stage, narrator)
        complete = len(played) == sum(len(steps) for _, steps in STORIES)
        good = complete and not any(one.faults for one in played)
        if arguments.json:
            print(json.dumps(_document(played, good=good), indent=2))
        narrator.table(played, time.monotonic() - started, good=good)
        if arguments.keep:
            narrator.carry_on(stage)
        return 0 if good else 1
    finally:
        if not arguments.keep:
            stage.stop()
            shutil.rmtree(directory, ignore_errors=True)


def _play_all(stage: Stage, narrator: Narrator) -> list[Played]:
    played: list[Played] = []
    with ThreadPoolExecutor() as pool:
        for title, steps in STORIES:
            narrator.story(title)
            for group in together(steps):
                prepare(group, stage.world)
                narrator.before(group, stage.world)
                started = [pool.submit(play, step, stage.world, narrator.waiting) for step in group]
                for one in [future.result() for future in started]:
                    played.append(one)
                    narrator.after(one, announced=len(group) == 1)
                if any(one.faults and one.step.crossing is None for one in played):
                    narrator.stopped(group[-1])
                    return played
    return played


def _document(played: list[Played], *, good: bool) -> dict[str, object]:
    return {
        "ok": good,
        "steps": [
            {
                "name": one.step.name,
                "why": one.step.why,
                "command": one.command,
                "exitCode": one.exit_code,
                "output": one.output,
                "seconds": round(one.seconds, 3),
                "faults": list(one.faults),
            }
            for one in played
        ],
        "crossings": [
            {
                "who": one.step.crossing.who,
                "what": one.step.crossing.what,
                "expected": one.step.crossing.expected,
                "seen": one.seen,
            }
            for one in played
            if one.step.crossing is not None
        ],
    }
