"""CBOR by the examples of RFC 8949, appendix A, and by what must be refused."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.sandbox.aws.cbor import Epoch, NotCbor, dumps, loads

EXAMPLES: list[tuple[str, Any]] = [
    ("00", 0),
    ("1818", 24),
    ("1903e8", 1000),
    ("1a000f4240", 1000000),
    ("1b000000e8d4a51000", 1000000000000),
    ("20", -1),
    ("3903e7", -1000),
    ("f93c00", 1.0),
    ("fa47c35000", 100000.0),
    ("fb3ff199999999999a", 1.1),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("f7", None),
    ("c11a514b67b0", 1363896240),
    ("c1fb41d452d9ec200000", 1363896240.5),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("6449455446", "IETF"),
    ("62c3bc", "ü"),
    ("83010203", [1, 2, 3]),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
    ("7f657374726561646d696e67ff", "streaming"),
    ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
    ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
]


@pytest.mark.parametrize(("encoded", "value"), EXAMPLES, ids=[encoded for encoded, _ in EXAMPLES])
def test_the_examples_of_the_rfc(encoded: str, value: Any) -> None:
    assert loads(bytes.fromhex(encoded)) == value


REFUSED = [
    "",
    "18",
    "ff",
    "0000",
    "62c328",
    "a10101",
    "a2616101616102",
    "c001",
    "c161",
    "c1f5",
    "1f",
    "df01",
    "1c",
    "f8",
]
REFUSED += ["83ff", "bf6161ff", "5f6161ff", "81" * 100 + "00", "9b7fffffffffffffff", "f0", "f8ff"]
# pieces of a text without a length: a number, bytes, a text without a length, half a character
REFUSED += ["7f00", "7f4161ff", "7f7f6161ffff", "7f61c361bcff"]
# a bignum, a cycle, a date, CBOR's own mark
REFUSED += ["c249010000000000000000", "d81c81d81d00", "d8641864", "d9d9f700"]


@pytest.mark.parametrize("encoded", REFUSED)
def test_what_the_protocol_has_no_use_for_is_refused(encoded: str) -> None:
    with pytest.raises(NotCbor):
        loads(bytes.fromhex(encoded))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read(value: Any) -> None:
    assert loads(dumps(value)) == value


@given(st.binary(max_size=64))
def test_garbage_is_a_value_or_refused(content: bytes) -> None:
    with contextlib.suppress(NotCbor):
        loads(content)


def test_a_time_is_written_with_its_tag() -> None:
    assert dumps(Epoch(1363896240.5)).hex() == "c1fb41d452d9ec200000"
