"""Becomes a container's process: private mounts at the exact mountPaths, then exec.

Run as a file by `python -I -S`, because unshare(CLONE_NEWUSER) wants a process with one thread; so it imports nothing
of iambridge. The specification comes as one JSON object on stdin:

    steps       mounts to make, see `mounts.plan`
    staging     an empty directory of the pod, used when the root directory itself is rebuilt
    argv, env   what to exec, and its whole environment
    cwd         working directory, as the process sees it
    user        `[uid, gid, [supplementary group, ...]]` to become before exec; null to stay
    confined    whether to forbid that a set-user-ID program gains rights (no_new_privs)
    read_only   whether all but the steps' writable binds, /proc and /dev/shm is to be read-only
    powerless   whether to drop all capabilities for good; only root has any to drop
    parent      process id of the kubelet; with it gone nothing is started
    status      file descriptor for a failure, `{"stage": ..., "error": ...}`; closed unused by a successful exec

Nothing is written outside the staging directory, private tmpfs mounts and the pod's own volumes. Exit code 128 is a
start that failed, as container runtimes report it.
"""

import ctypes
import errno
import json
import os
import signal
import struct
import sys

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_RDONLY = 1
_MS_NOSUID = 2
_MS_NODEV = 4
_MS_REMOUNT = 32
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_MS_RELATIME = 1 << 21
_MNT_DETACH = 2
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture, since Linux 5.12
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES = 64
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_START_FAILED = 128
# statvfs flags that equal the mount flags of the same name, and must be kept by a remount in a user namespace
_KEPT_FLAGS = 2 | 4 | 8 | 1024 | 2048
_ST_RELATIME = 4096


def main() -> None:
    specification = json.loads(sys.stdin.buffer.read())
    status = int(specification["status"])
    os.set_inheritable(status, False)
    os.umask(0o022)  # mount points are directories that everyone may enter
    stage = "mount"
    try:
        steps = specification["steps"]
        if steps or specification["read_only"]:
            _private_namespace()
            _mount_all(steps, specification["staging"])
        if specification["read_only"]:
            _protect([step[-1] for step in steps if step[0] == "bind" and step[2] == "rw"])
        stage = "user"
        if specification["powerless"] and sys.platform == "linux":
            _drop_capabilities()
        if specification["user"]:
            _become(*specification["user"])
        if specification["confined"] and sys.platform == "linux":
            _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        stage = "start"
        _follow_parent(int(specification["parent"]))
        _plain_process()
        stage = "chdir"
        os.chdir(specification["cwd"])
        stage = "exec"
        argv = specification["argv"]
        os.execvpe(argv[0], argv, specification["env"])  # noqa: S606 - running the pod's command is what a kubelet does
    except OSError as error:
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        os.write(status, json.dumps({"stage": stage, "error": f"{where}{error.strerror}"}).encode())
        os._exit(_START_FAILED)


