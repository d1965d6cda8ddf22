"""Brings a decoded JSON object into the form that Go's decode and encode give it, and says what it dropped.

Wrong types are refused in Go's words, unknown fields are listed, nulls and zero values of `omitempty` fields go, and
structs that are not pointers are always there (`resources: {}`). Source: encoding/json, sigs.k8s.io/json, and
apiserver's endpoints/handlers.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects import quantity
from iambridge.sandbox.cluster.objects.types import Field, Type, type_of

_BOUNDS = {"int32": 2**31, "int64": 2**63, "int": 2**63, "uint8": 2**8}
_PYTHON_TYPES: dict[str, Any] = {
    "string": str,
    "bool": bool,
    "float64": int | float,
    "IntOrString": int | str,
    "FieldsV1": Mapping,
}
_LAYOUT = "2006-01-02T15:04:05Z07:00"
_MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"
_RFC3339 = re.compile(r"^\d{4}-\d\d-\d\d[T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
_NULL = {"list", "map", "bytes", "Time", "MicroTime", "RawExtension", "JSON", "SchemaOr", "Items", "FieldsV1"}


@dataclass(frozen=True, slots=True)
class Conformed:
    """`unknown` holds `unknown field "spec.foo"` for each field that was dropped, in the order met."""

    object: dict[str, Any]
    unknown: tuple[str, ...] = ()


def conform(obj: Mapping[str, Any], type: Type) -> Conformed:  # noqa: A002  # the field's own word
    """Judge `obj` by `type`.

    Raises:
        BadRequest: a value has the wrong JSON type, or is no quantity, time or base64.
    """
    walk = _Walk()
    try:
        value = walk.struct(obj, type, "")
    except _WrongType as error:
        raise _unhandled(obj.get("apiVersion"), obj.get("kind") or type.struct_name, str(error)) from None
    return Conformed(value, tuple(walk.unknown))


def conformed_metadata(
    metadata: Any, path: str, api_version: object = "", kind: object = ""
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """ObjectMeta on its own, as custom resources hold it at `path`; and the paths of its unknown fields.

    Raises:
        BadRequest: a value has the wrong JSON type.
    """
    walk = _Walk()
    try:
        found = walk.struct(metadata, type_of("v1", "ConfigMap").fields["metadata"].type, path)
    except _WrongType as error:
        raise _unhandled(api_version, kind, str(error)) from None
    if found.get("creationTimestamp", "") is None:
        del found["creationTimestamp"]
    return found, tuple(fault.removeprefix('unknown field "').removesuffix('"') for fault in walk.unknown)


def strict_error(api_version: str, kind: str, faults: Sequence[str]) -> BadRequest:
    """fieldValidation=Strict's refusal of unknown and duplicate fields."""
    return _unhandled(api_version, kind, f"strict decoding error: {', '.join(faults)}")


def _unhandled(api_version: object, kind: object, why: str) -> BadRequest:
    version = str(api_version or "").rpartition("/")[2]
    return BadRequest(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}', why=why)


class _WrongType(ValueError):  # caught in this module, never an answer
    pass


def _json_name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "number"
    if isinstance(value, float):
        return f"number {value}"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


