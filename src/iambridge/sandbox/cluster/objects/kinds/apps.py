"""Deployment, ReplicaSet, DaemonSet and ControllerRevision.

Source: kubernetes pkg/registry/apps/*/strategy.go, pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from iambridge.sandbox.cluster.objects import field_error, int_or_percent, names
from iambridge.sandbox.cluster.objects.field_error import FieldError, non_negative
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy
from iambridge.sandbox.cluster.objects.kinds.pod_spec import default_pod_spec
from iambridge.sandbox.cluster.objects.kinds.pod_template import validate_template
from iambridge.sandbox.cluster.objects.kinds.selectors import validate_selector

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_LABEL_RECOMMENDED = (
    "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is"
    " recommended: "
)
_REPLICA_COUNTS = (
    "replicas",
    "updatedReplicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
)
_DAEMON_COUNTS = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
)


class _TemplateStrategy(Strategy):
    """What the three kinds with a pod template share.

    `fresh` is the status of a new one, `counted` what of a status may not be more than its replicas.
    """

    fresh: ClassVar[Mapping[str, int]] = {}
    counted: ClassVar[tuple[str, ...]] = ()

    def prepare_create(self, obj: Object) -> Object:
        return super().prepare_create(obj) | {"status": dict(self.fresh)}

    def default(self, obj: Object) -> Object:
        out = copy.deepcopy(obj)
        spec = out.setdefault("spec", {})
        template = spec.setdefault("template", {})
        template["spec"] = default_pod_spec(template.get("spec") or {})
        self.default_spec(spec)
        return out

    def default_spec(self, spec: Object) -> None:
        """Fill in the kind's own defaults; `spec` is already a copy."""
        spec.setdefault("replicas", 1)

    def validate_update(self, new: Object, old: Object, subresource: str = "") -> list[FieldError]:
        errors = super().validate_update(new, old, subresource)
        return errors + _status(new, old, self.counted) if subresource == "status" else errors

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        after, before = ((one.get("spec") or {}).get("selector") for one in (new, old))
        return [] if after == before else [field_error.bad_value("spec.selector", after, "field is immutable")]

    def warnings(self, new: Object, old: Object | None = None) -> list[str]:
        faults = names.dns_label(new["metadata"].get("name", ""))
        return [f"{_LABEL_RECOMMENDED}[{' '.join(faults)}]"] if faults and old is None else []


class ReplicaSetStrategy(_TemplateStrategy):
    fresh: ClassVar[Mapping[str, int]] = {"replicas": 0}
    counted: ClassVar[tuple[str, ...]] = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        return (
            non_negative(spec.get("replicas"), "spec.replicas")
            + non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
            + _selected(spec)
        )


