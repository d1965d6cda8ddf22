"""CBOR as the Smithy RPC v2 protocol uses it: maps with text keys, lists, texts, bytes, numbers, and times as tag 1.

Source: RFC 8949; Smithy, "AWS Smithy RPC v2 CBOR protocol".
"""

import struct
from typing import Any, NamedTuple

HEADERS = (("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor"))
_DEEPEST = 64
_BREAK = object()
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE = {20: False, 21: True, 22: None, 23: None}


class Epoch(NamedTuple):
    """A time to be written: seconds since 1970."""

    seconds: float


class NotCbor(ValueError):
    """The bytes are no CBOR, or hold what the protocol has no use for."""


def loads(content: bytes) -> Any:
    """The one value of `content`; a time is its seconds.

    Raises:
        NotCbor: broken, nested too deeply, or with bytes left over.
    """
    reader = _Reader(content)
    try:
        value = reader.value(0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise NotCbor("the bytes end early, or a text is not UTF-8") from error
    if value is _BREAK or reader.position != len(content):
        raise NotCbor("there are bytes after the value")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def _take(self, size: int) -> bytes:
        found = self._content[self.position : self.position + size]
        if len(found) != size:
            raise IndexError
        self.position += size
        return found

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise NotCbor("the value is nested too deeply")
        head = self._take(1)[0]
        major, info = head >> 5, head & 31
        if major == 7:
            return self._simple(info)
        size = None if info == 31 else self._size(info)
        if size is None and major in {0, 1, 6}:
            raise NotCbor("a number or a tag has no end")
        if major in {0, 1}:
            assert size is not None
            return size if major == 0 else -1 - size
        if major in {2, 3}:
            found = self._take(size) if size is not None else self._pieces(major, depth)
            return found.decode() if major == 3 else found
        if major == 4:
            return list(self._items(size, depth))
        if major == 5:
            return self._map(size, depth)
        tagged = self.value(depth + 1)
        if size != 1 or isinstance(tagged, bool) or not isinstance(tagged, int | float):
            raise NotCbor("a tag other than 1, a time, is not part of the protocol")
        return tagged

    def _size(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise NotCbor("a length of no known form")
        return int.from_bytes(self._take(1 << (info - 24)))

    def _simple(self, info: int) -> Any:
        if info == 31:
            return _BREAK
        if info in _FLOATS:
            return struct.unpack(_FLOATS[info], self._take(struct.calcsize(_FLOATS[info])))[0]
        if info not in _SIMPLE:
            raise NotCbor("a simple value that is not part of the protocol")
        return _SIMPLE[info]

    def _pieces(self, major: int, depth: int) -> bytes:
        found = b""
        for piece in self._items(None, depth):
            found += piece.encode() if major == 3 else piece
        return found

    def _items(self, size: int | None, depth: int) -> Any:
        count = 0
        while size is None or count < size:
            item = self.value(depth + 1)
            if item is _BREAK:
                if size is None:
                    return
                raise NotCbor("a break where a value should be")
            yield item
            count += 1

    def _map(self, size: int | None, depth: int) -> dict[str, Any]:
        flat = list(self._items(None if size is None else 2 * size, depth))
        keys = flat[::2]
        if len(flat) % 2 or not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise NotCbor("a map's keys are texts, each once")
        return dict(zip(keys, flat[1::2], strict=True))


def dumps(value: Any) -> bytes:
    """`value` of dictionaries, lists, str, bytes, numbers, bool, None and Epoch."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, Epoch):
        return b"\xc1" + dumps(float(value.seconds))
    if isinstance(value, int) and -(1 << 64) <= value < 1 << 64:
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, int | float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if isinstance(value, list | tuple):
        return _head(4, len(value)) + b"".join(map(dumps, value))
    assert isinstance(value, dict)
    return _head(5, len(value)) + b"".join(dumps(str(key)) + dumps(item) for key, item in value.items())


def _head(major: int, size: int) -> bytes:
    if size < 24:
        return bytes([major << 5 | size])
    for info, length in ((24, 1), (25, 2), (26, 4)):
        if size < 1 << 8 * length:
            return bytes([major << 5 | info]) + size.to_bytes(length)
    return bytes([major << 5 | 27]) + size.to_bytes(8)
