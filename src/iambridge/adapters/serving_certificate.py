"""A serving certificate from files that something else renews: cert-manager, a mounted Secret, a person."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from iambridge.adapters.certificates import Leaf
from iambridge.adapters.private_file import write_private
from iambridge.errors import InputError
from iambridge.wire.prometheus import Counter

_log = logging.getLogger(__name__)

_POLL_SECONDS = 2.0


class CertificateMetrics:
    """What operators watch of a serving certificate, whoever renews it."""

    def __init__(self, prefix: str) -> None:
        self.not_after = Counter(
            f"{prefix}_certificate_not_after_seconds", "End of the served certificate, Unix time", kind="gauge"
        )
        self.failures = Counter(f"{prefix}_certificate_failures_count", "Failed looks at it, by what", ("what",))
        self.steps = Counter(f"{prefix}_self_managed_tls_steps_count", "Steps taken as leader, by step", ("step",))
        self.leader = Counter(f"{prefix}_self_managed_tls_leader", "1 while this replica leads", kind="gauge")

    @property
    def all(self) -> tuple[Counter, ...]:
        return (self.not_after, self.failures, self.steps, self.leader)


class ServingCertificate:
    """Copies `certificate` and `key` (PEM, any private key format) to `directory`, with the key as PKCS#8.

    The copy is what the server reads: it changes only when certificate and key fit each other, so that a renewal that
    is half written is never served.
    """

    def __init__(
        self, certificate: Path, key: Path, directory: Path, *, metrics: CertificateMetrics | None = None
    ) -> None:
        self._metrics = metrics
        self._sources = Leaf(certificate, key)
        self.leaf = Leaf(directory / "tls.crt", directory / "tls.key")
        self._content: tuple[bytes, bytes] | None = None

    def load(self) -> bool:
        """Read the sources; True when they changed.

        Raises:
            InputError: a file is missing or wrong, or the two do not belong together.
        """
        sources = self._sources
        try:
            content = (sources.certificate.read_bytes(), sources.key.read_bytes())
        except OSError as error:
            raise InputError(
                f"cannot read the serving certificate: {error.strerror}",
                where=str(error.filename),
                fix="name the files with --tls-cert and --tls-key",
            ) from error
        if content == self._content:
            return False
        try:
            chain = x509.load_pem_x509_certificates(content[0])
            key = serialization.load_pem_private_key(content[1], None)
        except (ValueError, TypeError) as error:
            raise InputError("the certificate or its key is not PEM", where=str(sources.certificate)) from error
        if _public(chain[0].public_key()) != _public(key.public_key()):
            raise InputError("the certificate does not belong to the key", where=str(sources.certificate))
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        write_private(self.leaf.key, key.private_bytes(*form))
        write_private(self.leaf.certificate, content[0])
        self._content = content
        if self._metrics is not None:
            self._metrics.not_after.set(chain[0].not_valid_after_utc.timestamp())
        return True

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Call `changed` after each renewal, until cancelled. A wrong one is logged, and the last good pair stays."""
        failing = ""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                if self.load():
                    _log.warning("the serving certificate was renewed")
                    await changed()
                failing = ""
            except InputError as error:
                if self._metrics is not None:
                    self._metrics.failures.add("files")
                if failing != error.message:
                    _log.warning("%s (%s); the last good certificate stays", error.message, error.where)
                failing = error.message


def _public(key: Any) -> bytes:
    """Comparable bytes of a public key of any kind."""
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded
