"""A small certificate authority in a directory: a long-lived CA and the leaves under it."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from iambridge.adapters.private_file import write_private

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
        self.certificate, self._key = make_authority(name, now=now, days=_CA_DAYS)
        write_private(key_file, key_pem(self._key))
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
        end = self._now + dt.timedelta(days=_LEAF_DAYS)
        certificate, key = sign_leaf(self.certificate, self._key, name, hosts, now=self._now, end=end)
        write_private(leaf.key, key_pem(key))
        leaf.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + self.pem)
        return leaf

    def _still_good(self, leaf: Leaf, hosts: tuple[str, ...]) -> bool:
        certificate = x509.load_pem_x509_certificates(leaf.certificate.read_bytes())[0]
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (InvalidSignature, ValueError):  # another authority's, perhaps of the same name
            return False
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return certificate.not_valid_after_utc > self._now + dt.timedelta(days=30) and list(names) == [
            _general_name(host) for host in hosts
        ]


def make_authority(name: str, *, now: dt.datetime, days: int) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new self-signed authority, for leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(subject, subject, key.public_key(), now, now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def sign_leaf(
    authority: x509.Certificate,
    authority_key: CertificateIssuerPrivateKeyTypes,
    name: str,
    hosts: tuple[str, ...],
    *,
    now: dt.datetime,
    end: dt.datetime,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A server certificate for `hosts` (DNS names or IP addresses) with a new key, valid to `end`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    edwards = isinstance(authority_key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    certificate = (
        _builder(subject, authority.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(_authority_key_id(authority), critical=False)
        .sign(authority_key, None if edwards else hashes.SHA256())
    )
    return certificate, key


def _authority_key_id(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())  # type: ignore[arg-type]  # any key that signs
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, end: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(end)
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


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
