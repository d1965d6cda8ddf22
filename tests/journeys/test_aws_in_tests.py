"""The page on tests and CI: its shell lines and its pytest files run as they stand there."""

import re
import subprocess
from pathlib import Path

from iambridge.cli.demo.play import client_path

PAGE = (Path(__file__).parents[2] / "docs/how-to/aws-in-tests.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def _run(command: list[str], directory: Path) -> str:
    environment = {"PATH": client_path(), "HOME": str(directory), "TMPDIR": str(directory)}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_shell_lines_start_wait_and_stop(tmp_path: Path) -> None:
    """Start to stop in a strict shell; then the log's last refusal is shown, which here is a call with a wrong key."""
    start, last = _blocks("sh")
    refused = "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE aws s3 ls && exit 9\nkill"
    said = _run(["sh", "-e", "-c", start.replace("kill", refused, 1)], tmp_path)
    assert "make_bucket: reports" in said
    assert "user/iambridge-admin" in said
    shown = _run(["sh", "-e", "-c", last], tmp_path)
    assert '"code": "InvalidAccessKeyId"' in shown
    assert '"fix": "use an access key of this account' in shown


def test_the_pytest_files_pass(tmp_path: Path) -> None:
    """Both files, under their names, are a test suite that passes, and stops its sandbox."""
    for block in _blocks("python"):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block)
    said = _run(["pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", "sandbox"], tmp_path)
    assert "1 passed" in said
    assert list(tmp_path.glob("sandbox/**/sandbox.json"))
    assert not list(tmp_path.glob("sandbox/**/ready")), "the sandbox of the fixture still runs"
