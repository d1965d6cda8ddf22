"""Container processes for real, with their logs and their ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from iambridge.errors import StartError
from iambridge.sandbox.cluster.kubelet import logs
from iambridge.sandbox.cluster.kubelet.command import ImageEntry, argv, image_entry
from iambridge.sandbox.cluster.kubelet.environment import Sources, container_environment
from iambridge.sandbox.cluster.kubelet.logs import ContainerLog, LogOptions
from iambridge.sandbox.cluster.kubelet.process import Launch, Warden, kill_recorded, start


async def run(place: Path, script: str, *, stop_after: str = "") -> tuple[int, str]:
    """Run `script`; with `stop_after` send SIGTERM once that text is in the log."""
    log = ContainerLog(place / "log", time.time)
    launch = Launch(["/bin/sh", "-c", script], {"PATH": os.defpath}, "/", place)
    process = await start(launch, log=log, record=place / "record")
    while stop_after and stop_after not in (place / "log").read_text():  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.005)
    if stop_after:
        process.terminate()
    code = await process.wait()
    await log.close()
    return code, await text(place / "log", LogOptions())


async def text(path: Path, options: LogOptions, writing: ContainerLog | None = None) -> str:
    return b"".join([part async for part in logs.read(path, options, now=time.time(), writing=writing)]).decode()


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_exit_codes(tmp_path: Path, script: str, code: int) -> None:
    """The exit code is the process's own, and 128 + N after signal N."""
    assert asyncio.run(run(tmp_path, script))[0] == code


def test_output_of_both_streams_is_kept(tmp_path: Path) -> None:
    """stdout and stderr are in the log, a last line without an end as it was said."""
    code, said = asyncio.run(run(tmp_path, "echo out; sleep 0.05; echo err >&2; sleep 0.05; printf end"))
    assert (code, said) == (0, "out\nerr\nend")


def test_group_gets_sigterm_and_nothing_is_left(tmp_path: Path) -> None:
    """SIGTERM reaches what the process started, and what stays in the background ends with the container."""
    script = "trap 'echo bye; exit 3' TERM; (trap '' TERM; sleep 60) & echo $! ready; while :; do sleep 0.01; done"
    code, said = asyncio.run(run(tmp_path, script, stop_after="ready"))
    assert code == 3
    assert "bye" in said.split()
    _await_gone(int(said.split()[0]))


def test_record_names_the_process_while_it_runs(tmp_path: Path) -> None:
    """A kubelet that comes later ends the recorded process, but not another one with the same id."""

    async def story() -> None:
        log = ContainerLog(tmp_path / "log", time.time)
        launch = Launch(["sleep", "60"], {"PATH": os.defpath}, "/", tmp_path)
        process = await start(launch, log=log, record=tmp_path / "record")
        entry = json.loads((tmp_path / "record").read_text())
        (tmp_path / "other").write_text(json.dumps(entry | {"started": "1"}))
        assert not kill_recorded(tmp_path / "other")
        assert _lives(process.pid)
        assert kill_recorded(tmp_path / "record")
        assert await process.wait() == 137
        await log.close()

    asyncio.run(story())
    assert not (tmp_path / "record").exists()


def test_missing_command_is_a_start_error(tmp_path: Path) -> None:
    """A command that is not installed is refused by its name, with what to do."""

    async def story() -> None:
        log = ContainerLog(tmp_path / "log", time.time)
        try:
            await start(Launch(["no-such-program"], {"PATH": "/bin"}, "/", tmp_path), log=log, record=tmp_path / "r")
        finally:
            await log.close()

    with pytest.raises(StartError, match="no-such-program") as refusal:
        asyncio.run(story())
    assert refusal.value.fix