def _plain_process() -> None:
    """Undo what Python, the event loop and the kubelet's own start changed: ignored signals, the signal mask, stdin.

    nohup ignores SIGHUP, and a shell that starts something in the background SIGINT and SIGQUIT.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)


def _follow_parent(parent: int) -> None:
    """Die with the kubelet. After unshare and setuid, since a change of credentials clears the setting."""
    if sys.platform == "linux":
        _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_START_FAILED)


def _drop_capabilities() -> None:
    """Empty the bounding set: the exec that follows takes from root whatever is not in it."""
    for number in range(_CAPABILITIES):
        if _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) == -1 and ctypes.get_errno() != errno.EINVAL:
            raise OSError(ctypes.get_errno(), f"capability {number}: {os.strerror(ctypes.get_errno())}")


def _become(uid: int, gid: int, groups: list[int]) -> None:
    """Take on a user for good. Output stays its own, also for a program that opens /dev/stdout."""
    for descriptor in (1, 2):
        os.fchown(descriptor, uid, gid)
    os.setgroups(groups)
    os.setgid(gid)
    os.setuid(uid)


def _private_namespace() -> None:
    """A mount namespace of our own. Root keeps its rights; anyone else needs a user namespace that maps only itself."""
    uid, gid = os.getuid(), os.getgid()
    if uid == 0 and _libc.unshare(_CLONE_NEWNS) == 0:
        _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
        return
    _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as stream:  # noqa: PTH123 - pathlib doubles this program's start-up time
            stream.write(text)
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)


def _mount_all(steps: list[list[str]], staging: str) -> None:
    """Make the steps. Sources are opened first: a later tmpfs may cover the path by which they were found."""
    sources = _opened(steps)
    root = ""
    for step in steps:
        operation, path = step[0], root + step[-1]
        if operation == "root":
            root = staging
            _mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=64k,nr_inodes=4k")
        elif operation == "tmpfs":
            _mount("tmpfs", path, "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode={step[1]}")
        elif operation == "symlink":
            os.symlink(step[1], path)  # noqa: PTH211 - as above
        elif operation == "keep" and step[1] in sources:
            _bind(sources[step[1]], path, read_only=False)
        elif operation == "bind":
            _bind(sources[step[1]], path, read_only=step[2] == "ro")
    if root:
        _enter(root)


def _opened(steps: list[list[str]]) -> dict[str, int]:
    """An O_PATH descriptor of each source; an entry to keep may have vanished, a volume may not."""
    sources = {}
    for step in steps:
        if step[0] in ("keep", "bind"):
            try:
                sources[step[1]] = os.open(step[1], os.O_PATH)
            except OSError:
                if step[0] == "bind":
                    raise
    return sources


def _bind(source: int, path: str, *, read_only: bool) -> None:
    """Bind `source` (an O_PATH descriptor) with what is mounted in it; the mount point is made when absent."""
    origin = f"/proc/self/fd/{source}"
    if os.path.isdir(origin):  # noqa: PTH112 - as above
        os.makedirs(path, exist_ok=True)  # noqa: PTH103 - as above
    elif not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - as above
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(origin, path, "", _MS_BIND | _MS_REC)
    if read_only:
        flags = os.statvfs(path).f_flag
        kept = flags & _KEPT_FLAGS | (_MS_RELATIME if flags & _ST_RELATIME else 0)
        _mount("none", path, "", _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def _enter(root: str) -> None:
    """Make `root` the root directory. Not by chroot: a process in a chroot may not make user namespaces of its own."""
    os.chdir(root)
    _call("syscall", _SYS_PIVOT_ROOT[os.uname().machine], b".", b".")
    _call("umount2", b".", _MNT_DETACH)
    os.chdir("/")


def _protect(writable: list[str]) -> None:
    """Make every mount read-only but for `writable`, and what a container runtime leaves writable too."""
    _set_read_only("/", _AT_RECURSIVE, keep=True)
    for path in ("/proc", "/dev/shm", *writable):  # noqa: S108 - the place of POSIX shared memory
        try:
            _set_read_only(path, 0, keep=False)
        except OSError as error:
            if path in writable or error.errno not in (errno.EINVAL, errno.ENOENT):  # not a mount, or not there
                raise


def _set_read_only(path: str, flags: int, *, keep: bool) -> None:
    attributes = struct.pack("QQQQ", *((_MOUNT_ATTR_RDONLY, 0) if keep else (0, _MOUNT_ATTR_RDONLY)), 0, 0)
    arguments = (_AT_FDCWD, os.fsencode(path), flags, attributes, ctypes.c_size_t(len(attributes)))
    _call("syscall", _SYS_MOUNT_SETATTR, *arguments, named=path)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = (source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags))
    _call("mount", *arguments, options.encode() or None, named=target)


def _call(function: str, *arguments: object, named: str = "") -> None:
    if getattr(_libc, function)(*arguments) == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}", named or None)


_libc = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    main()
