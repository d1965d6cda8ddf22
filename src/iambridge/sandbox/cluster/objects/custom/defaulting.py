"""Fills in a schema's defaults. Source: apiextensions-apiserver pkg/apiserver/schema/defaulting/algorithm.go."""

import copy
from collections.abc import Mapping
from typing import Any


def default(value: Any, schema: Mapping[str, Any] | None) -> Any:
    """`value` with each absent field, and each null that may not be one, at its default; the value is not changed."""
    if schema is None:
        return value
    if isinstance(value, Mapping):
        properties = schema.get("properties") or {}
        more = schema.get("additionalProperties")
        more = more if isinstance(more, Mapping) else None
        out = {name: default(_or_default(one, properties.get(name, more)), properties.get(name, more))
               for name, one in value.items()}  # fmt: skip
        for name, below in properties.items():
            if name not in value and below.get("default") is not None:
                out[name] = default(copy.deepcopy(below["default"]), below)
        return out
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, Mapping):
            return [default(_or_default(one, items), items) for one in value]
    return value


def _or_default(value: Any, schema: Mapping[str, Any] | None) -> Any:
    if value is None and schema is not None and not schema.get("nullable"):
        return copy.deepcopy(schema.get("default"))
    return value
