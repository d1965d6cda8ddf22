"""Validation of the apiVersion, kind and metadata of embedded resources.

Source: apiextensions-apiserver pkg/apiserver/schema/objectmeta/validation.go.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import names, object_meta
from iambridge.sandbox.cluster.objects.field_error import FieldError, bad_value, required


def faults(value: Any, schema: Mapping[str, Any] | None, path: str = "") -> list[FieldError]:
    """What is wrong in the embedded resources of `value`, which is the root and none itself."""
    if not schema:
        return []
    errors: list[FieldError] = []
    if isinstance(value, Mapping):
        if schema.get("x-kubernetes-embedded-resource"):
            errors += _resource(value, path)
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, one in value.items():
            if name in properties:
                errors += faults(one, properties[name], f"{path}.{name}" if path else name)
            elif isinstance(more, Mapping):
                errors += faults(one, more, f"{path}[{name}]")
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, one in enumerate(value):
            errors += faults(one, schema["items"], f"{path}[{index}]")
    return errors


def _resource(value: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = [required(f"{path}.{name}") for name in ("apiVersion", "kind") if name not in value]
    for name in ("apiVersion", "kind"):
        found = value.get(name, "-")
        if not isinstance(found, str):
            errors.append(bad_value(f"{path}.{name}", found, "must be a string"))
        elif not found:
            errors.append(bad_value(f"{path}.{name}", found, "must not be empty"))
        elif name == "apiVersion" and found.count("/") > 1:
            errors.append(bad_value(f"{path}.{name}", found, f"unexpected GroupVersion string: {found}"))
        elif name == "kind" and name in value and (wrong := names.dns_1035_label(found.lower())):
            words = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
            errors.append(bad_value(f"{path}.{name}", found, words))
    metadata = value.get("metadata")
    if isinstance(metadata, Mapping):
        whole = {"metadata": {"name": "fakename", **metadata}}
        namespaced = bool(metadata.get("namespace"))
        errors += [
            FieldError(error.reason, error.message, f"{path}.{error.field}")
            for error in object_meta.validate(
                whole, namespaced=namespaced, name=names.path_segment, plain_finalizers=True
            )
        ]
    return errors
