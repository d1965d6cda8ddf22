"""How a process of another user reaches what lies in directories that only the kubelet's user may enter.

The first directory on the way that is closed to the process is covered by an empty one in the container's private
namespace, and only what the process needs is bound into it, at its own path. So HOME, the CA bundle and this Python are
where their variables say, and the rest of the closed directory, keys included, is not there at all.
"""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import iambridge
from iambridge.sandbox.cluster.kubelet.mounts import Steps
from iambridge.sandbox.cluster.kubelet.process_user import ProcessUser


@dataclass(frozen=True, slots=True)
class Given:
    """A file or directory that the process must reach at this very path."""

    path: Path
    writable: bool = False


def this_python() -> list[Given]:
    """Where this interpreter, its packages and iambridge itself lie."""
    executable = Path(sys.executable)
    found = [Path(sys.prefix), Path(sys.base_prefix), executable.resolve().parent.parent]
    found.append(Path(iambridge.__file__).parent)
    return [Given(path) for path in dict.fromkeys(found)]


def reach(given: Iterable[Given], user: ProcessUser) -> Steps:
    """Steps for `launch.py`, to be taken before volumes are mounted; none when every path is open to `user`."""
    closed: dict[str, None] = {}
    binds: dict[str, str] = {}
    for each in given:
        directory = _first_closed(each.path, user)
        if directory is not None:
            closed[directory] = None
            binds[str(each.path)] = "rw" if each.writable else "ro"
    steps: Steps = [["tmpfs", "0711", directory] for directory in sorted(closed)]
    steps += [["bind", path, binds[path], path] for path in sorted(binds, key=lambda path: path.count("/"))]
    return steps


def _first_closed(path: Path, user: ProcessUser) -> str | None:
    """The outermost parent of `path` that `user` may not enter."""
    for parent in reversed(path.parents):
        status = os.stat(parent)  # noqa: PTH116 - the mode and the owner in one call
        if status.st_uid == user.uid:
            bit = 0o100
        elif status.st_gid in (user.gid, *user.groups):
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return str(parent)
    return None
