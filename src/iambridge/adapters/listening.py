"""Listening sockets: bound with a clear word about a taken port, shared, and taken away from a server that drains."""

import contextlib
import errno
import os
import socket
import tempfile
from pathlib import Path

from iambridge.errors import InputError

BACKLOG = 1024


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def refuse_taken_port(host: str, port: int) -> None:
    """Say who has `port`.

    Raises:
        InputError: the port is in use or not permitted, with the fix.
    """
    _bound(host, port).close()


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; "::" takes IPv4 too.

    Raises:
        InputError: the port is in use or not permitted, with the fix.
    """
    listening = _bound(host, port)
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def _bound(host: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in host:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"port {port} on {host} is in use by {port_owner(port)}",
                fix="stop that process or choose another port",
            ) from error
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror}", fix="choose a port above 1023 and a local address"
        ) from error
    return opened


def take_away(descriptor: int) -> None:
    """Put a socket that nobody can connect to in the place of the listening socket `descriptor`.

    Its server accepts no more, and keeps what it has accepted. Connections that wait to be accepted stay with the other
    descriptors of the listening socket: granian itself can only stop accepting by closing what it has accepted too.
    """
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(Path(directory) / "nobody"))  # without its path, a moment later, it is out of reach
        nobody.listen(1)
        nobody.setblocking(False)
        os.dup2(nobody.fileno(), descriptor, inheritable=False)


def port_owner(port: int) -> str:
    """The process that listens on `port`, as far as /proc shows it (Linux; own processes, or all for root)."""
    inode = ""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inode = fields[9]
    if not inode:
        return "another process"
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(fd.readlink()) == f"socket:[{inode}]":
                pid = fd.parts[2]
                command = (
                    Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
                return f"process {pid} ({command[:80]})"
    return "another process"
