"""The authenticator's state directory: its certificates, and the kubeconfig by which kube-apiserver calls it.

cert.pem, key.pem             a pair as aws-iam-authenticator leaves it; if it is there it is served as it is
ca.crt, ca.key                the authority that the kubeconfig pins, good for ten years
authenticator.crt, .key       the leaf under it, renewed in time; without ca.key somebody else renews it
next-ca/ca.crt, ca.key        between the two phases of a change of authority, the one to come
"""

import asyncio
import base64
import datetime as dt
import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from iambridge.adapters.certificates import CertificateAuthority, Leaf
from iambridge.adapters.private_file import write_private
from iambridge.adapters.serving_certificate import ServingCertificate
from iambridge.errors import BridgeError, InputError

_log = logging.getLogger(__name__)

_NAME = "iambridge authenticator CA"
_LEAF = "authenticator"
_NEXT = "next-ca"
_RENEWAL_CHECK_SECONDS = 3600.0

Now = Callable[[], dt.datetime]


class StateDirectory:
    """`hosts` are the names and addresses that the leaf is for. `now` is the time, zone-aware."""

    def __init__(self, path: Path, *, hosts: tuple[str, ...], now: Now) -> None:
        self.path = path
        self._hosts = tuple(dict.fromkeys(hosts))
        self._now = now

    @property
    def sources(self) -> Leaf:
        """The files of the pair to serve with."""
        given = Leaf(self.path / "cert.pem", self.path / "key.pem")
        if given.certificate.exists() and given.key.exists():
            return given
        return Leaf(self.path / f"{_LEAF}.crt", self.path / f"{_LEAF}.key")

    @property
    def is_upstream(self) -> bool:
        return self.sources.certificate.name == "cert.pem"

    @property
    def pinned(self) -> bytes:
        """PEM of what clients are to trust: in a change of authority both."""
        if self.is_upstream:
            return self.sources.certificate.read_bytes()
        files = (self.path / "ca.crt", self.path / _NEXT / "ca.crt")
        return b"".join(file.read_bytes() for file in files if file.exists())

    def prepare(self) -> None:
        """Make what is missing, and a new leaf where the old one ends within 30 days or is for other hosts.

        Raises:
            InputError: the directory cannot be written, or its authority is half of two.
        """
        if self.is_upstream:
            return
        leaf = self.sources
        if not (self.path / "ca.key").exists() and (self.path / "ca.crt").exists() and leaf.certificate.exists():
            return  # the authority's key is kept elsewhere
        try:
            _authority(self.path, self._now()).leaf(_LEAF, hosts=self._hosts)
        except OSError as error:
            raise InputError(
                f"cannot keep a certificate in {self.path}: {error.strerror}",
                where="--state-dir",
                fix="name a directory that this user may write",
            ) from error

    def begin_rotation(self) -> None:
        """Phase one: an authority to come, to be pinned beside the one that signs. Once begun it changes nothing."""
        self._refuse_upstream()
        self.prepare()
        _authority(self.path / _NEXT, self._now())

    def finish_rotation(self) -> None:
        """Phase two: the authority to come signs from now on. Repeat it after a crash.

        Raises:
            InputError: phase one was not done.
        """
        self._refuse_upstream()
        coming = self.path / _NEXT
        if not (coming / "ca.crt").exists() or not (coming / "ca.key").exists():
            raise InputError("no change of authority has begun", where=str(coming),
                fix="run `iambridge authenticator init --rotate-ca begin`, and restart every API server")  # fmt: skip
        write_private(self.path / "ca.key", (coming / "ca.key").read_bytes())
        _write_public(self.path / "ca.crt", (coming / "ca.crt").read_bytes())
        self.prepare()
        shutil.rmtree(coming)

    def _refuse_upstream(self) -> None:
        if self.is_upstream:
            raise InputError("a cert.pem without an authority cannot be rotated in two phases", where=str(self.path),
                fix="see docs/how-to/authenticator-certificates.md: move it away once, then init")  # fmt: skip


class ServedCertificate:
    """The state directory's pair as a running server serves it; `directory` is scratch space for it."""

    def __init__(self, state: StateDirectory, directory: Path) -> None:
        state.prepare()
        self._state = state
        self._serving = ServingCertificate(state.sources.certificate, state.sources.key, directory)
        self._serving.load()
        self.leaf = self._serving.leaf

    async def run(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Renew the leaf in time and call `changed` after each renewal, whoever made it, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serving.watch(changed))
            group.create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEWAL_CHECK_SECONDS)
            try:
                await asyncio.to_thread(self._state.prepare)
            except (BridgeError, OSError, ValueError) as error:
                _log.error("cannot renew the certificate in %s: %s", self._state.path, error)


def _authority(directory: Path, now: dt.datetime) -> CertificateAuthority:
    """Raises InputError when key and certificate do not belong together."""
    key_file = directory / "ca.key"
    if key_file.exists() and (directory / "ca.crt").exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        if certificate.public_key() != key.public_key():
            raise InputError("ca.crt and ca.key do not belong together", where=str(directory),
                fix="repeat `iambridge authenticator init --rotate-ca finish` if that was interrupted")  # fmt: skip
    return CertificateAuthority(directory, name=_NAME, now=now)


def _write_public(file: Path, content: bytes) -> None:
    """Replace it atomically, readable for all."""
    fresh = file.with_name(f".{file.name}.fresh")
    fresh.write_bytes(content)
    fresh.chmod(0o644)
    fresh.replace(file)


def write_webhook_kubeconfig(file: Path, *, url: str, authority: bytes) -> None:
    """The file for kube-apiserver's --authentication-token-webhook-config-file. It holds no secret, and is 0644: an API
    server that is not root reads it too.

    Raises:
        InputError: it cannot be written.
    """
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "aws-iam-authenticator",
                "cluster": {"server": url, "certificate-authority-data": base64.b64encode(authority).decode()},
            }
        ],
        "users": [{"name": "apiserver"}],
        "current-context": "webhook",
        "contexts": [{"name": "webhook", "context": {"cluster": "aws-iam-authenticator", "user": "apiserver"}}],
    }
    text = yaml.safe_dump(content, sort_keys=False).encode()
    try:
        if file.exists() and file.read_bytes() == text:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_public(file, text)
    except OSError as error:
        raise InputError(
            f"cannot write {file}: {error.strerror}",
            where="--generate-kubeconfig",
            fix="name a file that can be written, or give --kubeconfig-pregenerated",
        ) from error