@pytest.mark.skipif(sys.platform != "linux", reason="start times are read from /proc")
def test_warden_ends_processes_of_a_killed_kubelet(tmp_path: Path) -> None:
    """After `kill -9` of the kubelet no process of a pod is left, grandchildren included."""
    program = f"""
import asyncio, os, signal, time
from pathlib import Path
from iambridge.sandbox.cluster.kubelet.logs import ContainerLog
from iambridge.sandbox.cluster.kubelet.process import Launch, Warden, start
async def main():
    warden = Warden(); await warden.start()
    log = ContainerLog(Path({str(tmp_path)!r}) / "log", time.time)
    launch = Launch(["sh", "-c", "sleep 61 & echo $!; wait"], {{"PATH": os.defpath}}, "/", Path({str(tmp_path)!r}))
    process = await start(launch, log=log, record=Path({str(tmp_path)!r}) / "record")
    warden.watch(process)
    while not (Path({str(tmp_path)!r}) / "log").read_text(): await asyncio.sleep(0.01)
    print(process.pid, (Path({str(tmp_path)!r}) / "log").read_text().split()[-1], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False, timeout=20)
    assert done.returncode == -signal.SIGKILL
    _await_gone(*(int(pid) for pid in done.stdout.split()))


def test_warden_stops_without_harm() -> None:
    """A warden that watched nothing ends when the kubelet does."""

    async def story() -> None:
        warden = Warden()
        await warden.start()
        await warden.stop()

    asyncio.run(story())


@pytest.fixture
def metadata_service() -> Iterator[tuple[str, list[str]]]:
    """A server that would hand out an instance's keys; with the requests it got."""
    asked: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_PUT = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_planted_key_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata_service: tuple[str, list[str]]
) -> None:
    """Keys in the user's environment, in ~/.aws and at IMDS are not seen by a pod: boto3 finds no credentials at all."""
    url, asked = metadata_service
    user = tmp_path / "user"
    (user / ".aws").mkdir(parents=True)
    (user / ".aws/credentials").write_text("[default]\naws_access_key_id = AKIAPLANTED\naws_secret_access_key = x\n")
    for name, value in (
        ("HOME", str(user)),
        ("AWS_ACCESS_KEY_ID", "AKIAPLANTED"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_PROFILE", "default"),
        ("AWS_SHARED_CREDENTIALS_FILE", str(user / ".aws/credentials")),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url),
    ):
        monkeypatch.setenv(name, value)
    pod = {"metadata": {"name": "p", "namespace": "n"}, "spec": {}}
    base = {"PATH": f"{Path(sys.executable).parent}:/bin:/usr/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    environment = container_environment(pod, {}, Sources(), base=base, node={"AWS_EC2_METADATA_DISABLED": "true"})
    script = "import boto3, os; print(boto3.Session().get_credentials(), sorted(n for n in os.environ if 'AWS' in n))"

    async def story() -> str:
        log = ContainerLog(tmp_path / "log", time.time)
        launch = Launch([sys.executable, "-c", script], environment.values, "/", tmp_path)
        process = await start(launch, log=log, record=tmp_path / "record")
        assert await process.wait() == 0
        await log.close()
        return await text(tmp_path / "log", LogOptions())

    assert asyncio.run(story()) == "None ['AWS_EC2_METADATA_DISABLED']\n"
    assert asked == []


def test_command_is_given_or_mapped_but_never_guessed() -> None:
    """`command` runs as it is, an image that the map knows gets its entry's argv, and nothing else starts."""
    entries = (ImageEntry("amazon/aws-cli:*", ("aws",)),)
    assert argv({"command": ["a"], "args": ["$(X)"]}, None, {"X": "1"}) == ["a", "1"]
    mapped = {"image": "amazon/aws-cli:2", "args": ["s3", "ls"]}
    assert argv(mapped, image_entry("amazon/aws-cli:2", entries), {}) == ["aws", "s3", "ls"]
    assert image_entry("nginx", entries) is None


def _await_gone(*pids: int) -> None:
    """A killed process is gone a moment after the signal."""
    deadline = time.monotonic() + 10
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < deadline, f"one of {pids} is still there"
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
