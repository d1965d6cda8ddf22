"""The OpenAPI v3 definitions of a custom kind. Source: apiextensions-apiserver pkg/controller/openapi/builder."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects.custom.version import CustomVersion

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_TEXTS = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object. Servers should convert"
    " recognized schemas to the latest internal value, and may reject unrecognized values. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
    "kind": "Kind is a string value representing the REST resource this object represents. Servers may infer this from"
    " the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
    "metadata": "Standard object's metadata. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
}
_LIST_METADATA = (
    "Standard list metadata. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def definition_name(version: CustomVersion) -> str:
    """`com.example.v1.Widget`."""
    return ".".join((*reversed(version.group.split(".")), version.version, version.kind))


def definitions_of(version: CustomVersion, list_kind: str, plural: str) -> dict[str, dict[str, Any]]:
    """The kind's definition and its list's, by name, as /openapi/v3 has them."""
    name = definition_name(version)
    own = _embedded(_own(version.schema) if version.schema else {"type": "object"})
    list_name = name.removesuffix(version.kind) + list_kind
    listed = {
        "type": "object",
        "description": f"{list_kind} is a list of {version.kind}",
        "required": ["items"],
        "properties": {
            **_type_meta(),
            "items": {
                "description": f"List of {plural}. More info:"
                " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md",
                "type": "array",
                "items": _reference(name),
            },
            "metadata": {"description": _LIST_METADATA, "allOf": [_reference(f"{_META}.ListMeta")]},
        },
    }
    return {name: _of_kind(own, version, version.kind), list_name: _of_kind(listed, version, list_kind)}


def _of_kind(schema: dict[str, Any], version: CustomVersion, kind: str) -> dict[str, Any]:
    return {
        **schema,
        "x-kubernetes-group-version-kind": [{"group": version.group, "version": version.version, "kind": kind}],
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _type_meta() -> dict[str, Any]:
    return {name: {"description": _TEXTS[name], "type": "string"} for name in ("apiVersion", "kind")}


def _embedded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with apiVersion, kind and metadata as every object has them."""
    metadata = {"description": _TEXTS["metadata"], "allOf": [_reference(f"{_META}.ObjectMeta")]}
    return {**schema, "properties": {**(schema.get("properties") or {}), **_type_meta(), "metadata": metadata}}


def _own(schema: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(schema)
    if schema.get("properties"):
        out["properties"] = {name: _own(one) for name, one in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            out[name] = _own(schema[name])
    if schema.get("x-kubernetes-int-or-string") and "anyOf" not in schema and "allOf" not in schema:
        out["anyOf"] = _INT_OR_STRING
    if schema.get("x-kubernetes-embedded-resource"):
        out = _embedded(out)
        required = schema.get("required") or ()
        out["required"] = [*required, *(name for name in ("kind", "apiVersion") if name not in required)]
    return out