class DeploymentStrategy(_TemplateStrategy):
    counted: ClassVar[tuple[str, ...]] = ("updatedReplicas", "readyReplicas", "availableReplicas")

    def changed(self, new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
        # annotations are copied to ReplicaSets, so a change of them is work for the controller
        after, before = (one["metadata"].get("annotations") or {} for one in (new, old))
        return super().changed(new, old) or after != before

    def default_spec(self, spec: Object) -> None:
        super().default_spec(spec)
        strategy = spec.setdefault("strategy", {})
        strategy["type"] = strategy.get("type") or "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = non_negative(spec.get("replicas"), "spec.replicas") + _selected(spec)
        errors += _deployment_strategy(spec.get("strategy") or {}, "spec.strategy")
        for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
            errors += non_negative(spec.get(name), f"spec.{name}")
        deadline = spec.get("progressDeadlineSeconds")
        if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
            words = "must be greater than minReadySeconds"
            errors.append(field_error.bad_value("spec.progressDeadlineSeconds", deadline, words))
        return errors


class DaemonSetStrategy(_TemplateStrategy):
    """The template's own generation is kept in an annotation, as apps/v1 has no field for it."""

    fresh: ClassVar[Mapping[str, int]] = dict.fromkeys(_DAEMON_COUNTS[:4], 0)

    def default(self, obj: Object) -> Object:
        out = super().default(obj)
        out["metadata"] = {**out["metadata"]}
        annotations = out["metadata"]["annotations"] = {**(out["metadata"].get("annotations") or {})}
        annotations.setdefault(TEMPLATE_GENERATION, "0")
        return out

    def default_spec(self, spec: Object) -> None:
        strategy = spec.setdefault("updateStrategy", {})
        strategy["type"] = strategy.get("type") or "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)
        spec.setdefault("revisionHistoryLimit", 10)

    def prepare_create(self, obj: Object) -> Object:
        return _with_generation(super().prepare_create(obj), max(template_generation(obj), 1))

    def prepare_update(self, new: Object, old: Object, subresource: str = "") -> Object:
        before = template_generation(old)
        out = super().prepare_update(new, old, subresource)
        if subresource == "status":
            return out
        changed = (out.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template")
        return _with_generation(out, before + 1 if changed else before)

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        selector = spec.get("selector")
        errors = validate_selector(selector, "spec.selector")
        if selector is not None and not _requirements(selector):
            errors.append(field_error.bad_value("spec.selector", selector, "empty selector is invalid for daemonset"))
        errors += validate_template(spec.get("template") or {}, selector, "spec.template", "DaemonSet")
        errors += non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
        errors += _daemon_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
        return errors + non_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")

    def warnings(self, new: Object, old: Object | None = None) -> list[str]:  # noqa: ARG002  # its name is not recommended to be a label
        return []


class ControllerRevisionStrategy(Strategy):
    """One state that a DaemonSet had; only `revision` may change."""

    def validate(self, obj: Object) -> list[FieldError]:
        return non_negative(obj.get("revision"), "revision")

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = super().validate_create(obj)
        if obj.get("data") is None:
            errors.append(field_error.required("data", "data is mandatory"))
        elif not isinstance(obj["data"], dict):
            errors.append(field_error.required("data", "data must be a valid JSON object"))
        return errors

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        if new.get("data") == old.get("data"):
            return []
        return [field_error.bad_value("data", new.get("data"), "field is immutable")]


def template_generation(obj: Mapping[str, Any]) -> int:
    """How often a DaemonSet's template has changed, from 1; 0 when that is not known."""
    text = (obj["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "")
    return int(text) if text.isdecimal() else 0


def _with_generation(obj: Object, generation: int) -> Object:
    annotations = {**(obj["metadata"].get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def _requirements(selector: Mapping[str, Any]) -> int:
    return len(selector.get("matchLabels") or ()) + len(selector.get("matchExpressions") or ())


def _selected(spec: Mapping[str, Any]) -> list[FieldError]:
    """The selector and the template of a Deployment or a ReplicaSet."""
    selector = spec.get("selector")
    errors = (
        [field_error.required("spec.selector")] if selector is None else validate_selector(selector, "spec.selector")
    )
    if selector is not None and errors:
        return [*errors, field_error.bad_value("spec.selector", selector, "invalid label selector")]
    if selector is not None and not _requirements(selector):
        errors.append(field_error.bad_value("spec.selector", selector, "empty selector is invalid for deployment"))
    return errors + validate_template(spec.get("template") or {}, selector, "spec.template", "ReplicaSet")


def _go(strategy: Mapping[str, Any]) -> Object:
    """A strategy as Go's JSON shows the internal type of it, which has no tags."""
    rolling = strategy.get("rollingUpdate")
    shown = rolling and {name[0].upper() + name[1:]: value for name, value in rolling.items()}
    return {"Type": strategy.get("type", ""), "RollingUpdate": shown}


def _deployment_strategy(strategy: Mapping[str, Any], field: str) -> list[FieldError]:
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate":
        words = "may not be specified when strategy `type` is 'Recreate'"
        return [field_error.forbidden(f"{field}.rollingUpdate", words)] if rolling is not None else []
    if strategy.get("type") != "RollingUpdate":
        return [field_error.not_supported(field, _go(strategy), ("Recreate", "RollingUpdate"))]
    unavailable, surge = (rolling or {}).get("maxUnavailable"), (rolling or {}).get("maxSurge")
    place = f"{field}.rollingUpdate.maxUnavailable"
    errors = int_or_percent.validate(unavailable, place)
    errors += int_or_percent.validate(surge, f"{field}.rollingUpdate.maxSurge")
    if int_or_percent.figure(unavailable) == 0 and int_or_percent.figure(surge) == 0:
        errors.append(field_error.bad_value(place, unavailable, "may not be 0 when `maxSurge` is 0"))
    return errors + int_or_percent.at_most_all(unavailable, place)


def _daemon_strategy(strategy: Mapping[str, Any], field: str) -> list[FieldError]:
    if strategy.get("type") == "OnDelete":
        return []
    if strategy.get("type") != "RollingUpdate":
        return [field_error.not_supported(field, _go(strategy), ("RollingUpdate", "OnDelete"))]
    place = f"{field}.rollingUpdate"
    rolling = strategy.get("rollingUpdate") or {}
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    errors: list[FieldError] = []
    for name, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        errors += int_or_percent.validate(value, f"{place}.{name}")
        errors += int_or_percent.at_most_all(value, f"{place}.{name}")
    given = [int_or_percent.figure(value) != 0 for value in (unavailable, surge)]
    if all(given):
        words = "may not be set when maxUnavailable is non-zero"
        errors.append(field_error.bad_value(f"{place}.maxSurge", surge, words))
    elif not any(given):
        errors.append(field_error.required(f"{place}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


def _status(new: Mapping[str, Any], old: Mapping[str, Any], counted: Sequence[str]) -> list[FieldError]:
    """Counts are not negative, and none counts more than all."""
    status, before = new.get("status") or {}, old.get("status") or {}
    errors: list[FieldError] = []
    for name in ("observedGeneration", *_REPLICA_COUNTS, *_DAEMON_COUNTS, "collisionCount"):
        errors += non_negative(status.get(name), f"status.{name}")
    total, ready = status.get("replicas") or 0, status.get("readyReplicas") or 0
    for name in counted:
        value = status.get(name) or 0
        if value > total:
            errors.append(field_error.bad_value(f"status.{name}", value, "cannot be greater than status.replicas"))
    available, collisions = status.get("availableReplicas") or 0, status.get("collisionCount") or 0
    if counted and available > ready:
        words = "cannot be greater than readyReplicas"
        errors.append(field_error.bad_value("status.availableReplicas", available, words))
    if collisions < (before.get("collisionCount") or 0):
        errors.append(field_error.bad_value("status.collisionCount", collisions, "cannot be decremented"))
    return errors
