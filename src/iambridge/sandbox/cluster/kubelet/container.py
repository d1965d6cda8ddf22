"""Runs one container of a pod: start, wait, restart with back-off, end with grace."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from iambridge.errors import BridgeError, ContainerError, CreateContainerConfigError, KubernetesError, StartError
from iambridge.sandbox.cluster.cancellation import cancel_all
from iambridge.sandbox.cluster.kubelet import environment, process, readiness
from iambridge.sandbox.cluster.kubelet.command import argv, image_entry
from iambridge.sandbox.cluster.kubelet.environment import Object
from iambridge.sandbox.cluster.kubelet.host import Host
from iambridge.sandbox.cluster.kubelet.logs import ContainerLog
from iambridge.sandbox.cluster.kubelet.mount_mode import MountMode, prepared
from iambridge.sandbox.cluster.kubelet.mounts import rewrite
from iambridge.sandbox.cluster.kubelet.pod_status import ContainerRecord
from iambridge.sandbox.cluster.kubelet.pod_volumes import PodVolumes
from iambridge.sandbox.cluster.kubelet.process import ContainerProcess, Launch
from iambridge.sandbox.cluster.kubelet.process_user import ProcessUser, rights
from iambridge.sandbox.cluster.kubelet.reach import Given, this_python
from iambridge.sandbox.cluster.timestamps import timestamp

_FIRST_BACK_OFF_SECONDS = 10.0
_LONGEST_BACK_OFF_SECONDS = 300.0
_FORGIVEN_AFTER_SECONDS = 600.0
_CONFIG_RETRY_SECONDS = 2.0
_KEPT_LOGS = 2


class Container:
    """`changed` publishes the pod's status. `directory` is the container's own: logs, home, temporary files."""

    def __init__(
        self,
        host: Host,
        pod: Object,
        record: ContainerRecord,
        *,
        volumes: PodVolumes,
        directory: Path,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._host = host
        self._pod = pod
        self.record = record
        self._volumes = volumes
        self._directory = directory
        self._changed = changed
        self._stopping = asyncio.Event()
        self._process: ContainerProcess | None = None
        self.log: ContainerLog | None = None
        self.started = asyncio.Event()
        kind = "initContainers" if record.initial else "containers"
        self._field = f"spec.{kind}{{{record.name}}}"

    def log_file(self, *, previous: bool = False) -> Path | None:
        """The log of the latest start, or of the one before."""
        number = self.record.starts - (2 if previous else 1)
        path = self._directory / f"{number}.log"
        return path if number >= 0 and path.exists() else None

    def started_unrecorded(self) -> bool:
        """Whether a start left its log but is not in `record`: the kubelet was killed before it could say so."""
        return (self._directory / f"{self.record.starts}.log").exists()

    async def run(self, policy: str) -> int:
        """Run until `policy` (Always, OnFailure, Never) wants no new start, or `stop`. Returns the last exit code."""
        delay = 0.0
        while True:
            began = self._host.now()
            code = await self._run_once()
            if self._stopping.is_set() or policy == "Never" or (policy == "OnFailure" and code == 0):
                return code
            if self._host.now() - began >= _FORGIVEN_AFTER_SECONDS:
                delay = 0.0
            if delay:
                await self._back_off(delay)
            delay = min(delay * 2, _LONGEST_BACK_OFF_SECONDS) or _FIRST_BACK_OFF_SECONDS
            if self._stopping.is_set():
                return code

    async def stop(self, grace: float) -> None:
        """SIGTERM to the process group, SIGKILL after `grace` seconds; returns at once, `run` ends when all is gone."""
        self._stopping.set()
        running = self._process
        if running is None:
            return
        await self._host.events.normal(
            self._pod, "Killing", f"Stopping container {self.record.name}", field=self._field
        )
        if grace > 0:
            running.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await running.gone.wait()
        running.signal(signal.SIGKILL)

    async def _run_once(self) -> int:
        running = await self._start()
        if running is None:
            return self.record.exit_code or 0
        probing = asyncio.create_task(self._probe())
        try:
            code = await running.wait()
        except asyncio.CancelledError:
            running.signal(signal.SIGKILL)
            raise
        finally:
            await cancel_all([probing])
            self._process = None
            self._host.warden.forget(running)
            if self.log is not None:
                await self.log.close()
        self.record.terminate(code, self._now())
        await self._changed()
        return code

    async def _probe(self) -> None:
        """Keep the record's readiness current while the process runs, if the container has a probe for that."""
        if not self.record.spec.get("readinessProbe"):
            return

        async def changed(ready: bool) -> None:  # noqa: FBT001 - the state itself
            self.record.passing = ready
            await self._changed()

        async def failed(words: str) -> None:
            message = f"Readiness probe failed: {words}"
            await self._host.events.warning(self._pod, "Unhealthy", message, field=self._field)

        await readiness.watch(self.record.spec, self._pod["status"]["podIP"], changed=changed, failed=failed)

    async def _start(self) -> ContainerProcess | None:
        """The process, or None when it could not start (the record says so) or the pod ends before it could."""
        while not self._stopping.is_set():
            try:
                return await self._try_start()
            except StartError as error:
                self.record.run(self._now(), "")
                self.record.terminate(128, self._now(), reason=error.code, message=error.message)
                await self._host.events.warning(self._pod, "Failed", f"Error: {error.message}", field=self._field)
                await self._changed()
                return None
            except (ContainerError, KubernetesError) as error:
                await self._cannot_start(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CONFIG_RETRY_SECONDS):
                    await self._stopping.wait()
        return None

    async def _cannot_start(self, error: BridgeError) -> None:
        reason = error.code if isinstance(error, ContainerError) else CreateContainerConfigError.code
        before = self.record.state
        self.record.wait(reason, error.message)
        if self.record.state != before:
            await self._host.events.warning(self._pod, "Failed", f"Error: {error.message}", field=self._field)
            await self._changed()

    async def _try_start(self) -> ContainerProcess:
        launch = await self._launch()
        number = self.record.starts
        self.log = ContainerLog(self._directory / f"{number}.log", self._host.now)
        (self._directory / f"{number - _KEPT_LOGS}.log").unlink(missing_ok=True)
        try:
            running = await process.start(launch, log=self.log, record=self._directory / "process.json")
        except BaseException:
            await self.log.close()
            raise
        self._process = running
        self._host.warden.watch(running)
        self.record.run(self._now(), f"process://{running.pid}-{running.started}")
        self.started.set()
        await self._host.events.normal(self._pod, "Started", f"Started container {self.record.name}", field=self._field)
        await self._changed()
        if self._stopping.is_set():
            running.signal(signal.SIGKILL)
        return running

    async def _launch(self) -> Launch:
        """What to start, as the pod, the node and the image map say."""
        host, spec = self._host, self.record.spec
        own_rights = rights(self._pod, spec, os.getuid())
        sources = await self._volumes.fetch(environment.named_sources([spec]))
        entry = image_entry(spec.get("image") or "", host.configuration.image_map)
        aws = host.configuration.aws_environment()
        places = self._directories(own_rights.user)
        base = {"PATH": host.configuration.path, **places, **(entry.environment if entry else {})}
        node = {**host.configuration.service_environment(), **aws}
        own = environment.container_environment(self._pod, spec, sources, base=base, node=node)
        command = argv(spec, entry, own.values)
        mounts = self._volumes.mounts(spec)
        values = own.values
        if host.mode is MountMode.REWRITE and mounts:
            command = [rewrite(word, mounts) for word in command]
            values = {name: rewrite(value, mounts) for name, value in values.items()}
            await self._tell_rewritten([mount.mount_path for mount in mounts])
        await self._tell([name for name in own.added if name in aws], own_rights.user, entry.argv if entry else ())
        cwd = spec.get("workingDir") or base["HOME"]
        launch = Launch(command, values, cwd, self._directory / "staging", rights=own_rights)
        given = [*this_python(), *(Given(path) for path in host.configuration.readable)]
        given += [Given(Path(place), writable=not own_rights.read_only) for place in places.values()]
        launch = prepared(host.mode, launch, mounts, given)
        if own_rights.read_only and not launch.rights.read_only:
            message = "readOnlyRootFilesystem: not enforced: this machine has no mount namespaces of our own"
            await host.events.warning(self._pod, "NotEnforced", message, field=self._field)
        return launch

    def _directories(self, user: ProcessUser | None) -> dict[str, str]:
        for name in ("home", "tmp", "staging"):
            (self._directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            if user is not None and name != "staging":
                os.chown(self._directory / name, user.uid, user.gid)
        return {"HOME": str(self._directory / "home"), "TMPDIR": str(self._directory / "tmp")}

    async def _tell(self, added: list[str], user: ProcessUser | None, entrypoint: tuple[str, ...]) -> None:
        """Say what stands in for the image. The words are those of the pod, not expanded: a value may be secret."""
        spec = self.record.spec
        words = [*(spec.get("command") or entrypoint), *(spec.get("args") or ())]
        message = f"Image {spec.get('image', '')} ignored; running {words} as a host process"
        if user is not None:
            message += f" of user {user.uid}"
        await self._host.events.normal(self._pod, "ImageIgnored", message, field=self._field)
        if added:
            message = f"The node added {', '.join(sorted(added))} to the environment of container {spec['name']}"
            await self._host.events.normal(self._pod, "NodeEnvironment", message, field=self._field)

    async def _tell_rewritten(self, paths: list[str]) -> None:
        message = (
            f"This machine has no mount namespaces: {', '.join(paths)} replaced by real directories in environment,"
            " command and args; a program that has the path built in will not find it"
        )
        await self._host.events.warning(self._pod, "MountPathRewritten", message, field=self._field)

    async def _back_off(self, delay: float) -> None:
        name, metadata = self.record.name, self._pod["metadata"]
        place = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        message = f"back-off {delay:.0f}s restarting failed container={name} pod={place}"
        self.record.wait("CrashLoopBackOff", message)
        await self._host.events.warning(
            self._pod, "BackOff", f"Back-off restarting failed container {name} in pod {place}", field=self._field
        )
        await self._changed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._stopping.wait()

    def _now(self) -> str:
        return timestamp(self._host.now())
