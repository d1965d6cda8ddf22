"""The compact JWS: read strictly, verify, sign."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

from iambridge.core.service_account_token.issuer import KEYS_NOT_RETRIEVED
from iambridge.core.service_account_token.keys import ALGORITHMS, SigningKey, VerificationKey
from iambridge.core.service_account_token.strict_json import base64url_decode, base64url_encode, parse_object
from iambridge.errors import InvalidIdentityToken

NOT_A_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
NOT_VALIDATED = "The web identity token provided could not be validated"

_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
_STRINGS = ("iss", "sub", "azp", "jti", "nonce")
_TIMES = ("exp", "nbf", "iat")


class UnverifiedToken(msgspec.Struct, frozen=True):
    """A well-formed token that proves nothing yet. `issuer` and `kid` are empty where it names none."""

    issuer: str
    kid: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signing_input: bytes
    signature: bytes

    @classmethod
    def parse(cls, token: str) -> "UnverifiedToken":
        """Read a compact JWS of 4 to 20000 characters with a JSON object as payload.

        Embedded keys and key addresses (`jwk`, `jku`, `x5u`, `x5c`) are never looked at; `crit`, encryption, nesting
        and compression are refused, as is every time that is not a whole number of seconds.

        Raises:
            InvalidIdentityToken: on any malformation, in AWS's words, with the cause for the operator.
        """
        if not 4 <= len(token) <= 20_000 or not token.isascii():
            raise _malformed("the token is not 4 to 20000 ASCII characters")
        signed, _, last = token.rpartition(".")
        first, dot, middle = signed.partition(".")
        if not dot or "." in middle:
            raise _malformed("the token has not three parts with a dot between")
        try:
            header = _header(first)
            claims = parse_object(base64url_decode(middle))
            signature = base64url_decode(last)
        except ValueError as error:
            around = ", and there is white space around it" if token != token.strip() else ""
            raise _malformed(f"a part of the token is unreadable: {error}{around}") from error
        _check_claims(claims)
        if not signature:
            raise _malformed("the token is not signed")
        return cls(claims.get("iss", ""), header.get("kid", ""), header, claims, signed.encode(), signature)

    def __repr__(self) -> str:
        """Without the signature and what it covers: together they are a credential."""
        return f"UnverifiedToken(kid={self.kid!r}, issuer={self.issuer!r})"


class VerifiedClaims(msgspec.Struct, frozen=True):
    """Claims under the signature of `key`; only `verify` makes them. Times and audience are not judged yet.

    `expires`, `issued_at`, `not_before` are seconds since the epoch, None when the claim is absent.
    """

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    authorized_party: str | None
    expires: int | None
    issued_at: int | None
    not_before: int | None
    claims: Mapping[str, Any]
    key: VerificationKey

    def __repr__(self) -> str:
        """Who it is and whose, not every claim."""
        return f"VerifiedClaims(issuer={self.issuer!r}, subject={self.subject!r}, audiences={self.audiences!r})"


def verify(token: UnverifiedToken, keys: Sequence[VerificationKey]) -> VerifiedClaims:
    """Prove the signature with the key that the token's `kid` names, or the only key when it names none.

    Raises:
        InvalidIdentityToken: no such key, an algorithm that is not the key's, or a signature that does not fit.
    """
    alg, eligible = token.header["alg"], eligible_keys(token, keys)
    if not eligible:
        raise _no_key(token.kid, len(keys))
    for key in eligible:
        if key.proves(alg, token.signing_input, token.signature):
            break
    else:
        raise _not_proved(alg, eligible)
    get = token.claims.get
    audience = get("aud", ())
    return VerifiedClaims(
        issuer=get("iss", ""),
        subject=get("sub", ""),
        audiences=(audience,) if isinstance(audience, str) else tuple(audience),
        authorized_party=get("azp"),
        expires=get("exp"),
        issued_at=get("iat"),
        not_before=get("nbf"),
        claims=token.claims,
        key=key,
    )


def eligible_keys(token: UnverifiedToken, keys: Sequence[VerificationKey]) -> Sequence[VerificationKey]:
    """Those of an issuer's keys that may prove `token`: of its `kid`, or the only one when it names none."""
    kid = token.kid
    return [key for key in keys if key.kid == kid] or (keys if not kid and len(keys) == 1 else ())


