"""Which way this machine lets a process see a volume at its exact path; found by trying, at start."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from iambridge.errors import ContainerError, CreateContainerConfigError
from iambridge.sandbox.cluster.kubelet.logs import ContainerLog
from iambridge.sandbox.cluster.kubelet.mounts import Mount, bubblewrap_arguments, plan
from iambridge.sandbox.cluster.kubelet.process import Launch, start
from iambridge.sandbox.cluster.kubelet.reach import Given, reach

BUBBLEWRAP = "/usr/bin/bwrap"  # the path that distributions' AppArmor profiles name


class MountMode(StrEnum):
    """In the order of preference."""

    NAMESPACE = "mount-namespace"
    BUBBLEWRAP = "bubblewrap"
    REWRITE = "environment-rewriting"


async def probe(directory: Path) -> MountMode:
    """The first mode in which a process finds a file at a path that the host does not have."""
    if sys.platform != "linux":
        return MountMode.REWRITE
    for mode in (MountMode.NAMESPACE, MountMode.BUBBLEWRAP):
        if await _works(mode, directory):
            return mode
    return MountMode.REWRITE


def prepared(mode: MountMode, launch: Launch, mounts: list[Mount], given: Sequence[Given] = ()) -> Launch:
    """`launch` with `mounts` in place. With `REWRITE` it is unchanged: the caller rewrites.

    `given` is what a process of another user must reach beside them. Only `NAMESPACE` makes the rest read-only.

    Raises:
        FailedMount: a mount point that cannot be made.
        CreateContainerConfigError: this mode cannot give a process another user.
    """
    user = launch.rights.user
    if user is not None and user.uid != os.getuid():
        if mode is not MountMode.NAMESPACE:
            raise CreateContainerConfigError(
                f"this machine has no mount namespaces for root, so a process of user {user.uid} could not reach"
                " its volumes",
                fix="start iambridge as the user that the pod names, or leave runAsUser and runAsNonRoot out",
            )
        return replace(launch, steps=plan(mounts, before=reach(given, user)))
    if mode is MountMode.NAMESPACE:
        return replace(launch, steps=plan(mounts))
    launch = replace(launch, rights=replace(launch.rights, read_only=False))
    if mode is MountMode.REWRITE or not mounts:
        return launch
    flags = bubblewrap_arguments(plan(mounts, whole_root=True))
    if launch.rights.powerless:  # it must be bubblewrap that drops them: it needs them itself
        flags += ["--cap-drop", "ALL"]
        launch = replace(launch, rights=replace(launch.rights, powerless=False))
    argv = [BUBBLEWRAP, *flags, "--chdir", launch.cwd, "--", *launch.argv]
    return replace(launch, argv=argv, cwd="/", wrapped=True)


async def _works(mode: MountMode, directory: Path) -> bool:
    place = _place(directory)
    try:
        volume = place / "volume"
        path = f"/run/iambridge-{place.name}/volume"
        launch = Launch(["/bin/sh", "-c", f"test -f {path}/file"], {"PATH": os.defpath}, "/", place / "staging")
        log = ContainerLog(place / "log", lambda: 0.0)
        try:
            process = await start(
                prepared(mode, launch, [Mount("volume", path, volume, read_only=True)]),
                log=log,
                record=place / "process",
            )
            return await asyncio.wait_for(process.wait(), 10) == 0
        except ContainerError:
            return False
        finally:
            await log.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _place(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="probe-", dir=directory))
    (place / "staging").mkdir()
    (place / "volume").mkdir()
    (place / "volume" / "file").write_text("")
    return place
