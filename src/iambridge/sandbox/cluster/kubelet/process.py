"""A container's process: started through `launch.py`, awaited, and ended with its whole process group."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iambridge.errors import CreateContainerError, FailedMount, StartError
from iambridge.sandbox.cluster.kubelet.logs import ContainerLog
from iambridge.sandbox.cluster.kubelet.mounts import Steps
from iambridge.sandbox.cluster.kubelet.process_user import Rights
from iambridge.sandbox.cluster.kubelet.warden import kill_group, start_time

_LAUNCHER = Path(__file__).with_name("launch.py")
_WARDEN = Path(__file__).with_name("warden.py")
_KILLED_WAIT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start. `environment` is the whole of it; `staging` is an empty directory of the pod.

    `wrapped` says that `argv` starts a bubblewrap, which must stay until its child is gone.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    staging: Path
    steps: Steps = field(default_factory=list)
    wrapped: bool = False
    rights: Rights = field(default_factory=Rights)


class ContainerProcess:
    """A running process. Its group has the process's own id, since it leads a session of its own."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        record: Path,
        pumps: "asyncio.Future[tuple[None, None]]",
        *,
        wrapped: bool,
    ) -> None:
        self._wrapped = wrapped
        self._process = process
        self._record = record
        self._pumps = pumps
        self.pid = process.pid
        self.started = start_time(process.pid)
        self.gone = asyncio.Event()

    async def wait(self) -> int:
        """The exit code, 128 + N after signal N, once the process is gone and its group with it."""
        code = await self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what it left behind in the background ends with the container
        with contextlib.suppress(TimeoutError):
            # a process that left the group may still hold the pipe
            await asyncio.wait_for(self._pumps, _KILLED_WAIT_SECONDS)
        self._record.unlink(missing_ok=True)
        self.gone.set()
        return code if code >= 0 else 128 - code

    def terminate(self) -> None:
        """SIGTERM, as a container runtime gives it: to the process group, but not to a bubblewrap that leads it."""
        if not self._wrapped:
            self.signal(signal.SIGTERM)
            return
        for member in _group_members(self.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Signal the whole group; nothing happens when it is gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


async def start(launch: Launch, *, log: ContainerLog, record: Path) -> ContainerProcess:
    """Start the process; its output goes to `log`. `record` is a file that names it, for whoever comes after a crash.

    Raises:
        FailedMount: the kernel refused a mount.
        StartError: the command or its working directory is not there.
    """
    receive, send = os.pipe()
    # pipes of our own: asyncio's wait() would wait for whoever holds its pipes, not for the process
    out, err = os.pipe(), os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(_LAUNCHER),
            stdin=asyncio.subprocess.PIPE,
            stdout=out[1],
            stderr=err[1],
            env={},
            cwd="/",
            pass_fds=(send,),
            start_new_session=True,
        )
    except OSError as error:
        for descriptor in (receive, out[0], err[0]):
            os.close(descriptor)
        raise CreateContainerError(
            f"cannot start a process: {error.strerror}", fix="free processes or memory"
        ) from error
    finally:
        for descriptor in (send, out[1], err[1]):
            os.close(descriptor)
    _write_record(record, process.pid)
    rights, user = launch.rights, launch.rights.user
    specification = {
        "argv": list(launch.argv),
        "env": dict(launch.environment),
        "cwd": launch.cwd,
        "staging": str(launch.staging),
        "steps": launch.steps,
        "user": [user.uid, user.gid, user.groups] if user else None,
        "read_only": rights.read_only,
        "confined": rights.confined,
        "powerless": rights.powerless,
        "parent": os.getpid(),
        "status": send,
    }
    assert process.stdin is not None
    pumps = asyncio.gather(_pump(log, "stdout", out[0]), _pump(log, "stderr", err[0]))
    running = ContainerProcess(process, record, pumps, wrapped=launch.wrapped)
    process.stdin.write(json.dumps(specification).encode())
    process.stdin.close()
    failure = await _failure(receive)
    if failure:
        await running.wait()
        raise _refusal(failure, launch)
    return running


def kill_recorded(record: Path) -> bool:
    """End the process group that a `record` left by an earlier kubelet names. Returns whether there was one."""
    try:
        entry = json.loads(record.read_text())
        killed = kill_group(int(entry["pid"]), str(entry["started"]))
    except (OSError, ValueError, KeyError):
        return False
    record.unlink(missing_ok=True)
    return killed


class Warden:
    """The companion process that ends the pods' processes when the kubelet is killed. See `warden.py`."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_WARDEN), stdin=asyncio.subprocess.PIPE, env={}, cwd="/"
        )

    def watch(self, process: ContainerProcess) -> None:
        self._tell(f"+{process.pid} {process.started or 0}\n")

    def forget(self, process: ContainerProcess) -> None:
        self._tell(f"-{process.pid}\n")

    async def stop(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.write(line.encode())


def _group_members(leader: int) -> list[int]:
    """The processes of the group other than its leader (Linux)."""
    members = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_bytes().rpartition(b")")[2].split()[2]) == leader:
                members.append(int(entry.parts[2]))
    return [member for member in members if member != leader]


async def _failure(receive: int) -> dict[str, str]:
    """What the launcher reported, or nothing when it became the container's process."""
    reader, transport = await _reader(receive)
    try:
        report = await reader.read()
    finally:
        transport.close()
    found: dict[str, str] = json.loads(report) if report else {}
    return found


async def _pump(log: ContainerLog, stream: str, descriptor: int) -> None:
    reader, transport = await _reader(descriptor)
    try:
        await log.pump(stream, reader)
    finally:
        transport.close()


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader, transport


def _write_record(record: Path, pid: int) -> None:
    record.write_text(json.dumps({"pid": pid, "started": start_time(pid)}))


def _refusal(failure: Mapping[str, str], launch: Launch) -> FailedMount | StartError:
    if failure["stage"] == "mount":
        return FailedMount(
            f"cannot mount the container's volumes: {failure['error']}", fix="see the node's annotations"
        )
    if failure["stage"] == "user":
        return StartError(
            f"failed to start: cannot become {launch.rights.user}: {failure['error']}",
            fix="leave runAsUser, runAsGroup and fsGroup out: this machine does not let iambridge change its user",
        )
    if failure["stage"] == "chdir":
        return StartError(
            f"failed to start: workingDir: {failure['error']}", fix="give a workingDir that exists on this machine"
        )
    return StartError(
        f"failed to start: exec {launch.argv[0]!r}: {failure['error']}",
        fix="install the command on this machine or correct the container's command",
    )
