"""Validation of a container's requests and limits.

Source: kubernetes pkg/apis/core/validation ValidateContainerResourceRequirements and pkg/apis/core/helper.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.quantity import amount

_HUGE = "hugepages-"
_OF_CONTAINERS = frozenset({"cpu", "memory", "ephemeral-storage"})
# what a quota may count besides; a container cannot ask for it
_STANDARD = _OF_CONTAINERS | {
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "storage",
}


def validate_resources(found: Mapping[str, Any], field: str) -> list[FieldError]:
    """The faults of `resources`, a ResourceRequirements."""
    limits, requests = found.get("limits") or {}, found.get("requests") or {}
    errors: list[FieldError] = []
    for name, value in limits.items():
        errors += _one(name, value, f"{field}.limits[{name}]")
    for name, value in requests.items():
        errors += _one(name, value, f"{field}.requests[{name}]")
        errors += _within(name, value, limits.get(name), field)
    asked = {*limits, *requests}
    if any(name.startswith(_HUGE) for name in asked) and not asked & {"cpu", "memory"}:
        errors.append(field_error.forbidden(field, "HugePages require cpu or memory"))
    return errors


def _native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _within(name: str, request: str, limit: str | None, field: str) -> list[FieldError]:
    """Devices cannot be shared out twice, so their request is their limit."""
    place, shared = f"{field}.requests", _native(name) and not name.startswith(_HUGE)
    if limit is None:
        words = "Limit must be set for non overcommitable resources"
        return [] if shared else [field_error.required(f"{field}.limits", words)]
    if not shared and amount(request) != amount(limit):
        return [field_error.bad_value(place, request, f"must be equal to {name} limit of {limit}")]
    if amount(request) > amount(limit):
        return [field_error.bad_value(place, request, f"must be less than or equal to {name} limit of {limit}")]
    return []


def _one(name: str, value: str, field: str) -> list[FieldError]:
    errors = [field_error.bad_value(field, name, fault) for fault in _name(name)]
    if amount(value) < 0:
        errors.append(field_error.bad_value(field, value, "must be greater than or equal to 0"))
    if not _native(name) and amount(value) % 1:
        errors.append(field_error.bad_value(field, value, "must be an integer"))
    return errors


def _name(name: str) -> list[str]:
    faults = names.qualified(name)
    if "/" not in name:
        if not faults and name not in _STANDARD and not name.startswith(_HUGE):
            faults.append("must be a standard resource type or fully qualified")
        if name not in _OF_CONTAINERS and not name.startswith(_HUGE):
            faults.append("must be a standard resource for containers")
    elif not _native(name) and (name.startswith("requests.") or names.qualified(f"requests.{name}")):
        faults.append("doesn't follow extended resource name standard")
    return faults
