"""Which keys sign and verify, and what a cluster writes into a token."""

import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, utils

from iambridge.core.service_account_token import (
    BoundObject,
    SigningKey,
    VerificationKey,
    parse_discovery_document,
    projected_claims,
)
from iambridge.errors import InvalidIdentityToken

PLAIN = serialization.NoEncryption()


def pem(key: ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption = PLAIN) -> bytes:  # fmt: skip
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def test_a_verification_key_is_of_a_known_curve_size_and_algorithm() -> None:
    """A curve without an algorithm, an algorithm of another curve, and an RSA key too small or mislabelled are none."""
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(ValueError, match="curve"):
        VerificationKey.of(ec.generate_private_key(ec.SECP256K1()).public_key())
    with pytest.raises(ValueError, match="curve"):
        VerificationKey.of(curve, alg="ES384")
    assert VerificationKey.of(curve).alg == "ES256"
    with pytest.raises(ValueError, match="2048 to 8192"):
        VerificationKey.of(rsa.generate_private_key(65537, 1024).public_key())
    with pytest.raises(ValueError, match="2048 to 8192"):
        VerificationKey.of(rsa.generate_private_key(65537, 2048).public_key(), alg="PS256")


def test_only_what_clusters_sign_with_is_generated() -> None:
    """RS256 and ES256."""
    with pytest.raises(ValueError, match="EdDSA"):
        SigningKey.generate("EdDSA")


def test_a_private_key_file_of_another_kind_is_refused() -> None:
    """Ed25519, an encrypted key, and no key at all."""
    with pytest.raises(ValueError, match="not an RSA or EC"):
        SigningKey.from_pem(pem(ed25519.Ed25519PrivateKey.generate()))
    locked = pem(ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"pass"))
    with pytest.raises(ValueError, match="encrypted"):
        SigningKey.from_pem(locked)
    with pytest.raises(ValueError, match=r"(?i)pem"):
        SigningKey.from_pem(b"no key")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_an_elliptic_signature_is_r_and_s_at_full_width(alg: str) -> None:
    """RFC 7518 section 3.4: one byte more or less, DER, and another text prove nothing."""
    curve = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}[alg]
    digest = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "ES512": hashes.SHA512()}[alg]
    private = ec.generate_private_key(curve)
    der = private.sign(b"text", ec.ECDSA(digest))
    r, s = utils.decode_dss_signature(der)
    size = (private.key_size + 7) // 8
    plain = r.to_bytes(size) + s.to_bytes(size)
    key = VerificationKey.of(private.public_key())
    assert key.proves(alg, b"text", plain)
    assert not key.proves(alg, b"other", plain)
    assert not any(key.proves(alg, b"text", other) for other in (b"", plain[:-1], plain + b"\0", der))
    assert not any(key.proves(other, b"text", plain) for other in {"ES256", "ES384", "ES512", "RS256"} - {alg})


def test_a_renewed_token_says_when_to_warn() -> None:
    """`warnafter` is there for a token that a pod is expected to have replaced by then, and only there."""
    known = {"issuer": "https://i", "namespace": "n", "service_account": BoundObject("a", "u"), "audiences": ["x"]}
    plain = projected_claims(**known, now=1, seconds=9, jti="j")  # type: ignore[arg-type]  # the keywords above
    warned = projected_claims(**known, now=1, seconds=9, jti="j", warn_after=7)  # type: ignore[arg-type]  # as above
    assert plain["kubernetes.io"] == {"namespace": "n", "serviceaccount": {"name": "a", "uid": "u"}}
    assert warned["kubernetes.io"] == {**plain["kubernetes.io"], "warnafter": 7}


@pytest.mark.parametrize("document", [b"{", b" " * 600_000, json.dumps({"issuer": 1}).encode()])
def test_a_discovery_document_that_is_none_is_refused(document: bytes) -> None:
    """Unreadable, too large, or of nobody."""
    with pytest.raises(InvalidIdentityToken, match="Couldn't retrieve verification key"):
        parse_discovery_document(document, "https://i")
