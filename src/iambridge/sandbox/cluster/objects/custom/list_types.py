"""Lists of type set and map hold each item, or each key, once.

Source: apiextensions-apiserver pkg/apiserver/schema/listtype/validation.go.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from iambridge.sandbox.cluster.objects.field_error import FieldError, bad_value, duplicate


def faults(value: Any, schema: Mapping[str, Any] | None, path: str = "") -> list[FieldError]:
    if not schema:
        return []
    if isinstance(value, Mapping):
        return [error for name, one in value.items() for error in _field(name, one, schema, path)]
    return _list(value, schema, path) if isinstance(value, list) else []


def _field(name: str, value: Any, schema: Mapping[str, Any], path: str) -> list[FieldError]:
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    if name in properties:
        return faults(value, properties[name], f"{path}.{name}" if path else name)
    return faults(value, more, f"{path}[{name}]") if isinstance(more, Mapping) else []


def _list(value: list[Any], schema: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    match schema.get("x-kubernetes-list-type"):
        case "set":
            errors += [duplicate(f"{path}[{index}]", in_order(value[index])) for index in _repeated(value)]
        case "map":
            errors += _keyed(value, schema, path)
    items = schema.get("items")
    if isinstance(items, Mapping):
        for index, one in enumerate(value):
            errors += faults(one, items, f"{path}[{index}]")
    return errors


def _keyed(value: list[Any], schema: Mapping[str, Any], path: str) -> list[FieldError]:
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, Mapping):
            return [bad_value(f"{path}[{index}]", item, "must be an object for an array of list-type map")]
    names = schema.get("x-kubernetes-list-map-keys") or ()
    keys = [{name: item[name] for name in sorted(names) if name in item} if item else {} for item in value]
    return [duplicate(f"{path}[{index}]", keys[index]) for index in _repeated(keys)]


def in_order(value: Any) -> Any:
    """A value as Go shows it: fields by name."""
    if isinstance(value, Mapping):
        return {name: in_order(value[name]) for name in sorted(value)}
    return [in_order(one) for one in value] if isinstance(value, list) else value


def _repeated(items: list[Any]) -> list[int]:
    """Where an item stands for the second time."""
    seen: dict[bytes, int] = {}
    found = []
    for index, item in enumerate(items):
        text = msgspec.json.encode(item, order="deterministic")
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:
            found.append(index)
    return found
