"""Both stories as `iambridge demo` plays them: one sandbox, real clients, every step and every refusal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from iambridge.cli.demo import STORIES
from iambridge.cli.demo.play import play
from iambridge.cli.demo.stage import Stage
from iambridge.cli.demo.step import Step

pytestmark = pytest.mark.xdist_group("stories")

STEPS = [step for _, steps in STORIES for step in steps]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    stage.start(lambda _seconds: None)
    yield stage
    stage.stop()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_step_does_what_it_should(stage: Stage, step: Step) -> None:
    """Each step's real client prints what the story promises; the steps run in order, on one sandbox."""
    played = play(step, stage.world)
    assert not played.faults, f"{played.command}\n{played.output}\n{_sandbox_log(stage.directory)}"


def test_every_refusal_names_its_code() -> None:
    """A step that expects a refusal asserts the error's code or words, not only a failure."""
    for step in STEPS:
        if step.crossing is not None and step.crossing.expected != "allowed":
            assert step.shows, step.name


def _sandbox_log(directory: Path) -> str:
    logs = sorted((directory / "sandbox/logs").glob("*"))
    return "\n".join(log.read_text()[-2000:] for log in logs)
