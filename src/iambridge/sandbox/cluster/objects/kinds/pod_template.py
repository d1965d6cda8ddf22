"""Pod templates as the workload kinds carry them.

Source: kubernetes pkg/apis/core/validation ValidatePodTemplateSpec and
pkg/apis/apps/validation ValidatePodTemplateSpecForReplicaSet.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.core import label_selector
from iambridge.sandbox.cluster.objects import field_error, object_meta
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.pod_validation import validate_spec
from iambridge.sandbox.cluster.objects.kinds.selectors import validate_selector


def validate_template(
    template: Mapping[str, Any], selector: Mapping[str, Any] | None, field: str, owner: str
) -> list[FieldError]:
    """The faults of a template whose pods `selector` must select and `owner` (a kind) keeps running."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    spec = template.get("spec") or {}
    errors = []
    if not _selects(selector, labels):
        words = "`selector` does not match template `labels`"
        errors.append(field_error.bad_value(f"{field}.metadata.labels", labels or None, words))
    errors += object_meta.labels(labels, f"{field}.labels")
    errors += object_meta.annotations((template.get("metadata") or {}).get("annotations"), f"{field}.annotations")
    errors += validate_spec(spec, f"{field}.spec")
    if spec.get("restartPolicy") != "Always":
        value = spec.get("restartPolicy", "")
        errors.append(field_error.not_supported(f"{field}.spec.restartPolicy", value, ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        words = f"activeDeadlineSeconds in {owner} is not Supported"
        errors.append(field_error.forbidden(f"{field}.spec.activeDeadlineSeconds", words))
    return errors


def _selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """An absent selector selects nothing; one that cannot be read has a fault of its own."""
    return bool(validate_selector(selector, "selector")) or label_selector.matches(selector, labels)
