"""Signing and verification keys. A key's algorithm is part of the key."""

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from iambridge.core.service_account_token.strict_json import base64url_encode

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_PKCS1V15 = padding.PKCS1v15()
RSA_ALGORITHMS = ("RS256", "RS384", "RS512")
CURVE_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS = (*RSA_ALGORITHMS, *CURVE_ALGORITHMS.values())
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key. `alg` is empty for an RSA key whose JWK names none: then the three RS algorithms count."""

    kid: str
    alg: str
    key: PublicKey = field(repr=False)

    @classmethod
    def of(cls, key: PublicKey, *, kid: str | None = None, alg: str = "") -> "VerificationKey":
        """`kid` defaults to Kubernetes' key id; an EC key's algorithm follows from its curve.

        Raises:
            ValueError: a curve, an RSA size or an algorithm that is not one of the six's.
        """
        if isinstance(key, ec.EllipticCurvePublicKey):
            expected = CURVE_ALGORITHMS.get(key.curve.name, "")
            if not expected or alg not in {"", expected}:
                raise ValueError(f"no algorithm for an EC key of curve {key.curve.name}")
            alg = expected
        elif alg not in {"", *RSA_ALGORITHMS} or not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise ValueError("an RSA key has 2048 to 8192 bits and algorithm RS256, RS384 or RS512")
        return cls(key_id(key) if kid is None else kid, alg, key)

    def accepts(self, alg: str) -> bool:
        """Whether this key may verify `alg`."""
        if alg == self.alg:
            return alg in ALGORITHMS
        return not self.alg and isinstance(self.key, rsa.RSAPublicKey) and alg in RSA_ALGORITHMS

    def proves(self, alg: str, signing_input: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `signing_input` with `alg`."""
        if not self.accepts(alg):
            return False
        digest = _HASHES[alg[2:]]
        try:
            if isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, signing_input, _PKCS1V15, digest)
            else:
                size = (self.key.key_size + 7) // 8
                if len(signature) != 2 * size:
                    return False
                r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
                self.key.verify(encode_dss_signature(r, s), signing_input, ec.ECDSA(digest))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of an issuer. `repr` shows its id and algorithm only."""

    kid: str
    alg: str
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def generate(cls, alg: str = "RS256") -> "SigningKey":
        """A new key: RSA of 2048 bits for RS256, P-256 for ES256.

        Raises:
            ValueError: another algorithm.
        """
        match alg:
            case "RS256":
                return cls.of(rsa.generate_private_key(65537, MIN_RSA_BITS))
            case "ES256":
                return cls.of(ec.generate_private_key(ec.SECP256R1()))
        raise ValueError(f"keys are generated for RS256 and ES256, not for `{alg}`")

    @classmethod
    def of(cls, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> "SigningKey":
        """RS256 for RSA, as kube-apiserver signs, and the curve's algorithm for EC."""
        public = VerificationKey.of(key.public_key(), alg="RS256" if isinstance(key, rsa.RSAPrivateKey) else "")
        return cls(public.kid, public.alg, key)

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        """A PEM private key, PKCS#8, PKCS#1 or SEC1.

        Raises:
            ValueError: not an unencrypted RSA or EC private key.
        """
        try:
            key = serialization.load_pem_private_key(pem, None)
        except TypeError as error:
            raise ValueError("the private key is encrypted") from error
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError("not an RSA or EC private key")  # noqa: TRY004 - one error for every wrong file
        return cls.of(key)

    def to_pem(self) -> bytes:
        """PKCS#8, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def public(self) -> VerificationKey:
        return VerificationKey(self.kid, self.alg, self.key.public_key())

    def signature(self, signing_input: bytes) -> bytes:
        """RFC 7518: PKCS#1 v1.5 for RSA, r and s side by side for EC."""
        digest = _HASHES[self.alg[2:]]
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(signing_input, _PKCS1V15, digest)
        size = (self.key.key_size + 7) // 8
        r, s = decode_dss_signature(self.key.sign(signing_input, ec.ECDSA(digest)))
        return r.to_bytes(size) + s.to_bytes(size)


def key_id(key: PublicKey) -> str:
    """Base64url SHA-256 of the DER SubjectPublicKeyInfo. Source: Kubernetes pkg/serviceaccount/jwt.go."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64url_encode(hashlib.sha256(der).digest())
