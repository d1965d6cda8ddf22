"""Whether a schema is structural: every field has a type outside of allOf, anyOf, oneOf and not.

Source: apiextensions-apiserver pkg/apiserver/schema/validation.go and complete.go, whose words these are.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.custom.patterns import pattern_fault
from iambridge.sandbox.cluster.objects.field_error import FieldError

Schema = Mapping[str, Any]

_ROOT, _ITEM, _FIELD = "root", "item", "field"
_NO_TYPE = {
    _ROOT: "must not be empty at the root",
    _ITEM: "must not be empty for specified array items",
    _FIELD: "must not be empty for specified object fields",
}
_JUNCTORS = ("anyOf", "allOf", "oneOf")
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
# what a schema below a junctor must not say, and the words for it
_NOT_NESTED = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}


def faults(schema: Schema, path: str) -> list[FieldError]:
    """What keeps the root `schema`, which stands at `path`, from being structural; sorted as Kubernetes sorts them."""
    return sorted(_invariants(schema, _ROOT, path) + _incomplete(schema, schema, path, path), key=str)


def _of_property(path: str, name: str) -> str:
    return f"{path}.properties[{name}]"


def _properties(schema: Schema) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema.get("properties") or {}
    return found


def below(schema: Schema) -> Iterable[tuple[str, Schema]]:
    """The structural schemas directly below one, each with its path from there."""
    if isinstance(schema.get("items"), Mapping):
        yield ".items", schema["items"]
    for name, one in _properties(schema).items():
        yield f".properties[{name}]", one
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield ".additionalProperties", schema["additionalProperties"]


def _invariants(schema: Schema, level: str, path: str) -> list[FieldError]:
    errors = []
    if schema.get("type") == "array" and not isinstance(schema.get("items"), Mapping):
        errors.append(field_error.required(f"{path}.items", "must be specified"))
    for step, one in below(schema):
        errors += _invariants(one, _ITEM if step == ".items" else _FIELD, path + step)
    if level == _ROOT and "additionalProperties" in schema:
        errors.append(field_error.forbidden(f"{path}.additionalProperties", "must not be used at the root"))
    first = (schema.get("allOf") or [{}])[0]
    errors += _value_validation(
        schema,
        path,
        skip_any=schema.get("anyOf") == _INT_OR_STRING,
        skip_first=first.get("anyOf") == _INT_OR_STRING,
    )
    return errors + _extensions(schema, path) + _typing(schema, level, path) + _meta(schema, level, path)


def _extensions(schema: Schema, path: str) -> list[FieldError]:
    if not schema.get("x-kubernetes-int-or-string"):
        return []
    words = "must be false if x-kubernetes-int-or-string is true"
    return [
        field_error.bad_value(f"{path}.{name}", True, words)
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
        if schema.get(name)
    ]


def _typing(schema: Schema, level: str, path: str) -> list[FieldError]:
    kind, embedded = schema.get("type", ""), schema.get("x-kubernetes-embedded-resource")
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    errors = []
    words = "must be object if x-kubernetes-embedded-resource is true"
    if embedded and kind != "object":
        where = f"{path}.type"
        errors.append(field_error.bad_value(where, kind, words) if kind else field_error.required(where, words))
    elif not kind and not free:
        errors.append(field_error.required(f"{path}.type", _NO_TYPE[level]))
    if embedded and "additionalProperties" in schema:
        words = "must not be used if x-kubernetes-embedded-resource is set"
        errors.append(field_error.forbidden(f"{path}.additionalProperties", words))
    if level == _ROOT and kind and kind != "object":
        errors.append(field_error.bad_value(f"{path}.type", kind, "must be object at the root"))
    if embedded and not schema.get("x-kubernetes-preserve-unknown-fields") and not _properties(schema):
        words = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        errors.append(field_error.required(f"{path}.properties", words))
    return errors


def _meta(schema: Schema, level: str, path: str) -> list[FieldError]:
    """apiVersion, kind and metadata of the root and of embedded resources."""
    if level != _ROOT and not schema.get("x-kubernetes-embedded-resource"):
        return []
    errors = []
    for name, wanted in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        found = _properties(schema).get(name)
        if found is not None and found.get("type") != wanted:
            where = f"{_of_property(path, name)}.type"
            errors.append(field_error.bad_value(where, found.get("type", ""), f"must be {wanted}"))
    metadata = _properties(schema).get("metadata")
    if level == _ROOT and metadata is not None:
        said = {name for name, value in metadata.items() if value is not None} - {"type", "default"}
        if _properties(metadata).keys() <= {"name", "generateName"}:
            said.discard("properties")
        if said:
            words = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            errors.append(field_error.forbidden(_of_property(path, "metadata"), words))
    return errors


def _value_validation(
    schema: Schema, path: str, *, skip_any: bool = False, skip_first: bool = False
) -> list[FieldError]:
    errors = []
    for junctor in _JUNCTORS:
        if junctor == "anyOf" and skip_any:
            continue
        for index, one in enumerate(schema.get(junctor) or ()):
            skip = junctor == "allOf" and index == 0 and skip_first
            errors += _nested(one, f"{path}.{junctor}[{index}]", skip_any=skip)
    if isinstance(schema.get("not"), Mapping):
        errors += _nested(schema["not"], f"{path}.not")
    fault = pattern_fault(schema.get("pattern") or "")
    if fault:
        words = f"must be a valid regular expression, but isn't: {fault}"
        errors.append(field_error.bad_value(f"{path}.pattern", schema["pattern"], words))
    return errors


def _nested(schema: Schema, path: str, *, skip_any: bool = False) -> list[FieldError]:
    errors = _value_validation(schema, path, skip_any=skip_any)
    if isinstance(schema.get("items"), Mapping):
        errors += _nested(schema["items"], f"{path}.items")
    for name, one in _properties(schema).items():
        errors += _nested(one, _of_property(path, name))
    errors += [
        field_error.forbidden(f"{path}.{name}", words)
        for name, words in _NOT_NESTED.items()
        if schema.get(name) not in (None, False, "", [], {}) or (name == "additionalProperties" and name in schema)
    ]
    if "metadata" in _properties(schema):
        words = "must not be specified in a nested context"
        errors.append(field_error.forbidden(_of_property(path, "metadata"), words))
    return errors


def _incomplete(validation: Schema, schema: Schema | None, path: str, at: str) -> list[FieldError]:
    """What a junctor, at `at`, says of fields that the structural schema, at `path`, does not have."""
    errors = []
    for junctor in _JUNCTORS:
        for index, one in enumerate(validation.get(junctor) or ()):
            errors += _incomplete_nested(one, schema, path, f"{at}.{junctor}[{index}]")
    if isinstance(validation.get("not"), Mapping):
        errors += _incomplete_nested(validation["not"], schema, path, f"{at}.not")
    return errors


def _incomplete_nested(nested: Schema, schema: Schema | None, path: str, at: str) -> list[FieldError]:
    if schema is None:
        return [field_error.required(path, f"because it is defined in {at}")]
    errors = _incomplete(nested, schema, path, at)
    if isinstance(nested.get("items"), Mapping):
        items = schema.get("items") if isinstance(schema.get("items"), Mapping) else None
        errors += _incomplete_nested(nested["items"], items, f"{path}.items", f"{at}.items")
    for name, one in _properties(nested).items():
        errors += _incomplete_nested(
            one, _properties(schema).get(name), _of_property(path, name), _of_property(at, name)
        )
    return errors