class _Walk:
    def __init__(self) -> None:
        self.unknown: list[str] = []
        self._struct = ""
        self._names: list[str] = []

    def _wrong(self, value: Any, kind: Type, shown: str = "") -> _WrongType:
        if not self._names:
            return _WrongType(f"json: cannot unmarshal {_json_name(value)}{shown} into Go value of type {kind.go}")
        where = f"{self._struct}.{'.'.join(self._names)}"
        found = f"{_json_name(value)}{shown}"
        return _WrongType(f"json: cannot unmarshal {found} into Go struct field {where} of type {kind.go}")

    def struct(self, value: Any, kind: Type, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise self._wrong(value, kind)
        fields, found = kind.fields, dict[str, Any]()
        for name, inner in value.items():
            field = fields.get(name)
            if field is None:
                self.unknown.append(f'unknown field "{_join(path, name)}"')
            elif inner is not None:
                before, self._struct = self._struct, kind.struct_name
                self._names.append(name)
                found[name] = self.value(inner, field.type, _join(path, name))
                self._names.pop()
                self._struct = before
        out: dict[str, Any] = {}
        for name, field in fields.items():
            _keep(out, field, found.get(name))
        return out

    def value(self, value: Any, kind: Type, path: str) -> Any:
        form = kind.form
        if form == "struct":
            return self.struct(value, kind, path)
        if form == "SchemaOr":
            return self._schema_or(value, kind, path)
        if form in {"list", "Items"}:
            if not isinstance(value, list):
                raise self._wrong(value, kind)
            return [self._element(one, kind.item, f"{path}[{index}]") for index, one in enumerate(value)]
        if form == "map":
            if not isinstance(value, Mapping):
                raise self._wrong(value, kind)
            return {key: self._element(one, kind.item, _join(path, key)) for key, one in value.items()}
        return self._leaf(value, kind)

    def _schema_or(self, value: Any, kind: Type, path: str) -> Any:
        """A schema, or what may stand in its place. Go's decoder for it is not strict: unknown fields go untold."""
        if not isinstance(value, Mapping):
            return value
        told = list(self.unknown)
        found = self.struct(value, kind.item, path)
        self.unknown = told
        return found

    def _element(self, value: Any, kind: Type, path: str) -> Any:
        return zero(kind) if value is None else self.value(value, kind, path)

    def _leaf(self, value: Any, kind: Type) -> Any:
        form = kind.form
        if form in _BOUNDS:
            return self._integer(value, kind)
        if form == "bytes":
            return self._bytes(value, kind)
        if form in {"Time", "MicroTime"}:
            return self._time(value, kind)
        if form == "Quantity":
            return _quantity(value)
        wanted = _PYTHON_TYPES.get(form, object)
        # a JSON boolean is a number to Python
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool and wanted is not object):
            raise self._wrong(value, kind)
        return value

    def _integer(self, value: Any, kind: Type) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(value, kind)
        if isinstance(value, int) and not -_BOUNDS[kind.form] <= value < _BOUNDS[kind.form]:
            raise self._wrong(value, kind, f" {value}")
        if value != int(value) or not -_BOUNDS[kind.form] <= value < _BOUNDS[kind.form]:
            raise self._wrong(float(value) if isinstance(value, float) else value, kind)
        return int(value)

    def _bytes(self, value: Any, kind: Type) -> str:
        if isinstance(value, list) and all(type(one) is int and 0 <= one < 256 for one in value):
            return base64.b64encode(bytes(value)).decode()  # Go reads a list of numbers as bytes too
        if not isinstance(value, str):
            raise self._wrong(value, kind)
        try:
            base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
        except (binascii.Error, ValueError):
            bad = re.search(r"[^A-Za-z0-9+/\r\n]", value)
            raise _WrongType(f"illegal base64 data at input byte {bad.start() if bad else len(value)}") from None
        return value.replace("\n", "").replace("\r", "")

    def _time(self, value: Any, kind: Type) -> str:
        if not isinstance(value, str):
            raise self._wrong(value, kind)
        micro = kind.form == "MicroTime"
        layout = _MICRO_LAYOUT if micro else _LAYOUT
        if not _RFC3339.match(value):
            raise _WrongType(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')
        try:
            moment = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise _WrongType(f'parsing time "{value}": out of range') from None
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def _quantity(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _WrongType(quantity.WORDS)
    try:
        return quantity.canonical(str(value))
    except ValueError as error:
        raise _WrongType(str(error)) from None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def zero(kind: Type) -> Any:
    """Go's zero value of a type, as JSON."""
    if kind.form == "struct":
        out: dict[str, Any] = {}
        for field in kind.fields.values():
            _keep(out, field, None)
        return out
    if kind.form in _NULL:
        return None
    return {"string": "", "bool": False, "Quantity": "0", "IntOrString": 0}.get(kind.form, 0)


def _keep(out: dict[str, Any], field: Field, value: Any) -> None:
    if value is None:
        if field.pointer:
            if not field.omit_empty:
                out[field.name] = None
            return
        if field.omit_zero or (field.omit_empty and field.type.form not in {"struct", "Time", "MicroTime", "Quantity"}):
            return
        out[field.name] = zero(field.type)
        return
    if not field.pointer:
        if field.omit_empty and field.type.form != "struct" and value in ("", 0, False, [], {}):
            return
        if field.omit_zero and field.type.form == "struct" and value == zero(field.type):
            return
    out[field.name] = value
