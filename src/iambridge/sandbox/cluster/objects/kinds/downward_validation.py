"""Validation of what the downward API is asked for. Source: kubernetes pkg/apis/core/validation."""

from collections.abc import Iterable, Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.quantity import amount

_RESOURCES = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_SIZES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_DIVISORS = {
    "cpu": (("1m", "1"), "1m and 1", "cpu"),
    "memory": (_SIZES, ", ".join(_SIZES), "memory"),
    "ephemeral-storage": (_SIZES, ", ".join(_SIZES), "local ephemeral storage"),
}
_FIELDS = tuple(f"metadata.{name}" for name in ("annotations", "labels", "name", "namespace", "uid"))


def validate_resource_field(selector: Mapping[str, Any], field: str, *, in_volume: bool = False) -> list[FieldError]:
    """A resourceFieldRef at `field`; in a volume it must name its container."""
    if in_volume and not selector.get("containerName"):
        return [field_error.required(f"{field}.containerName")]
    resource = selector.get("resource", "")
    if not resource:
        return [field_error.required(f"{field}.resource")]
    if resource not in _RESOURCES:
        return [field_error.not_supported(f"{field}.resource", resource, _RESOURCES)]
    divisor = amount(str(selector.get("divisor") or "0"))
    allowed, words, name = _DIVISORS[resource.partition(".")[2]]
    if not divisor or divisor in {amount(each) for each in allowed}:
        return []
    words = f"only divisor's values {words} are supported with the {name} resource"
    return [field_error.bad_value(f"{field}.divisor", resource, words)]


def validate_items(items: Iterable[Mapping[str, Any]], field: str) -> list[FieldError]:
    """The items of a downwardAPI volume or source; kube-apiserver leaves their indexes out."""
    errors = []
    for item in items:
        path, reference, resource = item.get("path", ""), item.get("fieldRef"), item.get("resourceFieldRef")
        if not path:
            errors.append(field_error.required(f"{field}.path"))
        elif path.startswith("/"):
            errors.append(field_error.bad_value(f"{field}.path", path, "must be a relative path"))
        elif ".." in path.split("/"):
            errors.append(field_error.bad_value(f"{field}.path", path, "must not contain '..'"))
        if reference is not None:
            errors += _field(reference, f"{field}.fieldRef.fieldPath")
            if resource is not None:
                words = "fieldRef and resourceFieldRef can not be specified simultaneously"
                errors.append(field_error.bad_value(field, "resource", words))
        elif resource is not None:
            errors += validate_resource_field(resource, f"{field}.resourceFieldRef", in_volume=True)
        else:
            errors.append(field_error.required(field, "one of fieldRef and resourceFieldRef is required"))
    return errors


def _field(reference: Mapping[str, Any], field: str) -> list[FieldError]:
    path = reference.get("fieldPath", "")
    if not path:
        return [field_error.required(field)]
    if path in _FIELDS or path.startswith(("metadata.labels[", "metadata.annotations[")):
        return []
    return [field_error.not_supported(field, path, _FIELDS)]
