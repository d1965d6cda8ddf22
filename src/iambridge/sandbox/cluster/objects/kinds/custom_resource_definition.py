"""CustomResourceDefinition. Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go.

Not served, and refused by name: conversion webhooks, CEL rules.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.custom import schema_rules
from iambridge.sandbox.cluster.objects.custom.naming import APPROVAL, approval, holds
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MOST_SELECTABLE = 8
_NO_WEBHOOK = "conversion webhooks are not called by the embedded API server: use None, or serve one version here"
_SELECTABLE = re.compile(r"(\.[A-Za-z_][A-Za-z0-9_-]*)+")


class CustomResourceDefinitionStrategy(Strategy):
    def default(self, obj: Object) -> Object:
        spec = obj.get("spec") or {}
        wanted = dict(spec.get("names") or {})
        kind = wanted.get("kind") or ""
        if not wanted.get("singular"):
            wanted["singular"] = kind.lower()
        if not wanted.get("listKind") and kind:
            wanted["listKind"] = f"{kind}List"
        return {**obj, "spec": {**spec, "names": wanted, "conversion": spec.get("conversion") or {"strategy": "None"}}}

    def prepare_create(self, obj: Object) -> Object:
        out = super().prepare_create(obj)
        out["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": []}
        return _storing(out)

    def prepare_update(self, new: Object, old: Object, subresource: str = "") -> Object:
        out = super().prepare_update(new, old, subresource)
        return out if subresource else _storing(out)

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = super().validate_create(obj)
        spec = obj["spec"]
        wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
        if obj["metadata"].get("name") and obj["metadata"]["name"] != wanted:
            words = 'must be spec.names.plural+"."+spec.group'
            errors.append(field_error.bad_value("metadata.name", obj["metadata"]["name"], words))
        return errors + _approval(obj, None)

    def validate(self, obj: Object) -> list[FieldError]:
        return _spec(obj["spec"]) + _stored_versions(obj)

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        fixed = [("group",), ("names", "plural")]
        if holds(old, "Established"):
            fixed = [("scope",), ("names", "kind"), *fixed]
        errors = []
        for path in fixed:
            after, before = (_at(obj["spec"], path) for obj in (new, old))
            if after != before:
                errors.append(field_error.bad_value(f"spec.{'.'.join(path)}", after, "field is immutable"))
        return errors + _approval(new, old)


def _at(spec: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = spec
    for name in path:
        value = (value or {}).get(name)
    return value


def _storing(obj: Object) -> Object:
    """The definition with its storage version among those that objects may be stored at."""
    status = obj.get("status") or {}
    known = list(status.get("storedVersions") or ())
    for version in obj["spec"].get("versions") or ():
        if version.get("storage") and version.get("name") not in known:
            known.append(version["name"])
    return {**obj, "status": {**status, "storedVersions": known}}


def _stored_versions(obj: Object) -> list[FieldError]:
    stored = (obj.get("status") or {}).get("storedVersions") or []
    named = {version.get("name") for version in obj["spec"].get("versions") or ()}
    where = "status.storedVersions"
    if not stored:
        return [field_error.bad_value(where, stored, "must have at least one stored version")]
    return [
        field_error.bad_value(
            f"{where}[{index}]",
            version,
            f"missing from spec.versions; {version} was previously a storage version, and must remain in spec.versions"
            f" until a storage migration ensures no data remains persisted in {version} and removes {version} from"
            " status.storedVersions",
        )
        for index, version in enumerate(stored)
        if version not in named
    ]


def _spec(spec: Object) -> list[FieldError]:
    errors = _group(spec) + _one_of(spec.get("scope") or "", ("Cluster", "Namespaced"), "spec.scope")
    versions = spec.get("versions") or []
    shared = _shared(versions)
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            errors.append(field_error.required(f"spec.versions[{index}].schema.openAPIV3Schema"))
    for index, version in enumerate(versions):
        errors += [
            field_error.bad_value(f"spec.versions[{index}].name", version.get("name", ""), fault)
            for fault in names.dns_1035_label(version.get("name") or "")
        ]
        own = {part: value for part, value in version.items() if part not in shared}
        errors += _version(own, f"spec.versions[{index}]", "schema", status=_has_status(version))
    if len({version.get("name") for version in versions}) != len(versions):
        errors.append(field_error.bad_value("spec.versions", versions, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        words = "must have exactly one version marked as storage version"
        errors.append(field_error.bad_value("spec.versions", versions, words))
    errors += _names(spec.get("names") or {})
    if versions:
        common = {part: value for part, value in versions[0].items() if part in shared}
        errors += _version(common, "spec", "validation", status=any(map(_has_status, versions)))
    return errors + _conversion(spec)


def _shared(versions: Sequence[Object]) -> set[str]:
    """What all versions say alike, which Kubernetes judges, and names, as one."""
    parts = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")
    return {part for part in parts if all(one.get(part) == versions[0].get(part) for one in versions)}


def _has_status(version: Mapping[str, Any]) -> bool:
    return "status" in (version.get("subresources") or {})


def _group(spec: Object) -> list[FieldError]:
    group = spec.get("group") or ""
    if not group:
        return [field_error.required("spec.group")]
    faults = names.dns_subdomain(group)
    if faults:
        return [field_error.bad_value("spec.group", group, ",".join(faults))]
    if "." not in group:
        return [field_error.bad_value("spec.group", group, "should be a domain with at least one dot")]
    return []


def _one_of(value: str, accepted: Sequence[str], where: str) -> list[FieldError]:
    if not value:
        return [field_error.required(where)]
    return [] if value in accepted else [field_error.not_supported(where, value, accepted)]


def _version(said: Mapping[str, Any], path: str, schema_name: str, *, status: bool) -> list[FieldError]:
    errors = _deprecation(said, path)
    schema = (said.get("schema") or {}).get("openAPIV3Schema")
    if schema:
        errors += schema_rules.faults(schema, f"{path}.{schema_name}.openAPIV3Schema", status=status)
    errors += _scale((said.get("subresources") or {}).get("scale"), f"{path}.subresources.scale")
    for index, column in enumerate(said.get("additionalPrinterColumns") or ()):
        errors += _column(column, f"{path}.additionalPrinterColumns[{index}]")
    return errors + _selectable(said.get("selectableFields") or (), schema or {}, f"{path}.selectableFields")


def _deprecation(said: Mapping[str, Any], path: str) -> list[FieldError]:
    text, where = said.get("deprecationWarning"), f"{path}.deprecationWarning"
    if text is None:
        return []
    if not said.get("deprecated"):
        return [field_error.bad_value(where, text, "can only be set for deprecated versions")]
    errors = []
    if len(text) > 256:
        errors.append(field_error.bad_value(where, text, "must be <= 256 characters long"))
    if not text:
        errors.append(field_error.bad_value(where, text, "must not be an empty string"))
    bad = next((index for index, char in enumerate(text) if not char.isprintable()), None)
    if bad is not None:
        words = f"must only contain printable UTF-8 characters; non-printable character found at index {bad}"
        errors.append(field_error.bad_value(where, text, words))
    return errors


def _scale(scale: Mapping[str, str] | None, path: str) -> list[FieldError]:
    if scale is None:
        return []
    errors: list[FieldError] = []
    for name, under, words in (
        ("specReplicasPath", (".spec.",), "should be a json path under .spec"),
        ("statusReplicasPath", (".status.",), "should be a json path under .status"),
        ("labelSelectorPath", (".spec.", ".status."), "should be a json path under either .spec or .status"),
    ):
        found, where = scale.get(name) or "", f"{path}.{name}"
        if not found and name != "labelSelectorPath":
            errors.append(field_error.required(where))
        elif found:
            wrong = _simple_path(found, where)
            errors += wrong or ([] if found.startswith(under) else [field_error.bad_value(where, found, words)])
    return errors


def _simple_path(path: str, where: str) -> list[FieldError]:
    if path.startswith("."):
        return []
    return [field_error.bad_value(where, path, "must be a simple json path starting with .")]


def _column(column: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    if not column.get("name"):
        errors.append(field_error.required(f"{path}.name"))
    kind, words = column.get("type") or "", f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        errors.append(field_error.required(f"{path}.type", words))
    elif kind not in _COLUMN_TYPES:
        errors.append(field_error.bad_value(f"{path}.type", kind, words))
    if column.get("format") and column["format"] not in _COLUMN_FORMATS:
        words = f"must be one of {','.join(_COLUMN_FORMATS)}"
        errors.append(field_error.bad_value(f"{path}.format", column["format"], words))
    if not column.get("jsonPath"):
        errors.append(field_error.required(f"{path}.JSONPath"))
    else:
        errors += _simple_path(column["jsonPath"], f"{path}.JSONPath")
    return errors


def _selectable(fields: Sequence[Mapping[str, str]], schema: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = []
    for index, one in enumerate(fields):
        found, where = one.get("jsonPath") or "", f"{path}[{index}].jsonPath"
        if not found:
            errors.append(field_error.required(where))
            continue
        if not _SELECTABLE.fullmatch(found):
            errors.append(field_error.bad_value(where, found, "is an invalid path: only fields by name are selectable"))
            continue
        below: Any = schema
        for name in found.removeprefix(".").split("."):
            below = ((below or {}).get("properties") or {}).get(name)
        if found.startswith(".metadata."):
            errors.append(field_error.bad_value(where, found, "must not point to fields in metadata"))
        elif below is None:
            errors.append(field_error.bad_value(where, found, "is an invalid path: does not refer to a valid field"))
        elif below.get("type") not in {"string", "boolean", "integer"}:
            words = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."  # fmt: skip  # noqa: E501
            errors.append(field_error.bad_value(where, found, words))
        if found in {other.get("jsonPath") for other in fields[:index]}:
            errors.append(field_error.duplicate(where, found))
    count = len({one.get("jsonPath") for one in fields})
    if count > _MOST_SELECTABLE:
        words = f"Too many: {count}: must have at most {_MOST_SELECTABLE} items"
        errors.append(FieldError("FieldValueTooMany", words, path))
    return errors


def _names(wanted: Mapping[str, Any]) -> list[FieldError]:
    path = "spec.names"
    required = ("plural", "singular", "kind", "listKind")
    errors = [field_error.required(f"{path}.{name}") for name in required if not wanted.get(name)]
    for name in required:
        found = wanted.get(name) or ""
        mixed = name in {"kind", "listKind"}
        faults = names.dns_1035_label(found.lower() if mixed else found) if found else []
        if faults:
            start = "may have mixed case, but should otherwise match: " if mixed else ""
            errors.append(field_error.bad_value(f"{path}.{name}", found, start + ",".join(faults)))
    for name in ("shortNames", "categories"):
        for index, found in enumerate(wanted.get(name) or ()):
            faults = names.dns_1035_label(found)
            if faults:
                errors.append(field_error.bad_value(f"{path}.{name}[{index}]", found, ",".join(faults)))
    if wanted.get("kind") and wanted.get("kind") == wanted.get("listKind"):
        words = "kind and listKind may not be the same"
        errors.append(field_error.bad_value(f"{path}.listKind", wanted["listKind"], words))
    return errors


def _conversion(spec: Object) -> list[FieldError]:
    errors = []
    if spec.get("preserveUnknownFields"):
        words = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        errors.append(field_error.bad_value("spec.preserveUnknownFields", True, words))
    conversion = spec.get("conversion") or {}
    strategy, where = conversion.get("strategy") or "", "spec.conversion"
    errors += _one_of(strategy, ("None", "Webhook"), f"{where}.strategy")
    if strategy == "Webhook":
        errors.append(field_error.forbidden(f"{where}.strategy", _NO_WEBHOOK))
    elif conversion.get("webhook"):
        words = "should not be set when strategy is not set to Webhook"
        errors.append(field_error.forbidden(f"{where}.webhookClientConfig", words))
    return errors


def _approval(new: Object, old: Object | None) -> list[FieldError]:
    """A definition in the community's groups says who approved it."""
    found = approval(new)
    before = approval(old) if old is not None else None
    if found is None or (before is not None and before[1] == found[1]):
        return []
    where = f"metadata.annotations[{APPROVAL}]"
    if found[1] == "MissingAnnotation":
        return [field_error.required(where, found[2])]
    if found[1] == "InvalidAnnotation":
        return [field_error.bad_value(where, new["metadata"]["annotations"][APPROVAL], found[2])]
    return []
