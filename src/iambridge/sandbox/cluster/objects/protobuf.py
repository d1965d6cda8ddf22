"""Kubernetes' protobuf request bodies, read into the same JSON objects that a JSON body gives.

kubectl 1.32 and later sends these for its typed commands and does not fall back. A field number that our table does not
know is an error, since dropping it would lose what the caller asked for. Source: apimachinery
pkg/runtime/serializer/protobuf (envelope) and pkg/runtime/generated.proto (runtime.Unknown).
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.types import Field, Type, UnknownKind, type_of

MAGIC = b"k8s\0"
_MAX_DEPTH = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def decode(body: bytes) -> dict[str, Any]:
    """The object of one enveloped message, with its apiVersion and kind.

    Raises:
        BadRequest: not the envelope, an unknown kind, an unknown field number (both named), or a torn message.
    """
    if not body.startswith(MAGIC):
        raise BadRequest("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = ""
    raw = b""
    for number, _, value in _records(body[len(MAGIC) :], "runtime.Unknown"):
        if number == 1:
            meta = {inner: _text(one, "runtime.TypeMeta") for inner, _, one in _records(value, "runtime.TypeMeta")}
            api_version, kind = meta.get(1, ""), meta.get(2, "")
        elif number == 2:
            raw = value
        elif number == 3 and value:
            raise BadRequest(f"protobuf content encoding {value!r} is not supported")
    try:
        type_ = type_of(api_version, kind)
    except UnknownKind as error:
        raise BadRequest(f"{error}, so its protobuf body cannot be read") from None
    message = {"apiVersion": api_version, "kind": kind, **_message(raw, type_, kind, 0)}
    return conform(message, type_).object


def _fault(where: str, why: str) -> BadRequest:
    return BadRequest(f"cannot read the protobuf body: {where}: {why}")


def _varint(data: bytes, position: int, where: str) -> tuple[int, int]:
    result = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & (2**64 - 1), position
        shift += 7
    raise _fault(where, "unexpected end of a varint")


def _records(data: Any, where: str) -> Iterator[tuple[int, int, Any]]:
    """(field number, wire type, value): an int for varints, bytes for everything else."""
    if not isinstance(data, bytes):
        raise _fault(where, "a message was expected, a number was sent")
    position = 0
    while position < len(data):
        tag, position = _varint(data, position, where)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position, where)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, position = _varint(data, position, where)
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
        else:
            raise _fault(where, f"wire type {wire} of field {number} is not supported")
        if position + size > len(data):
            raise _fault(where, f"field {number} is longer than the message")
        yield number, wire, data[position : position + size]
        position += size


def _text(value: Any, where: str) -> str:
    if not isinstance(value, bytes):
        raise _fault(where, "a string was expected, a number was sent")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _fault(where, "a string is not UTF-8") from None


def _message(data: bytes, kind: Type, where: str, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise _fault(where, "nested too deep")
    out: dict[str, Any] = {}
    for number, wire, value in _records(data, where):
        field = kind.numbered.get(number)
        if field is None:
            raise _fault(where, f"{kind.struct_name} has no field number {number} in the API versions known here")
        if field.inline:
            out |= _message(value, field.type, where, depth + 1)
        else:
            _set(out, field, wire, value, f"{where}.{field.name}", depth)
    return out


def _set(  # noqa: PLR0917  # one record of the wire, and where it goes
    out: dict[str, Any], field: Field, wire: int, value: Any, where: str, depth: int
) -> None:
    kind = field.type
    if kind.form == "list":
        items = out.setdefault(field.name, [])
        if wire == _BYTES and kind.item.form in {"int32", "int64"}:
            items.extend(_packed(value, where))
        else:
            items.append(_value(value, kind.item, where, depth))
    elif kind.form == "map":
        key, item = _entry(value, kind.item, where, depth)
        out.setdefault(field.name, {})[key] = item
    else:
        out[field.name] = _value(value, kind, where, depth)


def _packed(data: bytes, where: str) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position, where)
        yield _signed(value)


def _entry(data: bytes, kind: Type, where: str, depth: int) -> tuple[str, Any]:
    key, value = "", None
    for number, _, one in _records(data, where):
        if number == 1:
            key = _text(one, where)
        elif number == 2:
            value = _value(one, kind, where, depth)
    return key, value


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _value(value: Any, kind: Type, where: str, depth: int) -> Any:
    form = kind.form
    if form == "struct":
        return _message(value, kind, where, depth + 1)
    if form == "string":
        return _text(value, where)
    if form in {"int32", "int64", "bool"}:
        if not isinstance(value, int):
            raise _fault(where, "a number was expected")
        return bool(value) if form == "bool" else _signed(value)
    if form == "bytes":
        if not isinstance(value, bytes):
            raise _fault(where, "bytes were expected, a number was sent")
        return base64.b64encode(value).decode()
    if form in {"Items", "list"}:
        # a list that is a map's value has a message of its own, with its items in field 1
        return [_value(one, kind.item, where, depth + 1) for number, _, one in _records(value, where) if number == 1]
    return _special(value, form, where)


def _special(value: Any, form: str, where: str) -> Any:
    parts = {number: one for number, _, one in _records(value, where)}
    if form in {"Time", "MicroTime"}:
        return _moment(_signed(parts.get(1, 0)), parts.get(2, 0), form, where)
    if form == "Quantity":
        return _text(parts.get(1, b"0"), where)
    if form == "IntOrString":
        return _text(parts.get(3, b""), where) if parts.get(1, 0) else _signed(parts.get(2, 0))
    if form in {"RawExtension", "FieldsV1"}:
        raw = parts.get(1, b"")
        try:
            return msgspec.json.decode(raw) if raw else None
        except msgspec.DecodeError:
            raise _fault(where, "the raw value is not JSON") from None
    raise _fault(where, f"{form} is not readable from protobuf")


def _moment(seconds: int, nanos: int, form: str, where: str) -> str | None:
    if not seconds and not nanos:
        return None
    try:
        moment = _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError:
        raise _fault(where, "the time is out of range") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if form == "MicroTime" else "%Y-%m-%dT%H:%M:%SZ")
