"""A sandbox's directory: who holds it, which ports it has, and where each part keeps its state.

Ports are chosen once and kept: the issuer's URL is an identity that IAM OIDC providers and trust policies name.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iambridge.adapters.private_file import write_private
from iambridge.adapters.serving import free_port, refuse_taken_port
from iambridge.errors import InputError
from iambridge.sandbox.directory_lock import hold

SERVERS = ("kubernetes", "issuer", "aws", "webhook", "authenticator")
SIGNING_KEY = "pki/service-account-signing.pem"
_FORMAT = 1


def default_data_dir() -> Path:
    """`$IAMBRIDGE_DATA_DIR`, else `$XDG_DATA_HOME/iambridge`, else `~/.local/share/iambridge`.

    Raises:
        InputError: none of the three is known.
    """
    explicit = os.environ.get("IAMBRIDGE_DATA_DIR")
    if explicit:
        return Path(explicit).absolute()
    base = os.environ.get("XDG_DATA_HOME")
    if base:
        return Path(base).absolute() / "iambridge"
    home = os.environ.get("HOME")
    if not home:
        raise InputError(
            "no data directory: HOME is not set",
            fix="give --data-dir DIR, or --ephemeral for a sandbox that leaves nothing behind",
        )
    return Path(home).absolute() / ".local/share/iambridge"


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback port of each server."""

    kubernetes: int
    issuer: int
    aws: int
    webhook: int
    authenticator: int

    def url(self, server: str) -> str:
        return f"https://127.0.0.1:{getattr(self, server)}"


class DataDir:
    """Opens `path`, creating it (0700) when absent, and holds its lock until `close` or the process's end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pki = path / "pki"
        self.cluster = path / "cluster"
        self.aws = path / "aws"
        self.kubeconfig = path / "kubeconfig"
        self.logs = path / "logs"
        self._lock = self._locked()
        self.ports = self._kept_ports()

    def close(self) -> None:
        os.close(self._lock)

    def _locked(self) -> int:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in (self.cluster, self.aws, self.logs):
                part.mkdir(mode=0o700, exist_ok=True)
            return hold(self.path, "iambridge")
        except OSError as error:
            raise InputError(
                f"cannot write to the data directory {self.path}: {error.strerror}",
                where=str(error.filename or self.path),
                fix="give --data-dir a directory that you may write to, or use --ephemeral",
            ) from error

    def _kept_ports(self) -> Ports:
        record = self.path / "sandbox.json"
        if not record.exists():
            ports = Ports(*_distinct_free_ports(len(SERVERS)))
            document = {"format": _FORMAT, "ports": {name: getattr(ports, name) for name in SERVERS}}
            write_private(record, json.dumps(document, indent=2).encode() + b"\n")
            return ports
        try:
            document = json.loads(record.read_bytes())
            ports = _ports_of(document)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"the sandbox record is not readable: {error}",
                where=str(record),
                fix="restore the file, or start with another --data-dir",
            ) from error
        for name in SERVERS:
            _keep(name, getattr(ports, name))
        return ports


def _ports_of(document: dict[str, Any]) -> Ports:
    if document["format"] != _FORMAT:
        raise ValueError(f"format {document['format']}, this version reads {_FORMAT}")
    return Ports(**{name: int(document["ports"][name]) for name in SERVERS})


def _keep(server: str, port: int) -> None:
    try:
        refuse_taken_port("127.0.0.1", port)
    except InputError as error:
        raise InputError(
            f"{error.message}: this data directory's {server} server has that port for good",
            cause="the issuer URL and the kubeconfig name the port, so it is kept over restarts",
            fix=error.fix.replace("or choose another port", "or start with another --data-dir"),
        ) from error


def _distinct_free_ports(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        port = free_port()
        if port not in ports:
            ports.append(port)
    return ports


def read_ports(path: Path) -> Ports:
    """The ports of a sandbox that runs, or ran, on `path`.

    Raises:
        InputError: no sandbox was ever started there.
    """
    record = path / "sandbox.json"
    try:
        return _ports_of(json.loads(record.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"no sandbox has been started on {path}",
            where=str(record),
            fix="run `iambridge up` first, or give the --data-dir that it printed",
        ) from error
