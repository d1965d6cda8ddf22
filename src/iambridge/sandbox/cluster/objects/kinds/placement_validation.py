"""Validation of what a pod's spec says about where it may run: affinity, spread constraints, tolerations.

Source: kubernetes pkg/apis/core/validation (ValidateNodeSelector, validateAffinity, ValidateTolerations,
validateTopologySpreadConstraints).
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names, object_meta
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.selectors import validate_selector

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
_POLICIES = ("Honor", "Ignore")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

Object = Mapping[str, Any]


def validate_placement(spec: Object, field: str) -> list[FieldError]:
    errors = object_meta.labels(spec.get("nodeSelector"), f"{field}.nodeSelector")
    affinity = spec.get("affinity") or {}
    errors += _node_affinity(affinity.get("nodeAffinity") or {}, f"{field}.affinity.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        errors += _pod_affinity(affinity.get(kind) or {}, f"{field}.affinity.{kind}")
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        errors += _toleration(toleration, f"{field}.tolerations[{index}]")
    constraints = spec.get("topologySpreadConstraints") or ()
    for index, constraint in enumerate(constraints):
        later = {_pair(each) for each in constraints[index + 1 :]}
        errors += _constraint(constraint, f"{field}.topologySpreadConstraints[{index}]", later)
    name = spec.get("priorityClassName") or ""
    errors += [field_error.bad_value(f"{field}.priorityClassName", name, fault) for fault in _names(name)]
    return errors


def _names(name: str) -> list[str]:
    return names.dns_subdomain(name) if name else []


def _pair(constraint: Object) -> tuple[str, str]:
    return constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")


def _weighted(affinity: Object, field: str, inner: str) -> Iterator[tuple[Object, str] | FieldError]:
    """The terms of a list of preferences with their places, and the faults of their weights."""
    for index, each in enumerate(affinity.get(_PREFERRED) or ()):
        here = f"{field}.{_PREFERRED}[{index}]"
        weight = each.get("weight", 0)
        if not 1 <= weight <= 100:
            yield field_error.bad_value(f"{here}.weight", weight, "must be in the range 1-100")
        yield each.get(inner) or {}, f"{here}.{inner}"


def _node_affinity(affinity: Object, field: str) -> list[FieldError]:
    errors: list[FieldError] = []
    required = affinity.get(_REQUIRED)
    if required is not None:
        place = f"{field}.{_REQUIRED}.nodeSelectorTerms"
        terms = required.get("nodeSelectorTerms") or ()
        if not terms:
            errors.append(field_error.required(place, "must have at least one node selector term"))
        for index, term in enumerate(terms):
            errors += _node_term(term, f"{place}[{index}]")
    for found in _weighted(affinity, field, "preference"):
        errors += [found] if isinstance(found, FieldError) else _node_term(*found)
    return errors


def _node_term(term: Object, field: str) -> list[FieldError]:
    errors = []
    for index, each in enumerate(term.get("matchExpressions") or ()):
        errors += _node_requirement(each, f"{field}.matchExpressions[{index}]")
    for index, each in enumerate(term.get("matchFields") or ()):
        here, values = f"{field}.matchFields[{index}]", each.get("values") or ()
        if each.get("operator") not in ("In", "NotIn"):
            words = "not a valid selector operator"
            errors.append(field_error.bad_value(f"{here}.operator", each.get("operator", ""), words))
        elif len(values) != 1:
            words = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            errors.append(field_error.required(f"{here}.values", words))
        if each.get("key") != "metadata.name":
            words = "not a valid field selector key"
            errors.append(field_error.bad_value(f"{here}.key", each.get("key", ""), words))
    return errors


def _node_requirement(requirement: Object, field: str) -> list[FieldError]:
    operator, values = requirement.get("operator", ""), requirement.get("values") or ()
    errors = []
    if operator in ("In", "NotIn"):
        words = "must be specified when `operator` is 'In' or 'NotIn'"
        errors += [] if values else [field_error.required(f"{field}.values", words)]
    elif operator in ("Exists", "DoesNotExist"):
        words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        errors += [field_error.forbidden(f"{field}.values", words)] if values else []
    elif operator in ("Gt", "Lt"):
        words = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        errors += [] if len(values) == 1 else [field_error.required(f"{field}.values", words)]
    else:
        errors.append(field_error.bad_value(f"{field}.operator", operator, "not a valid selector operator"))
    key = requirement.get("key", "")
    return errors + [field_error.bad_value(f"{field}.key", key, fault) for fault in names.qualified(key)]


def _pod_affinity(affinity: Object, field: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, term in enumerate(affinity.get(_REQUIRED) or ()):
        errors += _pod_term(term, f"{field}.{_REQUIRED}[{index}]")
    for found in _weighted(affinity, field, "podAffinityTerm"):
        errors += [found] if isinstance(found, FieldError) else _pod_term(*found)
    return errors


def _pod_term(term: Object, field: str) -> list[FieldError]:
    errors = validate_selector(term.get("labelSelector"), f"{field}.labelSelector")
    if term.get("labelSelector") is None:
        words = "must not be specified when labelSelector is not set"
        keys = (name for name in ("matchLabelKeys", "mismatchLabelKeys") if term.get(name))
        errors += [field_error.forbidden(f"{field}.{name}", words) for name in keys]
    errors += validate_selector(term.get("namespaceSelector"), f"{field}.namespaceSelector")
    for name in term.get("namespaces") or ():
        errors += [field_error.bad_value(f"{field}.namespace", name, fault) for fault in names.dns_label(name)]
    key = term.get("topologyKey", "")
    if not key:
        errors.append(field_error.required(f"{field}.topologyKey", "can not be empty"))
    return errors + [field_error.bad_value(f"{field}.topologyKey", key, fault) for fault in names.qualified(key)]


def _toleration(toleration: Object, field: str) -> list[FieldError]:
    key, value, effect = (toleration.get(name) or "" for name in ("key", "value", "effect"))
    operator = toleration.get("operator") or ""
    errors = [field_error.bad_value(f"{field}.key", key, fault) for fault in names.qualified(key) if key]
    if not key and operator != "Exists":
        words = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(field_error.bad_value(f"{field}.operator", operator, words))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        words = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(field_error.bad_value(f"{field}.effect", effect, words))
    if operator in ("Equal", ""):
        errors += [field_error.bad_value(f"{field}.operator", value, fault) for fault in names.label_value(value)]
    elif operator == "Exists":
        words = "value must be empty when `operator` is 'Exists'"
        errors += [field_error.bad_value(f"{field}.operator", value, words)] if value else []
    else:
        errors.append(field_error.not_supported(f"{field}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in _EFFECTS:
        errors.append(field_error.not_supported(f"{field}.effect", effect, _EFFECTS))
    return errors


def _constraint(constraint: Object, field: str, later: AbstractSet[tuple[str, str]]) -> list[FieldError]:
    errors = []
    skew, (key, action) = constraint.get("maxSkew", 0), _pair(constraint)
    if skew <= 0:
        errors.append(field_error.bad_value(f"{field}.maxSkew", skew, "must be greater than zero"))
    if not key:
        errors.append(field_error.required(f"{field}.topologyKey", "can not be empty"))
    if action not in _UNSATISFIABLE:
        errors.append(field_error.not_supported(f"{field}.whenUnsatisfiable", action, _UNSATISFIABLE))
    if (key, action) in later:
        place = f"{field}.{{topologyKey, whenUnsatisfiable}}"
        errors.append(field_error.duplicate(place, f"{{{key}, {action}}}"))
    least = constraint.get("minDomains")
    if least is not None and least <= 0:
        errors.append(field_error.bad_value(f"{field}.minDomains", least, "must be greater than zero"))
    if least is not None and action != "DoNotSchedule":
        words = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        errors.append(field_error.bad_value(f"{field}.minDomains", least, words))
    for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        value = constraint.get(name)
        if value is not None and value not in _POLICIES:
            errors.append(field_error.not_supported(f"{field}.{name}", value, _POLICIES))
    return errors + validate_selector(constraint.get("labelSelector"), f"{field}.labelSelector")
