"""What an issuer publishes: the discovery document and the JSON Web Key Set, written and read."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from iambridge.core.service_account_token.keys import RSA_ALGORITHMS, PublicKey, VerificationKey
from iambridge.core.service_account_token.strict_json import base64url_decode, base64url_encode, parse_object
from iambridge.errors import InvalidIdentityToken

MAX_KEYS_OF_A_TYPE = 100
MAX_DOCUMENT_BYTES = 512 * 1024
_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}

# two spaces after the comma: AWS's own spelling
KEYS_NOT_RETRIEVED = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)


def discovery_document(issuer: str, jwks_uri: str, algorithms: Iterable[str]) -> dict[str, object]:
    """Exactly the members that kube-apiserver serves. Source: Kubernetes pkg/serviceaccount/openidmetadata.go."""
    return {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted(set(algorithms)),
    }


def jwks(keys: Iterable[VerificationKey]) -> dict[str, list[dict[str, str]]]:
    """The key set, each key with use, kty, kid and alg as kube-apiserver serves it."""
    return {"keys": [_jwk(key) for key in keys]}


def _jwk(key: VerificationKey) -> dict[str, str]:
    if isinstance(key.key, rsa.RSAPublicKey):
        numbers = key.key.public_numbers()
        return {
            "use": "sig",
            "kty": "RSA",
            "kid": key.kid,
            "alg": key.alg or "RS256",
            "n": _number(numbers.n, (numbers.n.bit_length() + 7) // 8),
            "e": _number(numbers.e, (numbers.e.bit_length() + 7) // 8),
        }
    point = key.key.public_numbers()
    size = (key.key.key_size + 7) // 8
    curve = next(name for name, value in _CURVES.items() if value.name == key.key.curve.name)
    return {
        "use": "sig",
        "kty": "EC",
        "kid": key.kid,
        "crv": curve,
        "alg": key.alg,
        "x": _number(point.x, size),
        "y": _number(point.y, size),
    }


def _number(value: int, size: int) -> str:
    return base64url_encode(value.to_bytes(size))


def parse_jwks(document: bytes | Mapping[str, Any]) -> tuple[VerificationKey, ...]:
    """The keys that may verify a token. Keys of another type, use or algorithm are left out, as are broken ones.

    Raises:
        InvalidIdentityToken: not a key set, larger than 512 KiB, or over 100 RSA or 100 EC keys.
    """
    if isinstance(document, bytes):
        if len(document) > MAX_DOCUMENT_BYTES:
            raise _unusable("the JSON Web Key Set is larger than 512 KiB")
        try:
            document = parse_object(document)
        except ValueError as error:
            raise _unusable(f"the JSON Web Key Set is unreadable: {error}") from error
    entries = document.get("keys")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _unusable("the JSON Web Key Set has no list `keys` of objects")
    for kty in ("RSA", "EC"):
        if sum(entry.get("kty") == kty for entry in entries) > MAX_KEYS_OF_A_TYPE:
            raise _unusable(f"the JSON Web Key Set holds more than {MAX_KEYS_OF_A_TYPE} {kty} keys")
    return tuple(key for key in map(_key, entries) if key is not None)


def _key(entry: dict[str, Any]) -> VerificationKey | None:
    kid, alg, operations = entry.get("kid", ""), entry.get("alg", ""), entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(kid, str) or not isinstance(alg, str):
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        key = _public_key(entry)
        return None if key is None else VerificationKey.of(key, kid=kid, alg=alg)
    except (KeyError, TypeError, ValueError):
        return None


def _public_key(entry: dict[str, Any]) -> PublicKey | None:
    if entry.get("kty") == "RSA" and entry.get("alg", "RS256") in RSA_ALGORITHMS:
        modulus, exponent = _integer(entry["n"]), _integer(entry["e"])
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    if entry.get("kty") == "EC":
        curve = _CURVES[entry["crv"]]
        size = (curve.key_size + 7) // 8
        x, y = base64url_decode(entry["x"]), base64url_decode(entry["y"])
        if len(x) != size or len(y) != size:
            return None
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve).public_key()
    return None


def _integer(text: object) -> int:
    if not isinstance(text, str) or len(text) > 2048:
        raise ValueError("not a base64url number of a sensible size")
    return int.from_bytes(base64url_decode(text))


def parse_discovery_document(document: bytes, issuer: str) -> str:
    """The `jwks_uri` of `issuer`'s discovery document: https, no userinfo, no fragment.

    Raises:
        InvalidIdentityToken: unreadable, another issuer's, or a `jwks_uri` that is not to be followed.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise _unusable("the discovery document is larger than 512 KiB")
    try:
        parsed = parse_object(document)
    except ValueError as error:
        raise _unusable(f"the discovery document is unreadable: {error}") from error
    if parsed.get("issuer") != issuer:
        raise _unusable(f"the discovery document of `{issuer}` names another issuer")
    uri = parsed.get("jwks_uri")
    if not isinstance(uri, str) or not followable(uri):
        raise _unusable("the discovery document's `jwks_uri` is not an https URL without userinfo and fragment")
    return uri


def followable(url: str) -> bool:
    """Whether `url` is plain https with a host, printable ASCII, no userinfo and no fragment."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or len(url) > 2048:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and "#" not in url and port != 0


def _unusable(cause: str) -> InvalidIdentityToken:
    return InvalidIdentityToken(
        KEYS_NOT_RETRIEVED,
        cause=cause,
        fix="serve the issuer's discovery document and JWKS as OpenID Connect Discovery says, over https",
    )
