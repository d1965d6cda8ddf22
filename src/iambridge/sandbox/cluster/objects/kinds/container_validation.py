"""Validation of containers in a pod's spec. Source: kubernetes pkg/apis/core/validation (validateContainers)."""

from collections.abc import Iterable, Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.downward_validation import validate_resource_field
from iambridge.sandbox.cluster.objects.kinds.probe_validation import validate_probes
from iambridge.sandbox.cluster.objects.kinds.resource_validation import validate_resources
from iambridge.sandbox.cluster.objects.kinds.security_validation import validate_container_security

_PULL = ("Always", "IfNotPresent", "Never")
_RESTART = ("Always", "Never", "OnFailure")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_FIELD_PATHS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_SIDECAR_ONLY = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


def validate_containers(
    containers: Iterable[Mapping[str, Any]], field: str, volumes: set[str], seen: set[str]
) -> list[FieldError]:
    """`volumes` are the names of the pod's volumes; the containers' own names are added to `seen`."""
    errors = []
    for index, container in enumerate(containers):
        errors += _name(container, f"{field}[{index}].name", seen)
    for index, container in enumerate(containers):
        errors += _container(container, f"{field}[{index}]", volumes)
        errors += _restart_policy(container, f"{field}[{index}]", initial=field.endswith(".initContainers"))
    return errors


def _name(container: Mapping[str, Any], field: str, seen: set[str]) -> list[FieldError]:
    name = container.get("name", "")
    if not name:
        return [field_error.required(field)]
    errors = [field_error.bad_value(field, name, fault) for fault in names.dns_label(name)]
    if name in seen:
        errors.append(field_error.duplicate(field, name))
    seen.add(name)
    return errors


def _container(container: Mapping[str, Any], field: str, volumes: set[str]) -> list[FieldError]:
    errors = []
    image = container.get("image", "")
    if not image:
        errors.append(field_error.required(f"{field}.image"))
    elif image != image.strip():
        errors.append(field_error.bad_value(f"{field}.image", image, "must not have leading or trailing whitespace"))
    if container.get("imagePullPolicy") not in _PULL:
        errors.append(
            field_error.not_supported(f"{field}.imagePullPolicy", container.get("imagePullPolicy", ""), _PULL)
        )
    errors += _environment(container, field) + _mounts(container, field, volumes) + _ports(container, field)
    return (
        errors
        + validate_resources(container.get("resources") or {}, f"{field}.resources")
        + validate_probes(container, field)
        + validate_container_security(container.get("securityContext") or {}, f"{field}.securityContext")
    )


def _restart_policy(container: Mapping[str, Any], field: str, *, initial: bool) -> list[FieldError]:
    """Any container may have a policy of its own, since 1.34; an init container with Always is a sidecar."""
    policy = container.get("restartPolicy")
    errors = []
    if initial and policy != "Always":
        words = "may not be set for init containers without restartPolicy=Always"
        errors = [field_error.forbidden(f"{field}.{name}", words) for name in _SIDECAR_ONLY if container.get(name)]
    if policy is not None and policy not in _RESTART:
        errors.append(field_error.not_supported(f"{field}.restartPolicy", policy, _RESTART))
    return errors


def _environment(container: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = []
    for index, variable in enumerate(container.get("env") or ()):
        here = f"{field}.env[{index}]"
        if not variable.get("name"):
            errors.append(field_error.required(f"{here}.name"))
        else:
            faults = names.environment_name(variable["name"])
            errors += [field_error.bad_value(f"{here}.name", variable["name"], fault) for fault in faults]
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            errors.append(
                field_error.bad_value(f"{here}.valueFrom", "", "may not be specified when `value` is not empty")
            )
        given = [key for key, value in source.items() if value is not None]
        if len(given) != 1:
            words = (
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            )
            words = words if not given else "may not have more than one field specified at a time"
            errors.append(field_error.bad_value(f"{here}.valueFrom", "", words))
        if source.get("resourceFieldRef") is not None:
            errors += validate_resource_field(source["resourceFieldRef"], f"{here}.valueFrom.resourceFieldRef")
        path = (source.get("fieldRef") or {}).get("fieldPath")
        if (
            path is not None
            and path not in _FIELD_PATHS
            and not path.startswith(("metadata.labels[", "metadata.annotations["))
        ):
            words = f"error converting fieldPath: field label not supported: {path}"
            errors.append(field_error.bad_value(f"{here}.valueFrom.fieldRef.fieldPath", path, words))
    return errors


def _mounts(container: Mapping[str, Any], field: str, volumes: set[str]) -> list[FieldError]:
    errors = []
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{field}.volumeMounts[{index}]"
        if not mount.get("name"):
            errors.append(field_error.required(f"{here}.name"))
        elif mount["name"] not in volumes:
            errors.append(field_error.not_found(f"{here}.name", mount["name"]))
        path = mount.get("mountPath", "")
        if not path:
            errors.append(field_error.required(f"{here}.mountPath"))
        elif path in paths:
            errors.append(field_error.bad_value(f"{here}.mountPath", path, "must be unique"))
        paths.add(path)
        for part in ("subPath", "subPathExpr"):
            value, where = mount.get(part, ""), f"{field}.volumeMounts.{part}"  # kube-apiserver leaves the index out
            if value.startswith("/"):
                errors.append(field_error.bad_value(where, value, "must be a relative path"))
            elif ".." in value.split("/"):
                errors.append(field_error.bad_value(where, value, "must not contain '..'"))
    return errors


def _ports(container: Mapping[str, Any], field: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        here = f"{field}.ports[{index}]"
        number, name = port.get("containerPort", 0), port.get("name", "")
        if name:
            errors += [field_error.bad_value(f"{here}.name", name, fault) for fault in names.port_name(name)]
            if name in seen:
                errors.append(field_error.duplicate(f"{here}.name", name))
            seen.add(name)
        if not number:
            errors.append(field_error.required(f"{here}.containerPort"))
        elif not 1 <= number <= 65535:
            words = "must be between 1 and 65535, inclusive"
            errors.append(field_error.bad_value(f"{here}.containerPort", number, words))
        if port.get("protocol") not in _PROTOCOLS:
            errors.append(field_error.not_supported(f"{here}.protocol", port.get("protocol", ""), _PROTOCOLS))
    return errors
