"""Outlives the kubelet by a moment, to end its processes when it was killed without a chance to do so itself.

Run as a file by `python -I -S`. Reads lines `+PID START_TIME` and `-PID` from stdin; at its end (the kubelet is gone)
it kills each process group that is still led by the process that was named. START_TIME is field 22 of /proc/PID/stat,
which tells a process from a later one with the same id; `0` where there is no /proc.
"""

import os
import signal
import sys


def main() -> None:
    os.setsid()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    groups: dict[int, str] = {}
    for line in sys.stdin:
        words = line[1:].split()
        if line.startswith("+"):
            groups[int(words[0])] = words[1]
        else:
            groups.pop(int(words[0]), None)
    for leader, started in groups.items():
        kill_group(leader, started)


def kill_group(leader: int, started: str) -> bool:
    """SIGKILL to the group of `leader`, if that is still the process that started then. A group outlives its leader."""
    current = start_time(leader)
    if current not in ("", started):
        return False
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def start_time(pid: int) -> str:
    """Clock ticks from boot to the process's start; empty when it is gone, `0` where there is no /proc."""
    if sys.platform != "linux":
        return "0"
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:  # noqa: PTH123 - as launch.py, this starts bare
            return stream.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
