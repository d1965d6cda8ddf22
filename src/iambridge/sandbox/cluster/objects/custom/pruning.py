"""Drops what a structural schema does not know. Source: apiextensions-apiserver pkg/apiserver/schema/pruning."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects.conform import conformed_metadata

META = ("apiVersion", "kind", "metadata")
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_LARGEST_WHOLE = 1e15
_DROPPED: Any = object()


def prune(
    obj: Mapping[str, Any], schema: Mapping[str, Any], *, nulls: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The object without unknown fields, and the paths dropped; nulls that nothing allows or defaults go untold.

    apiVersion, kind and metadata at the root are left as they are. `nulls` keeps all nulls.

    Raises:
        BadRequest: the metadata of an embedded resource has a wrong type in it.
    """
    walk = _Walk(nulls=nulls)
    found: dict[str, Any] = walk.value(obj, {**schema, "x-kubernetes-embedded-resource": True}, "", root=True)
    return found, sorted(walk.dropped)


class _Walk:
    def __init__(self, *, nulls: bool) -> None:
        self.dropped: list[str] = []
        self._nulls = nulls

    def value(
        self, value: Any, schema: Mapping[str, Any] | None, path: str, *, keep: bool = False, root: bool = False
    ) -> Any:
        """`schema` is None where nothing is said; `keep` is set below a field that preserves unknown ones."""
        if isinstance(value, Mapping):
            return self._object(value, schema, path, keep=keep, root=root)
        if isinstance(value, list):
            items = schema.get("items") if schema else None
            inner = items if isinstance(items, Mapping) else None
            keep = keep or bool(schema and schema.get(_PRESERVE))
            return [self.value(one, inner, f"{path}[{index}]", keep=keep) for index, one in enumerate(value)]
        return _number(value)

    def _object(
        self, value: Mapping[str, Any], schema: Mapping[str, Any] | None, path: str, *, keep: bool, root: bool
    ) -> dict[str, Any]:
        out: dict[str, Any] = {}
        keep = keep or bool(schema and schema.get(_PRESERVE))
        for name, one in value.items():
            here = f"{path}.{name}" if path else name
            below, known = _field(schema, name)
            if schema and schema.get("x-kubernetes-embedded-resource") and name in META:
                out[name] = one if root else self._embedded_meta(name, one, here)
            elif not known and not keep:
                self.dropped.append(here)
            elif self._nulls or not _useless_null(one, below):
                # a field that is known is judged by its own schema again, below one that preserves unknown ones too
                out[name] = self.value(one, below, here, keep=keep and not known)
        return out

    def _embedded_meta(self, name: str, value: Any, path: str) -> Any:
        if name != "metadata" or not isinstance(value, Mapping):
            return value
        metadata, unknown = conformed_metadata(value, path)
        self.dropped += unknown
        return metadata


def _field(schema: Mapping[str, Any] | None, name: str) -> tuple[Mapping[str, Any] | None, bool]:
    """The schema of a field, and whether the schema around it knows the field."""
    if not schema:
        return None, False
    properties = schema.get("properties") or {}
    if name in properties:
        return properties[name], True
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        return more, True
    # true and false keep the field, and let no object below it keep any
    return None, more is not None


def _useless_null(value: Any, schema: Mapping[str, Any] | None) -> bool:
    return value is None and schema is not None and not schema.get("nullable") and schema.get("default") is None


def _number(value: Any) -> Any:
    """A whole number stays one however it is spelled: Go writes 1.0 as 1."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return int(value)
    return value
