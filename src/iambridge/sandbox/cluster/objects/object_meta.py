"""Validation of metadata, the same for every kind. Source: apimachinery pkg/api/validation/objectmeta.go."""

from collections.abc import Callable, Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError

_ANNOTATIONS_LIMIT = 256 * 1024
_NO_OWNERS = {("v1", "Event")}
_STANDARD_FINALIZERS = {"kubernetes", "orphan", "foregroundDeletion"}
_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def validate(
    obj: Mapping[str, Any], *, namespaced: bool, name: Callable[[str], list[str]], plain_finalizers: bool = False
) -> list[FieldError]:
    """`plain_finalizers`: a finalizer's name need not have a domain in front, as with kinds outside of Kubernetes'."""
    meta = obj.get("metadata") or {}
    errors = []
    if meta.get("generateName"):
        # a suffix follows, so a trailing dash or dot is fine
        errors += [
            field_error.bad_value("metadata.generateName", meta["generateName"], fault)
            for fault in name(meta["generateName"].rstrip("-.") or "-")
        ]
    if not meta.get("name"):
        errors.append(field_error.required("metadata.name", "name or generateName is required"))
    else:
        errors += [field_error.bad_value("metadata.name", meta["name"], fault) for fault in name(meta["name"])]
    if namespaced and not meta.get("namespace"):
        errors.append(field_error.required("metadata.namespace"))
    elif namespaced:
        errors += [
            field_error.bad_value("metadata.namespace", meta["namespace"], fault)
            for fault in names.dns_label(meta["namespace"])
        ]
    elif meta.get("namespace"):
        errors.append(field_error.forbidden("metadata.namespace", "not allowed on this type"))
    return (
        errors
        + labels(meta.get("labels"), "metadata.labels")
        + annotations(meta.get("annotations"))
        + _owners(meta)
        + _finalizers(meta, plain=plain_finalizers)
    )


def labels(found: Mapping[str, str] | None, field: str) -> list[FieldError]:
    errors = []
    for key, value in (found or {}).items():
        errors += [field_error.bad_value(field, key, fault) for fault in names.qualified(key)]
        errors += [field_error.bad_value(field, value, fault) for fault in names.label_value(value)]
    return errors


def annotations(found: Mapping[str, str] | None, field: str = "metadata.annotations") -> list[FieldError]:
    found = found or {}
    errors = [field_error.bad_value(field, key, fault) for key in found for fault in names.qualified(key.lower())]
    if sum(len(key) + len(value) for key, value in found.items()) > _ANNOTATIONS_LIMIT:
        errors.append(field_error.too_long(field, _ANNOTATIONS_LIMIT))
    return errors


def _owners(meta: Mapping[str, Any]) -> list[FieldError]:
    errors = []
    controllers = []
    owners = meta.get("ownerReferences") or []
    for index, owner in enumerate(owners):
        field = f"metadata.ownerReferences[{index}]"
        errors += [
            field_error.required(f"{field}.{key}", "must not be empty")
            for key in ("apiVersion", "kind", "name", "uid")
            if not owner.get(key)
        ]
        if (owner.get("apiVersion"), owner.get("kind")) in _NO_OWNERS:
            errors.append(field_error.bad_value(field, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            controllers.append(f"{owner.get('kind', '')}/{owner.get('name', '')}")
    if len(controllers) > 1:
        words = 'Only one reference can have Controller set to true. Found "true" in references for'
        errors.append(field_error.bad_value("metadata.ownerReferences", owners, f"{words} {' and '.join(controllers)}"))
    return errors


def _finalizers(meta: Mapping[str, Any], *, plain: bool) -> list[FieldError]:
    field, given = "metadata.finalizers", meta.get("finalizers") or ()
    errors = [field_error.bad_value(field, one, fault) for one in given for fault in names.qualified(one)]
    if {"orphan", "foregroundDeletion"} <= set(given):
        words = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(field_error.bad_value(field, list(given), words))
    words = "name is neither a standard finalizer name nor is it fully qualified"
    return errors + [
        field_error.bad_value(f"{field}[{index}]", one, words)
        for index, one in enumerate(given)
        if not plain and "/" not in one and one not in _STANDARD_FINALIZERS
    ]


def validate_update(
    new: Mapping[str, Any], old: Mapping[str, Any], *, plain_finalizers: bool = False
) -> list[FieldError]:
    after, before = new.get("metadata") or {}, old.get("metadata") or {}
    errors = [
        field_error.bad_value(f"metadata.{name}", after.get(name), "field is immutable")
        for name in _IMMUTABLE
        if after.get(name) != before.get(name)
    ]
    if before.get("deletionTimestamp"):
        added = sorted(set(after.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            shown = ", ".join(map(field_error.quoted, added))
            words = "no new finalizers can be added if the object is being deleted, found new finalizers"
            words = f"{words} []string{{{shown}}}"
            errors.append(field_error.forbidden("metadata.finalizers", words))
    return (
        errors
        + labels(after.get("labels"), "metadata.labels")
        + annotations(after.get("annotations"))
        + _owners(after)
        + _finalizers(after, plain=plain_finalizers)
    )
