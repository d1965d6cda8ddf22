"""Where a container's volumes go: the steps that put them at their exact mountPaths, or the rewriting instead.

A mount point that the host lacks is never made on the host. Instead the deepest directory that exists is rebuilt in the
container's private namespace: a tmpfs with every entry of the original bound back into it. For `/run` that is what
keeps /etc/resolv.conf working where it points into /run. A rebuilt directory is therefore private: a file that the
container makes directly in it vanishes with the container; its subdirectories are the host's own.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iambridge.errors import FailedMount

_MOST_ENTRIES = 2000

Steps = list[list[str]]


@dataclass(frozen=True, slots=True)
class Mount:
    """A volumeMount with the directory or file on the host that holds its content."""

    volume: str
    mount_path: str
    source: Path
    read_only: bool = False


def plan(mounts: Iterable[Mount], *, whole_root: bool = False, before: Sequence[list[str]] = ()) -> Steps:
    """The steps for `launch.py`, in the order to take them.

    A step is `["root", "/"]` (build a new root directory), `["tmpfs", mode, path]`, `["symlink", target, path]`,
    `["keep", source, path]` (skipped when the source is gone) or `["bind", source, "ro"|"rw", path]`.
    `whole_root` rebuilds the root directory in any case, as bubblewrap needs it. `before` are steps to take once
    directories are rebuilt and before volumes are in place.

    Raises:
        FailedMount: a mount point that cannot be made, by name.
    """
    targets = sorted(((_target(mount), mount) for mount in mounts), key=lambda each: (each[0].count("/"), each[0]))
    seen: dict[str, Mount] = {}
    rebuilt = {"/"} if whole_root else set()
    for target, mount in targets:
        _refuse_collision(target, mount, seen)
        seen[target] = mount
        if not _covered(target, seen) and not os.path.exists(target):  # noqa: PTH110 - a string, as realpath gave it
            rebuilt.add(_deepest_directory(target, mount))
    steps: Steps = []
    for directory in sorted(rebuilt, key=lambda path: (path.rstrip("/").count("/"), path)):
        steps += _rebuild(directory)
    steps += before
    for target, mount in targets:
        steps.append(["bind", str(mount.source), "ro" if mount.read_only else "rw", target])
    return steps


def bubblewrap_arguments(steps: Sequence[Sequence[str]]) -> list[str]:
    """The same steps as flags of bwrap, whose root directory is always a new one."""
    flags = ["--die-with-parent"]
    for step in steps:
        operation, path = step[0], step[-1]
        if operation == "tmpfs":
            flags += ["--perms", step[1], "--tmpfs", path]
        elif operation == "symlink":
            flags += ["--symlink", step[1], path]
        elif operation == "keep":
            flags += ["--dev-bind-try", step[1], path]
        elif operation == "bind":
            flags += ["--ro-bind" if step[2] == "ro" else "--bind", step[1], path]
    return flags


def rewrite(text: str, mounts: Iterable[Mount]) -> str:
    """`text` with each path under a mountPath replaced by the directory that really holds it.

    For systems without mount namespaces. The path must stand by itself: `/data` is found in `/data/x` and
    `--file=/data`, not in `/database` or `/srv/data`.
    """
    for mount in sorted(mounts, key=lambda each: -len(each.mount_path)):
        path = mount.mount_path.rstrip("/")
        if path:
            source = str(mount.source)
            text = re.sub(rf"(?<![\w./-]){re.escape(path)}(?![\w.-])", lambda _, source=source: source, text)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    return text


def _target(mount: Mount) -> str:
    if not mount.mount_path.startswith("/"):
        raise _refusal(mount, "it is not an absolute path")
    target = os.path.realpath(mount.mount_path)
    if target == "/":
        raise _refusal(mount, "the root directory cannot be replaced by a volume")
    if target == "/proc" or target.startswith("/proc/"):
        raise _refusal(mount, "/proc belongs to the host's processes")
    return target


def _refuse_collision(target: str, mount: Mount, seen: dict[str, Mount]) -> None:
    if target in seen:
        raise _refusal(mount, f"it is the same place as mountPath {seen[target].mount_path}")
    outer = _covered(target, seen)
    if outer is not None and outer.read_only:
        raise _refusal(mount, f"it lies in the read-only volume at {outer.mount_path}")


def _covered(target: str, seen: dict[str, Mount]) -> Mount | None:
    """The mount that `target` lies in, if any."""
    parts = target.split("/")
    for count in range(len(parts) - 1, 1, -1):
        outer = seen.get("/".join(parts[:count]))
        if outer is not None:
            return outer
    return None


def _deepest_directory(target: str, mount: Mount) -> str:
    directory = os.path.dirname(target)  # noqa: PTH120 - a string, as realpath gave it
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)  # noqa: PTH120 - as above
    if not os.path.isdir(directory):  # noqa: PTH112 - as above
        raise _refusal(mount, f"{directory} is a file on this machine")
    return directory


def _rebuild(directory: str) -> Steps:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        mode = stat.S_IMODE(os.stat(directory).st_mode)  # noqa: PTH116 - a string, as realpath gave it
    except OSError as error:
        raise FailedMount(
            f"cannot rebuild {directory} for a mount point in it: {error.strerror}",
            fix="mount the volume in a directory that exists and that you may list",
        ) from error
    if len(entries) > _MOST_ENTRIES:
        raise FailedMount(
            f"cannot rebuild {directory} for a mount point in it: {len(entries)} entries, the limit is {_MOST_ENTRIES}",
            fix="mount the volume in a smaller directory",
        )
    steps: Steps = [["root", "/"] if directory == "/" else ["tmpfs", f"{mode:04o}", directory]]
    for entry in entries:
        if entry.is_symlink():
            steps.append(["symlink", os.readlink(entry.path), entry.path])  # noqa: PTH115 - the target as written
        else:
            steps.append(["keep", entry.path, entry.path])
    return steps


def _refusal(mount: Mount, why: str) -> FailedMount:
    return FailedMount(
        f"MountVolume.SetUp failed for volume {mount.volume!r}: cannot mount at {mount.mount_path}: {why}",
        fix="choose another mountPath",
    )
