"""JSON and base64url as a verifier must read them: one spelling, one meaning, bounded."""

import base64
import binascii
import json
from typing import Any, NoReturn

import msgspec

_PADDING = ("", "!", "==", "=")
_CANONICAL_ENDS = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


def base64url_decode(text: str) -> bytes:
    """RFC 7515 base64url without padding, whose last character carries no stray bits.

    Raises:
        ValueError: any other spelling.
    """
    over = len(text) % 4
    if "+" in text or "/" in text or "=" in text:  # base64's own, which mean something to what reads it below
        raise ValueError("not base64url without padding")
    try:
        decoded = binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + _PADDING[over], strict_mode=True)
    except ValueError:
        raise ValueError("not base64url without padding") from None
    if over and text[-1] not in _CANONICAL_ENDS[over]:
        raise ValueError("the last base64url character carries stray bits")
    return decoded


def base64url_encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parse_object(data: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, every name once at every level, numbers finite, strings valid Unicode.

    Raises:
        ValueError: anything else; the text never repeats the input.
    """
    plain = _spelled_once(data)
    if plain is not None:
        return plain
    try:
        text = data.decode("utf-8")
        document = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except _StrictnessError as error:
        raise ValueError(str(error)) from None
    except (ValueError, RecursionError):
        # the parser's own words may quote the input
        raise ValueError("not a JSON object in UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one error for every malformation
    return document


def _spelled_once(data: bytes) -> dict[str, Any] | None:
    """The object, when writing it again gives the same bytes, as it does for what issuers write.

    Then nothing is said twice (a member would be missing), no number or string is spelled oddly, and every byte is of
    UTF-8: the strict reader, three times slower, would read the same. It reads all else.
    """
    try:
        document = msgspec.json.decode(data)
        return document if type(document) is dict and msgspec.json.encode(document) == data else None
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        return None


class _StrictnessError(ValueError):
    """What JSON allows and a verifier does not."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _StrictnessError("a member of a JSON object is given twice")
    return document


def _no_constant(_: str) -> NoReturn:
    raise _StrictnessError("NaN and Infinity are no JSON numbers")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise _StrictnessError("a number is too large")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_each_once, parse_constant=_no_constant, parse_float=_finite)
