"""The Secret's content as values. What cannot be used is a fault in words, and then as if it were not there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

CA_CERTIFICATE, CA_KEY, CA_BUNDLE = "ca.crt", "ca.key", "ca-bundle.crt"
CERTIFICATE, KEY = "tls.crt", "tls.key"  # as in a Secret of type kubernetes.io/tls
AUTHORITY_NAME = "iambridge webhook CA"

_FAULTS = (ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate (the first of `pem`) with its private key, PEM."""

    certificate: x509.Certificate
    pem: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TrustState:
    """`authority` signs leaves; `trusted` is what the caBundle should hold; `leaf` is what replicas serve."""

    authority: KeyPair | None = None
    trusted: tuple[x509.Certificate, ...] = ()
    leaf: KeyPair | None = None
    faults: tuple[str, ...] = ()


def read_state(data: Mapping[str, bytes]) -> TrustState:
    """`data` is the Secret's, decoded from base64."""
    faults: list[str] = []
    authority = _pair(data, CA_CERTIFICATE, CA_KEY, faults)
    if authority is not None and not _is_authority(authority.certificate):
        faults.append(f"{CA_CERTIFICATE} is not the certificate of an authority")
        authority = None
    leaf = _pair(data, CERTIFICATE, KEY, faults)
    trusted: tuple[x509.Certificate, ...] = ()
    if data.get(CA_BUNDLE):
        trusted = certificates_in(data[CA_BUNDLE])
        if not trusted:
            faults.append(f"{CA_BUNDLE} holds no certificate")
    return TrustState(authority, trusted, leaf, tuple(faults))


def _pair(data: Mapping[str, bytes], certificate: str, key: str, faults: list[str]) -> KeyPair | None:
    pem, private = data.get(certificate, b""), data.get(key, b"")
    if not pem or not private:
        if pem or private:
            faults.append(f"{certificate} or {key} is missing")
        return None
    chain = certificates_in(pem)
    try:
        public = serialization.load_pem_private_key(private, None).public_key()
        fits = bool(chain) and _der(public) == _der(chain[0].public_key())
    except _FAULTS:
        faults.append(f"{key} is not a private key in PEM")
        return None
    if not fits:
        faults.append(f"{certificate} does not belong to {key}")
        return None
    return KeyPair(chain[0], pem, private)


def _der(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def certificates_in(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM text, each once; none when it is not one."""
    try:
        return tuple(dict.fromkeys(x509.load_pem_x509_certificates(pem)))
    except _FAULTS:
        return ()


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer`'s name and key are those that signed `certificate`. Dates are not looked at."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_FAULTS):
        return False
    return True


def bundle_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """The certificates as a caBundle (before base64)."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)
