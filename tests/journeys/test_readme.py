"""README's commands, as they stand there, against a real sandbox."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from iambridge.cli.demo.play import client_path
from iambridge.cli.demo.stage import Stage

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("readme"))
    stage.start(lambda _seconds: None)
    yield stage
    stage.stop()


def test_the_two_commands_are_make_targets() -> None:
    """`make demo` and `make test`, which CI itself runs, are targets of the Makefile."""
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", BLOCKS[0], re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_by_hand_commands_run(stage: Stage) -> None:
    """The block that points clients at the sandbox runs without a change, in a POSIX shell."""
    block = next(block for block in BLOCKS if "iambridge env" in block)
    environment = {
        "PATH": client_path(),
        "HOME": str(stage.directory),
        "IAMBRIDGE_DATA_DIR": str(stage.data_dir),
        "AWS_PROFILE": "must-be-unset",
    }
    done = subprocess.run(
        ["sh", "-e", "-c", block], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kube-system" in done.stdout
    assert "user/iambridge-admin" in done.stdout
    assert "IAMBRIDGE_DATA_DIR" not in os.environ
