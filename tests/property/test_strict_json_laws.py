"""The quick reader of tokens reads what the strict one reads, and nothing else."""

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.core.service_account_token import strict_json

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_objects = st.dictionaries(st.text(max_size=8), _values, max_size=6)
_unescaped = partial(json.dumps, ensure_ascii=False)
_members = st.lists(
    st.tuples(st.sampled_from(["iss", "sub", "a", "\\u0061"]), st.sampled_from(
        ["1", "-0", "1.0", "1e5", "1E999", "NaN", "0.1", "12345678901234567890123", '"x"', '"\\u0041"', '"\\ud800"', '"\\/"', "[]", "{}"]
    )), max_size=4,
)  # fmt: skip


def _strictly(data: bytes) -> dict[str, Any] | None:
    """By the standard library alone, each name once, as `parse_object` promises."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    def refuse(_: str) -> Any:
        raise ValueError("constant")

    def finite(text: str) -> float:
        if abs(float(text)) == float("inf"):
            raise ValueError("infinite")
        return float(text)

    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse, parse_float=finite)
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _read(data: bytes) -> dict[str, Any] | None:
    try:
        return strict_json.parse_object(data)
    except ValueError:
        return None


def _same(one: object, other: object) -> bool:
    return repr(one) == repr(other)


@settings(max_examples=500)
@given(_objects, st.sampled_from([(",", ":"), (", ", ": ")]), st.sampled_from([json.dumps, _unescaped]))
def test_every_writing_of_an_object_reads_the_same(
    document: dict[str, Any], separators: tuple[str, str], dumps: Callable[..., str]
) -> None:
    data = dumps(document, separators=separators).encode("utf-8", "surrogatepass")
    assert _same(_read(data), _strictly(data))


@settings(max_examples=500)
@given(_members)
def test_odd_spellings_and_members_given_twice_read_as_strictly(members: list[tuple[str, str]]) -> None:
    data = ("{" + ",".join(f'"{name}":{value}' for name, value in members) + "}").encode()
    assert _same(_read(data), _strictly(data))


@settings(max_examples=500)
@given(st.binary(max_size=60))
def test_any_bytes_read_as_strictly(data: bytes) -> None:
    assert _same(_read(data), _strictly(data))


@settings(max_examples=500)
@given(
    st.text(alphabet="AQgwZz09-_+/=. \n\u00e9", max_size=12) | st.binary(max_size=40).map(strict_json.base64url_encode)
)
def test_base64url_has_one_spelling(text: str) -> None:
    """RFC 7515 section 2: base64url with all trailing '=' characters omitted and no other characters."""
    try:
        decoded = strict_json.base64url_decode(text)
    except ValueError:
        padded = text + "=" * (-len(text) % 4)
        written = re.fullmatch("[A-Za-z0-9_-]*", text) is not None and len(text) % 4 != 1
        assert not written or base64.urlsafe_b64encode(base64.urlsafe_b64decode(padded)).decode() != padded
    else:
        assert strict_json.base64url_encode(decoded) == text


@pytest.mark.parametrize("text", ["=", "A", "AB", "AA==", "AA+A", "AA/A", "A A", "AAA\n"])
def test_no_other_spelling_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        strict_json.base64url_decode(text)
