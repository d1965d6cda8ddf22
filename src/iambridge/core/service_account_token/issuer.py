"""What an issuer publishes: the discovery document and the JSON Web Key Set, written and read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from iambridge.core.service_account_token.keys import PublicKey, VerificationKey
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


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that may verify a token, and why each other key of the set may not, by its `kid`."""

    keys: tuple[VerificationKey, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def parse_jwks(document: bytes | Mapping[str, Any]) -> tuple[VerificationKey, ...]:
    """The keys that may verify a token: those of `read_jwks`."""
    return read_jwks(document).keys


def read_jwks(document: bytes | Mapping[str, Any]) -> KeySet:
    """The keys that may verify a token. Keys of another type, use or algorithm are left out, as are broken ones, and
    keys without a `kid`, which STS does not find even for a token without one (an empty `kid` it does).

    Source for the latter: aws/amazon-eks-pod-identity-webhook issue 12.

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
    keys: list[VerificationKey] = []
    left_out: dict[str, str] = {}
    for entry in entries:
        try:
            keys.append(_key(entry))
        except (TypeError, ValueError) as error:
            kid = entry.get("kid", "")
            left_out[kid if isinstance(kid, str) else ""] = str(error)
    usable = {key.kid for key in keys}
    # a token without a `kid` may still mean the only key
    told = {kid: why for kid, why in left_out.items() if kid not in usable and (kid or not keys)}
    return KeySet(tuple(keys), told)


def _key(entry: dict[str, Any]) -> VerificationKey:
    """Raises TypeError, ValueError: why it may not verify."""
    kid, alg, operations = entry.get("kid"), entry.get("alg", ""), entry.get("key_ops", ["verify"])
    if not isinstance(kid, str):
        raise ValueError("it has no `kid`, or one that is not a string")  # noqa: TRY004 - one error for every fault
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("its `use` or `key_ops` is not to verify signatures")
    if not isinstance(alg, str):
        raise ValueError("its `alg` is not a string")  # noqa: TRY004 - as above
    return VerificationKey.of(_public_key(entry), kid=kid, alg=alg)


def _public_key(entry: dict[str, Any]) -> PublicKey:
    kty = entry.get("kty")
    if kty == "RSA":
        return rsa.RSAPublicNumbers(_number_of(entry, "e"), _number_of(entry, "n")).public_key()
    if kty != "EC":
        raise ValueError("its `kty` is neither RSA nor EC")
    curve = _CURVES.get(str(entry.get("crv")))
    if curve is None:
        raise ValueError(f"its `crv` is none of {', '.join(_CURVES)}")
    size = (curve.key_size + 7) // 8
    x, y = (_bytes_of(entry, name) for name in ("x", "y"))
    if len(x) != size or len(y) != size:
        raise ValueError(f"its `x` and `y` have not {size} bytes each")
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve).public_key()


def _number_of(entry: dict[str, Any], name: str) -> int:
    return int.from_bytes(_bytes_of(entry, name))


def _bytes_of(entry: dict[str, Any], name: str) -> bytes:
    text = entry.get(name)
    if not isinstance(text, str) or len(text) > 2048:
        raise ValueError(f"its `{name}` is not a base64url number of a sensible size")
    try:
        return base64url_decode(text)
    except ValueError as error:
        raise ValueError(f"its `{name}` is unreadable: {error}") from None


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
