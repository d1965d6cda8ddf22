"""Validation of securityContexts. Source: kubernetes pkg/apis/core/validation (validatePodSpecSecurityContext)."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.field_error import FieldError

_MOST = 2**31 - 1
_SECCOMP = ("Localhost", "RuntimeDefault", "Unconfined")
_GO_FIELDS = (
    "Privileged",
    "SELinuxOptions",
    "WindowsOptions",
    "RunAsUser",
    "RunAsGroup",
    "RunAsNonRoot",
    "ReadOnlyRootFilesystem",
    "AllowPrivilegeEscalation",
    "ProcMount",
    "SeccompProfile",
    "AppArmorProfile",
)
_NO_ESCALATION = "cannot set `allowPrivilegeEscalation` to false and"


def validate_pod_security(context: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = _ids(context, field, ("fsGroup", "runAsUser", "runAsGroup"))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        errors += _id(group, f"{field}.supplementalGroups[{index}]")
    return errors + _seccomp(context.get("seccompProfile"), f"{field}.seccompProfile")


def validate_container_security(context: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = _ids(context, field, ("runAsUser", "runAsGroup"))
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            errors.append(field_error.bad_value(field, _go(context), f"{_NO_ESCALATION} `privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            words = f"{_NO_ESCALATION} `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(field_error.bad_value(field, _go(context), words))
    return errors + _seccomp(context.get("seccompProfile"), f"{field}.seccompProfile")


def _ids(context: Mapping[str, Any], field: str, names: tuple[str, ...]) -> list[FieldError]:
    return [error for name in names if name in context for error in _id(context[name], f"{field}.{name}")]


def _id(number: int, field: str) -> list[FieldError]:
    if 0 <= number <= _MOST:
        return []
    return [field_error.bad_value(field, number, f"must be between 0 and {_MOST}, inclusive")]


def _seccomp(profile: Mapping[str, Any] | None, field: str) -> list[FieldError]:
    if profile is None:
        return []
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    if kind not in _SECCOMP:
        if not kind:
            return [field_error.required(f"{field}.type", "type is required when seccompProfile is set")]
        return [field_error.not_supported(f"{field}.type", kind, _SECCOMP)]
    if kind == "Localhost":
        words = "must be set when seccomp type is Localhost"
        return [] if local else [field_error.required(f"{field}.localhostProfile", words)]
    if local is None:
        return []
    words = "can only be set when seccomp type is Localhost"
    shown = {"Type": kind, "LocalhostProfile": local}
    return [field_error.bad_value(f"{field}.localhostProfile", shown, words)]


def _go(context: Mapping[str, Any]) -> dict[str, Any]:
    """A container's context as Kubernetes shows it in a message: the Go value, with every field."""
    given = context.get("capabilities")
    capabilities = given and {"Add": given.get("add"), "Drop": given.get("drop")}
    return {"Capabilities": capabilities} | {name: context.get(name[0].lower() + name[1:]) for name in _GO_FIELDS}
