"""JSON and base64url as a verifier must read them: one spelling, one meaning, bounded."""

import base64
import json
import re
from typing import Any, NoReturn

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def base64url_decode(text: str) -> bytes:
    """RFC 7515 base64url without padding, whose last character carries no stray bits.

    Raises:
        ValueError: any other spelling.
    """
    if _ALPHABET.fullmatch(text) is None or len(text) % 4 == 1:
        raise ValueError("not base64url without padding")
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(text) % 4 and base64url_encode(decoded) != text:
        raise ValueError("the last base64url character carries stray bits")
    return decoded


def base64url_encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parse_object(data: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, every name once at every level, numbers finite, strings valid Unicode.

    Raises:
        ValueError: anything else; the text never repeats the input.
    """
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
