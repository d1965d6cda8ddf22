"""Both stories as `iambridge demo` plays them: one sandbox, real clients, every step and every refusal."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from iambridge.cli.demo import STORIES
from iambridge.cli.demo.play import play, prepare
from iambridge.cli.demo.stage import Stage
from iambridge.cli.demo.step import Step

STEPS = [step for _, steps in STORIES for step in steps]
REFUSALS = [step for step in STEPS if step.crossing is not None and step.crossing.expected != "allowed"]


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    stage.start(lambda _seconds: None)
    yield stage
    stage.stop()


def test_every_step_does_what_it_should(stage: Stage) -> None:
    """In order, on one sandbox: each step's real client prints what its story promises."""
    faults = []
    for step in STEPS:
        prepare([step], stage.world)
        played = play(step, stage.world)
        if played.faults:
            faults.append(f"{step.name} {played.faults}\n  {played.command}\n{played.output}")
            if step.crossing is None:
                break
    assert not faults, "\n".join([*faults, _decisions(stage.directory)])


@pytest.mark.parametrize("step", REFUSALS, ids=lambda step: step.name)
def test_a_refusal_names_its_code(step: Step) -> None:
    """A step that expects a refusal asserts a failing exit code or log, and the error's own words."""
    assert step.shows


def _decisions(directory: Path) -> str:
    return (directory / "sandbox/logs/decisions.jsonl").read_text()[-4000:]


def test_a_proxy_is_not_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that has one, the clients of a demo reach loopback past it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    stage = Stage(tmp_path)
    stage.start(lambda _seconds: None)
    try:
        environment = stage.world.environment
        command = ["aws", "sts", "get-caller-identity"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    finally:
        stage.stop()
    assert "user/iambridge-admin" in done.stdout, done.stderr