def _no_key(kid: str, published: int) -> InvalidIdentityToken:
    missing = "the token's key id is not among the issuer's keys"
    return InvalidIdentityToken(
        KEYS_NOT_RETRIEVED,
        cause=missing if kid else f"the token names no key id, and the issuer publishes {published} keys",
        fix="check that the issuer's JWKS publishes the key that signs, on every replica",
    )


def _not_proved(alg: str, candidates: Sequence[VerificationKey]) -> InvalidIdentityToken:
    if any(key.accepts(alg) for key in candidates):
        cause, fix = f"the signature does not fit the issuer's key of that id with `{alg}`", "send it as it was signed"
    else:
        of_key = ", ".join(f"`{key.alg or 'RS256, RS384 or RS512'}`" for key in candidates[:5])
        cause = f"the token is signed with `{alg}`, and the issuer's key of that id is for {of_key}"
        fix = "sign with the algorithm that the issuer's JWKS names for the key, or name none there"
    return InvalidIdentityToken(NOT_VALIDATED, cause=cause, fix=fix)


def issue(claims: Mapping[str, object], key: SigningKey) -> str:
    """A signed token with the header that kube-apiserver writes: `alg` and `kid`."""
    head = base64url_encode(_compact({"alg": key.alg, "kid": key.kid}))
    body = base64url_encode(_compact(claims))
    return f"{head}.{body}.{base64url_encode(key.signature(f'{head}.{body}'.encode()))}"


@lru_cache(maxsize=256)
def _header(encoded: str) -> Mapping[str, Any]:
    """The header of its text, checked: an issuer writes one for all tokens of a key.

    Raises:
        ValueError, InvalidIdentityToken: as `UnverifiedToken.parse`, and nothing is remembered then.
    """
    header = parse_object(base64url_decode(encoded))
    _check_header(header)
    return MappingProxyType(header)


def _compact(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def _check_header(header: dict[str, Any]) -> None:
    alg, typ, kid = header.get("alg"), header.get("typ", "JWT"), header.get("kid", "")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise _malformed(f"the header's `alg` is none of {', '.join(ALGORITHMS)}")
    if not isinstance(typ, str) or typ.upper() != "JWT":
        raise _malformed("the header's `typ` is not `JWT`")
    if not isinstance(kid, str):
        raise _malformed("the header's `kid` is not a string")
    unsupported = sorted({"crit", "b64", "cty", "enc", "zip"} & set(header))
    if unsupported:
        raise _malformed(f"the header has `{unsupported[0]}`, which an ID token does not")


def _check_claims(claims: dict[str, Any]) -> None:
    if not _well_formed(claims):
        _refuse_claims(claims)


def _well_formed(claims: dict[str, Any]) -> bool:
    """What `_refuse_claims` finds no fault with, in a fifth of its time."""
    get = claims.get
    expires, not_before, issued, audience = get("exp", 0), get("nbf", 0), get("iat", 0), get("aud", [])
    audiences = [audience] if type(audience) is str else audience
    try:
        texts = "".join([get("iss", ""), get("sub", ""), get("azp", ""), get("jti", ""), get("nonce", ""), *audiences])
    except TypeError:  # one is no string
        return False
    return (
        texts.isprintable()
        and type(expires) is type(not_before) is type(issued) is int
        and min(expires, not_before, issued) >= 0
        and max(expires, not_before, issued) <= _LAST_SECOND
        and type(audiences) is list
        and all(audiences)
    )


def _refuse_claims(claims: dict[str, Any]) -> None:
    for name in _STRINGS:
        value = claims.get(name, "")
        if not isinstance(value, str) or not value.isprintable():
            raise _malformed(f"the claim `{name}` is not a string of printable characters")
    for name in _TIMES:
        value = claims.get(name, 0)
        if type(value) is not int or not 0 <= value <= _LAST_SECOND:
            raise _malformed(f"the claim `{name}` is not a whole number of seconds since 1970")
    audience = claims.get("aud", [])
    values = [audience] if isinstance(audience, str) else audience
    if not isinstance(values, list) or not all(isinstance(one, str) and one and one.isprintable() for one in values):
        raise _malformed("the claim `aud` is neither a string nor a list of strings")


def _malformed(cause: str) -> InvalidIdentityToken:
    return InvalidIdentityToken(
        NOT_A_JWT, cause=cause, fix="send the ID token itself: the content of AWS_WEB_IDENTITY_TOKEN_FILE"
    )
