"""What a CustomResourceDefinition's schema may say, beyond being structural; and whether its defaults fit it.

Source: apiextensions-apiserver pkg/apis/apiextensions/validation (ValidateCustomResourceDefinitionOpenAPISchema) and
pkg/apiserver/schema/defaulting/validation.go.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.custom import embedded, structural, values
from iambridge.sandbox.cluster.objects.custom.list_types import in_order
from iambridge.sandbox.cluster.objects.custom.pruning import META, prune
from iambridge.sandbox.cluster.objects.field_error import FieldError

Schema = Mapping[str, Any]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_LIST_TYPES, _MAP_TYPES = ("atomic", "set", "map"), ("atomic", "granular")
_NO_CEL = "CEL rules are not evaluated by the embedded API server, and are not ignored either: remove them here"
_AT_ROOT = {
    "description": "Description", "type": "Type", "format": "Format", "title": "Title", "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum", "minimum": "Minimum", "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength", "minLength": "MinLength", "pattern": "Pattern", "maxItems": "MaxItems",
    "minItems": "MinItems", "uniqueItems": "UniqueItems", "multipleOf": "MultipleOf", "required": "Required",
    "items": "Items", "properties": "Properties", "externalDocs": "ExternalDocs", "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields", "x-kubernetes-validations": "XValidations",
}  # fmt: skip


def faults(schema: Schema, path: str, *, status: bool) -> list[FieldError]:
    """Everything wrong with a version's root schema; `status`: the version has the status subresource."""
    errors = _root(schema, path) if status else []
    if schema.get("nullable"):
        errors.append(field_error.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    if _convertible(schema):
        found = structural.faults(schema, path)
        errors += found or _defaults({**schema, "x-kubernetes-embedded-resource": True}, path)
    return errors + _walk(schema, path, root=True)


def _convertible(schema: Schema) -> bool:
    """Whether a schema says nothing that no structural one has a place for; what it says is refused by `_node`."""
    unplaced = (*_UNSUPPORTED, "$schema")
    if isinstance(schema.get("items"), list) or any(schema.get(name) not in (None, "", {}) for name in unplaced):
        return False
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        return False
    return all(_convertible(one) for _, one in (*structural.below(schema), *_junctors(schema)))


def _root(schema: Schema, path: str) -> list[FieldError]:
    """With the status subresource the schema of status stands for itself, so nothing around it may say more."""
    if schema.get("type") not in {None, "object"}:
        words = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        return [field_error.bad_value(f"{path}.type", schema["type"], words)]
    bounded = "additionalProperties"
    if all(name in _AT_ROOT or (name != bounded and value in (None, False)) for name, value in schema.items()):
        return []
    words = (
        f"only [{' '.join(_AT_ROOT.values())}] fields are allowed at the root of the schema if the status subresource"
        " is enabled"
    )
    return [field_error.bad_value(path, dict(schema), words)]


def _walk(
    schema: Schema, path: str, *, root: bool = False, meta: bool = False, no_default: str = ""
) -> list[FieldError]:
    """`meta`: inside of an object's metadata; `no_default`: why no default may stand here."""
    errors = _node(schema, path, meta=meta, no_default=no_default)
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    if more is not None and properties and more is not True:
        words = "additionalProperties and properties are mutual exclusive"
        errors.append(field_error.forbidden(f"{path}.additionalProperties", words))
    if isinstance(more, Mapping):
        reason = "inside additionalProperties applying to object metadata" if meta else no_default
        errors += _walk(more, f"{path}.additionalProperties", meta=meta, no_default=reason)
    for name, one in properties.items():
        here = f"{path}.properties[{name}]"
        of_meta = name in META and bool(root or schema.get("x-kubernetes-embedded-resource"))
        reason = f"in top-level {name}" if of_meta and root else no_default
        errors += _walk(one, here, meta=meta or of_meta, no_default=reason)
    for step, one in _junctors(schema):
        errors += _walk(one, path + step, meta=meta, no_default=no_default)
    if isinstance(schema.get("items"), Mapping):
        errors += _walk(schema["items"], f"{path}.items", meta=meta, no_default=no_default)
    return errors + _map_type(schema, path) + _list_type(schema, path)


def _junctors(schema: Schema) -> list[tuple[str, Schema]]:
    found = [("." + "not", schema["not"])] if isinstance(schema.get("not"), Mapping) else []
    for name in ("allOf", "oneOf", "anyOf"):
        found += [(f".{name}[{index}]", one) for index, one in enumerate(schema.get(name) or ())]
    return found


def _node(schema: Schema, path: str, *, meta: bool, no_default: str) -> list[FieldError]:
    errors = []
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        errors.append(field_error.not_supported(f"{path}.type", kind, _TYPES))
    if schema.get("default") is not None and no_default:
        errors.append(field_error.forbidden(f"{path}.default", f"must not be set {no_default}"))
    errors += [
        field_error.forbidden(f"{path}.{name}", f"{name} is not supported")
        for name in _UNSUPPORTED
        if schema.get(name) not in (None, "", {})
    ]
    if kind == "null":
        words = "type cannot be set to null, use nullable as an alternative"
        errors.append(field_error.forbidden(f"{path}.type", words))
    if isinstance(schema.get("items"), list):
        errors.append(field_error.forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if meta and schema.get("x-kubernetes-embedded-resource"):
        where = f"{path}.x-kubernetes-embedded-resource"
        errors.append(field_error.forbidden(where, "must not be used inside of resource meta"))
    if schema.get("uniqueItems"):
        words = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(field_error.forbidden(f"{path}.uniqueItems", words))
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        errors.append(field_error.bad_value(where, False, "must be true or undefined"))
    if schema.get("x-kubernetes-validations"):
        errors.append(field_error.forbidden(f"{path}.x-kubernetes-validations", _NO_CEL))
    return errors


def _must_be(kind: str, schema: Schema, path: str, why: str) -> list[FieldError]:
    found = schema.get("type")
    if found == kind:
        return []
    words = f"must be {kind} if {why} is specified"
    where = f"{path}.type"
    return [field_error.bad_value(where, found, words) if found else field_error.required(where, words)]


def _map_type(schema: Schema, path: str) -> list[FieldError]:
    found = schema.get("x-kubernetes-map-type")
    if found is None:
        return []
    errors = _must_be("object", schema, path, "x-kubernetes-map-type")
    if found not in _MAP_TYPES:
        errors.append(field_error.not_supported(f"{path}.x-kubernetes-map-type", found, _MAP_TYPES))
    return errors


def _list_type(schema: Schema, path: str) -> list[FieldError]:
    found, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or []
    where = f"{path}.x-kubernetes-list-type"
    errors = []
    if found is not None:
        errors += _must_be("array", schema, path, "x-kubernetes-list-type")
        if found not in _LIST_TYPES:
            errors.append(field_error.not_supported(where, found, _LIST_TYPES))
    if keys and found != "map":
        words = "must be map if x-kubernetes-list-map-keys is non-empty"
        errors.append(field_error.bad_value(where, found, words) if found else field_error.required(where, words))
    items = schema.get("items")
    if found == "map":
        errors += _keyed(schema, keys, path)
    if found == "set" and isinstance(items, Mapping):
        errors += _set_of(items, path)
    if found in {"map", "set"} and isinstance(items, Mapping) and items.get("nullable"):
        words = f"cannot be nullable when x-kubernetes-list-type is {found}"
        errors.append(field_error.forbidden(f"{path}.items.nullable", words))
    return errors


def _set_of(items: Schema, path: str) -> list[FieldError]:
    words = "must be atomic as item of a list with x-kubernetes-list-type=set"
    kind, map_type = items.get("x-kubernetes-list-type"), items.get("x-kubernetes-map-type")
    if items.get("type") == "array" and kind not in {None, "atomic"}:
        return [field_error.bad_value(f"{path}.items.x-kubernetes-list-type", kind, words)]
    if items.get("type") == "object" and map_type != "atomic":
        return [field_error.bad_value(f"{path}.items.x-kubernetes-map-type", map_type, words)]
    return []


def _keyed(schema: Schema, keys: list[str], path: str) -> list[FieldError]:
    where, items = f"{path}.x-kubernetes-list-map-keys", schema.get("items")
    errors = []
    if not keys:
        errors.append(field_error.required(where, "must not be empty if x-kubernetes-list-type is map"))
    if not isinstance(items, Mapping):
        words = "must have a schema if x-kubernetes-list-type is map"
        return [*errors, field_error.required(f"{path}.items", words)]
    if items.get("type") != "object":
        words = "must be object if parent array's x-kubernetes-list-type is map"
        return [*errors, field_error.bad_value(f"{path}.items.type", items.get("type", ""), words)]
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        below = properties.get(key)
        if below is None:
            errors.append(field_error.bad_value(where, keys, "entries must all be names of item properties"))
            continue
        of_key = f"{path}.items.properties[{key}]"
        if below.get("type") in {"array", "object"}:
            words = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.append(field_error.bad_value(f"{of_key}.type", items["type"], words))
        if key in keys[:index]:
            errors.append(field_error.bad_value(where, keys, "must not contain duplicate entries"))
        errors += _key(key, below, key in (items.get("required") or ()), of_key)
    return errors


def _key(key: str, schema: Schema, required: bool, path: str) -> list[FieldError]:  # noqa: FBT001  # a fact, not a mode
    del key
    errors = []
    words = "this property is in x-kubernetes-list-map-keys, so it"
    if not required and schema.get("default") is None:
        errors.append(field_error.required(f"{path}.default", f"{words} must have a default or be a required property"))
    if schema.get("nullable"):
        errors.append(field_error.forbidden(f"{path}.nullable", f"{words} cannot be nullable"))
    return errors


def _of_any_type(schema: Schema) -> Schema:
    """The schema less x-kubernetes-int-or-string, by which Kubernetes does not judge defaults."""
    out = {name: value for name, value in schema.items() if name != "x-kubernetes-int-or-string"}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            out[name] = _of_any_type(schema[name])
    if schema.get("properties"):
        out["properties"] = {name: _of_any_type(one) for name, one in schema["properties"].items()}
    return out


def _defaults(schema: Schema, path: str) -> list[FieldError]:
    """Every default has to fit its own schema, and to survive pruning; metadata's defaults are refused elsewhere."""
    errors: list[FieldError] = []
    found, where = schema.get("default"), f"{path}.default"
    if found is not None:
        wrapped = {"properties": {"default": schema}}
        if prune({"default": found}, wrapped, nulls=True)[0] != {"default": found}:
            errors.append(field_error.bad_value(where, in_order(found), "must not have unknown fields"))
        inner = embedded.faults(found, schema, where)
        errors += inner or values.validate(found, _of_any_type(schema), prefix=where)
    of_meta = {f".properties[{name}]" for name in META} if schema.get("x-kubernetes-embedded-resource") else set()
    for step, one in structural.below(schema):
        if step not in of_meta and step != ".additionalProperties":
            errors += _defaults(one, path + step)
    return errors
