"""CBOR as the Smithy RPC v2 protocol uses it: maps with text keys, lists, texts, bytes, numbers, tag 1 for times. Pure.

cbor2 reads and writes it; what it would take beyond the protocol (other tags, simple values, keys) is refused here.
Source: RFC 8949; Smithy, "AWS Smithy RPC v2 CBOR protocol".
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import cbor2

HEADERS = (("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor"))
_DEEPEST = 64


class NotCbor(ValueError):
    """The bytes are no CBOR, or hold what the protocol has no use for."""


class Epoch(float):
    """A time to be written: seconds since 1970."""

    __slots__ = ()


def loads(content: bytes) -> Any:
    """The one value of `content`; a time is its seconds, an undefined value None.

    Raises:
        NotCbor: broken, nested too deeply, outside the protocol, or with bytes left over.
    """
    rest = BytesIO(content)
    try:
        value = cbor2.CBORDecoder(
            rest, semantic_decoders=_TAGS, max_depth=_DEEPEST, allow_duplicate_keys=False, read_size=1
        ).decode()
    except cbor2.CBORDecodeError as error:
        raise NotCbor(f"{error}: {error.__cause__}" if error.__cause__ else str(error)) from error
    if rest.tell() != len(content):
        raise NotCbor("there are bytes after the value")
    return _of_the_protocol(value)


def _of_the_protocol(value: Any) -> Any:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise NotCbor("a map's keys are texts")
        return {key: _of_the_protocol(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_of_the_protocol(item) for item in value]
    if isinstance(value, cbor2.CBORSimpleValue):
        raise NotCbor("a simple value that is not part of the protocol")
    return None if value is cbor2.undefined else value


def _seconds(value: Any, _immutable: bool) -> float:  # noqa: FBT001 - cbor2 calls it so
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotCbor("a time is a number of seconds")
    return value


def _refused(_value: Any, _immutable: bool) -> Any:  # noqa: FBT001 - cbor2 calls it so
    raise NotCbor("a tag other than 1, a time, is not part of the protocol")


class _Tags(dict[int, Callable[[Any, bool], Any]]):
    """cbor2 falls back to decoders of its own (dates, fractions, cycles) for every tag that it does not find here."""

    def __missing__(self, _tag: int) -> Callable[[Any, bool], Any]:
        return _refused


_TAGS = _Tags({1: _seconds})


def dumps(value: Any) -> bytes:
    """`value` of dictionaries, lists, str, bytes, numbers, bool, None and Epoch."""
    return cbor2.dumps(value, encoders={Epoch: lambda encoder, time: encoder.encode_semantic(1, float(time))})
