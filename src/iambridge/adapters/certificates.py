"""A small certificate authority in a directory: a long-lived CA and the leaves under it."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from iambridge.adapters.private_file import write_private

__all__ = ["CertificateAuthority", "Leaf", "write_private"]

_CA_DAYS = 3650
_LEAF_DAYS = 397  # the longest life that TLS clients of public CAs accept
_CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Paths of a leaf certificate chain (leaf, then CA) and its key, both PEM."""

    certificate: Path
    key: Path


class CertificateAuthority:
    """Opens or creates the CA in `directory`: `ca.crt`, `ca.key` (0600)."""

    def __init__(self, directory: Path, *, name: str, now: dt.datetime) -> None:
        self.directory = directory
        self.certificate_file = directory / "ca.crt"
        self._now = now
        key_file = directory / "ca.key"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if key_file.exists() and self.certificate_file.exists():
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._key = key
            self.certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            _builder(subject, subject, self._key.public_key(), now, _CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        write_private(key_file, _pem(self._key))
        self.certificate_file.write_bytes(self.pem)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the DER certificate, 40 hex digits, as IAM's ThumbprintList wants it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - the format is AWS's

    def leaf(self, name: str, *, hosts: tuple[str, ...]) -> Leaf:
        """A server certificate for `hosts` (DNS names or IP addresses), reused while it is good for 30 more days."""
        leaf = Leaf(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        if leaf.key.exists() and leaf.certificate.exists() and self._still_good(leaf, hosts):
            return leaf
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(subject, self.certificate.subject, key.public_key(), self._now, _LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
            .add_extension(issuer_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        write_private(leaf.key, _pem(key))
        leaf.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + self.pem)
        return leaf

    def _still_good(self, leaf: Leaf, hosts: tuple[str, ...]) -> bool:
        certificate = x509.load_pem_x509_certificates(leaf.certificate.read_bytes())[0]
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return (
            certificate.not_valid_after_utc > self._now + dt.timedelta(days=30)
            and list(names) == [_general_name(host) for host in hosts]
            and certificate.issuer == self.certificate.subject
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
