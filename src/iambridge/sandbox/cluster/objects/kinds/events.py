"""Event of v1 and of events.k8s.io/v1: two spellings of one stored object.

Source: kubernetes pkg/apis/core/validation/events.go, pkg/apis/events/v1/conversion.go.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names, object_meta
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy

# a field's name in v1, and in events.k8s.io/v1
_SPELLED = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE = {new: old for old, new in _SPELLED.items()}
_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_MUST_STAY = ("involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type",
              "eventTime", "action", "related", "reportingController", "reportingInstance")  # fmt: skip


def to_core(event: Mapping[str, Any]) -> Object:
    """An Event of events.k8s.io/v1 as v1 has it, which is how it is stored."""
    return {**{_CORE.get(name, name): value for name, value in event.items()}, "apiVersion": "v1"}


def from_core(event: Mapping[str, Any]) -> Object:
    """A stored Event as events.k8s.io/v1 has it."""
    renamed = {_SPELLED.get(name, name): value for name, value in event.items()}
    return {"kind": "Event", **renamed, "apiVersion": "events.k8s.io/v1"}


class EventStrategy(Strategy):
    """Event of v1."""

    def validate(self, obj: Object) -> list[FieldError]:
        return _legacy(obj, "reportingComponent")


class NewEventStrategy(Strategy):
    """Event of events.k8s.io/v1, which is held to more; faults name the fields as Kubernetes stores them."""

    def validate_create(self, obj: Object) -> list[FieldError]:
        event = to_core(obj)
        errors = _legacy(event, "reportingController")
        errors += object_meta.validate(obj, namespaced=True, name=names.dns_subdomain) + _series(event)
        if not event.get("eventTime"):
            errors.append(field_error.required("eventTime"))
        if event.get("type") not in {"Normal", "Warning"}:
            errors.append(field_error.bad_value("type", "", f"has invalid value: {event.get('type') or ''}"))
        errors += [
            field_error.bad_value(name, "", "needs to be unset")
            for name in ("firstTimestamp", "lastTimestamp", "count", "source")
            if event.get(name)
        ]
        return errors

    def validate_update(self, new: Object, old: Object, subresource: str = "") -> list[FieldError]:
        del subresource
        after, before = to_core(new), to_core(old)
        errors = _legacy(after, "reportingController") + object_meta.validate_update(new, old)
        if after.get("series") != before.get("series"):
            errors += _series(after)
        for name in _MUST_STAY:
            stored = "reportingComponent" if name == "reportingController" else name
            if (after.get(stored) or None) != (before.get(stored) or None):
                errors.append(field_error.bad_value(name, after.get(stored), "field is immutable"))
        return errors


def _series(event: Mapping[str, Any]) -> list[FieldError]:
    series = event.get("series")
    if series is None:
        return []
    errors = []
    if (series.get("count") or 0) < 2:
        errors.append(field_error.bad_value("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        errors.append(field_error.required("series.lastObservedTime"))
    return errors


def _legacy(event: Mapping[str, Any], controller: str) -> list[FieldError]:
    """What every Event is held to; one with an eventTime to more. `controller` is how the version calls the field."""
    namespace = event["metadata"].get("namespace", "")
    about = (event.get("involvedObject") or {}).get("namespace", "")
    apart = field_error.bad_value("involvedObject.namespace", about, "does not match event.namespace")
    if not event.get("eventTime"):
        return [apart] if namespace != (about or "default") else []
    errors = [apart] if not about and namespace not in {"default", "kube-system"} else []
    reporter = event.get("reportingComponent") or ""
    if not reporter:
        errors.append(field_error.required(controller))
    errors += [field_error.bad_value(controller, reporter, fault) for fault in names.qualified(reporter)]
    for name, limit in _LIMITS.items():
        found = event.get(name) or ""
        if not found and name != "message":
            errors.append(field_error.required(name))
        if len(found.encode()) > limit:
            errors.append(field_error.bad_value(name, "", f"can have at most {limit} characters"))
    return errors
