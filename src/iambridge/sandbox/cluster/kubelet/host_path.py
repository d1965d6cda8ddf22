"""hostPath volumes: a place of this machine, checked by its type. Source: kubernetes pkg/volume/hostpath."""

import stat
from pathlib import Path

from iambridge.errors import FailedMount
from iambridge.sandbox.cluster.kubelet.environment import Object

_CHECKS = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "FileOrCreate": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def host_path(volume: Object) -> Path:
    """The path that the volume names, made where its type says so.

    Raises:
        FailedMount: it is not there, or not of the type, in the kubelet's words.
    """
    path, kind = Path(volume["hostPath"]["path"]), volume["hostPath"].get("type") or ""
    try:
        if kind == "DirectoryOrCreate":
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            path.touch(mode=0o644, exist_ok=True)
        mode = path.stat().st_mode
    except OSError as error:
        raise _failed(volume, f"{path}: {error.strerror}") from error
    if kind:
        holds, words = _CHECKS[kind]
        if not holds(mode):
            raise _failed(volume, f"{path} is not {words}")
    return path


def _failed(volume: Object, why: str) -> FailedMount:
    return FailedMount(
        f"MountVolume.SetUp failed for volume {volume['name']!r} : hostPath type check failed: {why}",
        fix="make what the volume names, or correct its path and type",
    )
