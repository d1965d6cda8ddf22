"""Pod and Job. Source: kubernetes pkg/registry/core/pod/strategy.go, pkg/registry/batch/job/strategy.go."""

import copy
from typing import Any

from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy
from iambridge.sandbox.cluster.objects.kinds.pod_spec import CONTAINER_LISTS, default_pod_only, default_pod_spec
from iambridge.sandbox.cluster.objects.kinds.pod_validation import validate_spec
from iambridge.sandbox.cluster.objects.quantity import amount

_POD_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_UID_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
_NAME_LABELS = ("job-name", "batch.kubernetes.io/job-name")
_MODES = ("NonIndexed", "Indexed")
_COUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")


class PodStrategy(Strategy):
    def prepare_create(self, obj: Object) -> Object:
        out = super().prepare_create(obj)
        out["status"] = {"phase": "Pending", "qosClass": _qos_class(out.get("spec") or {})}
        return out

    def default(self, obj: Object) -> Object:
        return {**obj, "spec": default_pod_only(default_pod_spec(obj.get("spec") or {}))}

    def validate(self, obj: Object) -> list[FieldError]:
        return validate_spec(obj.get("spec") or {}, "spec")

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        before, after = (_comparable(one.get("spec") or {}) for one in (old, new))
        errors = [] if before == after else [field_error.forbidden("spec", _POD_CHANGE)]
        kept = (old.get("spec") or {}).get("tolerations") or []
        now = (new.get("spec") or {}).get("tolerations") or []
        if any(one not in now for one in kept):
            errors.append(
                field_error.forbidden(
                    "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"
                )
            )
        return errors


def _comparable(spec: dict[str, Any]) -> dict[str, Any]:
    """A pod's spec less what an update may change."""
    out = copy.deepcopy(spec)
    for key in CONTAINER_LISTS[:2]:
        for container in out.get(key) or ():
            container.pop("image", None)
    for key in ("activeDeadlineSeconds", "tolerations", "nodeName", "schedulingGates", "ephemeralContainers"):
        out.pop(key, None)
    if out.get("terminationGracePeriodSeconds", 0) < 0:
        out["terminationGracePeriodSeconds"] = 1
    return out


def _qos_class(spec: dict[str, Any]) -> str:
    """Source: kubernetes pkg/apis/core/v1/helper/qos."""
    found = [one.get("resources") or {} for key in CONTAINER_LISTS[:2] for one in spec.get(key) or ()]
    limits, requests = ([_compute(one.get(name) or {}) for one in found] for name in ("limits", "requests"))
    if not any(limits) and not any(requests):
        return "BestEffort"
    same = all({**limit, **request} == limit for limit, request in zip(limits, requests, strict=True))
    return "Guaranteed" if same and all(len(limit) == 2 for limit in limits) else "Burstable"


def _compute(quantities: dict[str, str]) -> dict[str, str]:
    """What decides over the class: CPU and memory, where any is asked for."""
    return {name: quantities[name] for name in ("cpu", "memory") if quantities.get(name) and amount(quantities[name])}


class JobStrategy(Strategy):
    def default(self, obj: Object) -> Object:
        out = copy.deepcopy(obj)
        out.setdefault("status", {})
        spec = out.setdefault("spec", {})
        if "completions" not in spec and "parallelism" not in spec:
            spec["completions"] = 1
        spec.setdefault("parallelism", 1)
        spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
        spec.setdefault("completionMode", "NonIndexed")
        spec.setdefault("suspend", False)
        spec.setdefault("manualSelector", False)
        spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
        template = spec.setdefault("template", {})
        labels = (template.get("metadata") or {}).get("labels")
        if labels and not out["metadata"].get("labels"):
            out["metadata"]["labels"] = dict(labels)
        template["spec"] = default_pod_spec(template.get("spec") or {})
        return out

    def after_uid(self, obj: Object) -> Object:
        """The four labels and the selector that tie pods to this job by its uid."""
        out = copy.deepcopy(obj)
        spec, meta = out["spec"], out["metadata"]
        if spec.get("manualSelector"):
            return out
        labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
        for name in _NAME_LABELS:
            labels.setdefault(name, meta.get("name", ""))
        for name in _UID_LABELS:
            labels.setdefault(name, meta["uid"])
        selector = spec.setdefault("selector", {})
        selector.setdefault("matchLabels", {}).setdefault(_UID_LABELS[1], meta["uid"])
        return out

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = [
            field_error.bad_value(f"spec.{name}", spec[name], "must be greater than or equal to 0")
            for name in _COUNTS
            if spec.get(name, 0) < 0
        ]
        if spec.get("completionMode") not in _MODES:
            errors.append(field_error.not_supported("spec.completionMode", spec.get("completionMode", ""), _MODES))
        template = spec.get("template") or {}
        pod = template.get("spec") or {}
        errors += validate_spec(pod, "spec.template.spec")
        if pod.get("restartPolicy") not in {"OnFailure", "Never"}:
            field, value = "spec.template.spec.restartPolicy", pod.get("restartPolicy", "")
            errors = [error for error in errors if error.field != field]
            words = 'valid values: "OnFailure", "Never"'
            wrong = field_error.not_supported(field, value, ("OnFailure", "Never"))
            errors.append(field_error.required(field, words) if value in {"", "Always"} else wrong)
        if spec.get("completionMode") == "Indexed" and "completions" not in spec:
            errors.append(field_error.required("spec.completions", "when completion mode is Indexed"))
        return errors + self._selector(spec, template)

    def _selector(self, spec: Object, template: Object) -> list[FieldError]:
        selector = spec.get("selector")
        if selector is None:
            return [field_error.required("spec.selector")] if spec.get("manualSelector") else []
        labels = (template.get("metadata") or {}).get("labels") or {}
        errors = []
        if not spec.get("manualSelector") and set(selector.get("matchLabels") or ()) != {_UID_LABELS[1]}:
            errors.append(field_error.bad_value("spec.selector", selector, "`selector` not auto-generated"))
        if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
            words = "`selector` does not match template `labels`"
            shown = dict(sorted(labels.items()))
            errors.append(field_error.bad_value("spec.template.metadata.labels", shown, words))
        return errors

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        after, before = new.get("spec") or {}, old.get("spec") or {}
        frozen = ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"]
        # a suspended job that never started may have its template changed for where its pods go
        if not (before.get("suspend") and not (old.get("status") or {}).get("startTime")):
            frozen.append("template")
        if before.get("completionMode") != "Indexed":
            frozen.append("completions")
        return [
            field_error.bad_value(f"spec.{name}", after.get(name), "field is immutable")
            for name in frozen
            if after.get(name) != before.get(name)
        ]
