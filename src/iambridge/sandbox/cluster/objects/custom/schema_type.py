"""A schema as the type that patches, server-side apply and managedFields walk by.

Source: apiextensions-apiserver's published OpenAPI, kube-openapi pkg/schemaconv.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects.types import DEDUCED, Field, Type, type_of

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_SCALARS = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool"}


def root_type(schema: Mapping[str, Any], kind: str) -> Type:
    """The type of a custom kind: its own fields, with apiVersion, kind and ObjectMeta."""
    return _struct({**schema, "x-kubernetes-embedded-resource": True}, kind, root=True)


def _struct(schema: Mapping[str, Any], name: str, *, root: bool = False, is_open: bool = False) -> Type:
    """Where unknown fields are preserved, apply takes them further down as well: pruning drops them then."""
    is_open = is_open or bool(schema.get(_PRESERVE))
    return Type(
        "struct",
        name=name,
        topology=schema.get("x-kubernetes-map-type") or "granular",
        open=is_open,
        custom=root,
        load=lambda: tuple(_fields(schema, name, is_open=is_open)),
    )


def _fields(schema: Mapping[str, Any], name: str, *, is_open: bool) -> list[Field]:
    fields = {
        key: Field(key, _type(below, f"{name}.{key}", is_open=is_open), pointer=True)
        for key, below in (schema.get("properties") or {}).items()
    }
    if schema.get("x-kubernetes-embedded-resource"):
        metadata = type_of("v1", "ConfigMap").fields["metadata"].type
        text = Type("string")
        fields["apiVersion"] = Field("apiVersion", text, pointer=True)
        fields["kind"] = Field("kind", text, pointer=True)
        fields["metadata"] = Field("metadata", metadata, pointer=True)
    return list(fields.values())


def _type(schema: Mapping[str, Any], name: str, *, is_open: bool) -> Type:
    is_open = is_open or bool(schema.get(_PRESERVE))
    if schema.get("x-kubernetes-int-or-string"):
        return Type("IntOrString", go="intstr.IntOrString")
    form = schema.get("type")
    if form == "array":
        items = schema.get("items")
        item = _type(items, name, is_open=is_open) if isinstance(items, Mapping) else DEDUCED
        return Type(
            "list",
            item=item,
            topology=schema.get("x-kubernetes-list-type") or "atomic",
            keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
        )
    if form in _SCALARS:
        formatted = form == "string" and schema.get("format", "") not in {"", "byte"}
        return Type("scalar" if formatted else _SCALARS[form])
    if form != "object":
        return DEDUCED
    if schema.get("properties") or schema.get("x-kubernetes-embedded-resource"):
        return _struct(schema, name, is_open=is_open)
    more = schema.get("additionalProperties")
    item = _type(more, name, is_open=is_open) if isinstance(more, Mapping) else DEDUCED
    return Type("map", item=item, topology=schema.get("x-kubernetes-map-type") or "granular")
