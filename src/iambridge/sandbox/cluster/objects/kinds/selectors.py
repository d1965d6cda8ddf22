"""Validation of label selectors. Source: apimachinery meta/v1/validation."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names, object_meta
from iambridge.sandbox.cluster.objects.field_error import FieldError

_SETS = ("In", "NotIn")
_PRESENCE = ("Exists", "DoesNotExist")


def validate_selector(selector: Mapping[str, Any] | None, field: str) -> list[FieldError]:
    """The faults of a LabelSelector; an absent one has none."""
    if selector is None:
        return []
    errors = object_meta.labels(selector.get("matchLabels"), f"{field}.matchLabels")
    for index, requirement in enumerate(selector.get("matchExpressions") or ()):
        errors += _requirement(requirement, f"{field}.matchExpressions[{index}]")
    return errors


def _requirement(requirement: Mapping[str, Any], field: str) -> list[FieldError]:
    operator, values = requirement.get("operator", ""), requirement.get("values") or []
    errors = []
    if operator in _SETS and not values:
        errors.append(field_error.required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in _PRESENCE and values:
        words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        errors.append(field_error.forbidden(f"{field}.values", words))
    elif operator not in (*_SETS, *_PRESENCE):
        errors.append(field_error.bad_value(f"{field}.operator", operator, "not a valid selector operator"))
    key = requirement.get("key", "")
    errors += [field_error.bad_value(f"{field}.key", key, fault) for fault in names.qualified(key)]
    errors += [
        field_error.bad_value(f"{field}.values[{index}]", value, fault)
        for index, value in enumerate(values)
        for fault in names.label_value(value)
    ]
    return errors
