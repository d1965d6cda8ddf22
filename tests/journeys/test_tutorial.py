"""The tutorial's commands, as they stand there, against a real sandbox."""

import re
import subprocess
from pathlib import Path

import pytest

from iambridge.cli.demo.play import client_path
from iambridge.cli.demo.stage import Stage

PAGE = Path(__file__).parents[2] / "docs/tutorial.md"
# Setting up, and `up` in the foreground, are what the stage does; the rest runs unchanged.
BLOCKS = [
    block.replace(". .venv/bin/activate\n", "").replace(" --data-dir ./tutorial", "")
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    if "iambridge up" not in block
]


def test_every_step_is_as_the_page_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The pod writes, the token decodes to the claims that the page explains, and what is broken is refused."""
    stage = Stage(tmp_path_factory.mktemp("tutorial"))
    stage.start(lambda _seconds: None)
    environment = {"PATH": client_path(), "HOME": str(stage.directory), "IAMBRIDGE_DATA_DIR": str(stage.data_dir)}
    try:
        done = subprocess.run(
            ["sh", "-c", "".join(BLOCKS)], cwd=stage.directory, env=environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
    finally:
        stage.stop()
    output = done.stdout + done.stderr
    for words in (
        "Uploading user input to S3 using s3-echoer-demo/s3echoer-",
        '"SubjectFromWebIdentityToken": "system:serviceaccount:s3-echoer:s3-echoer"',
        '"kubernetes.io": {',
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        "Incorrect token audience",
    ):
        assert words in output, output
