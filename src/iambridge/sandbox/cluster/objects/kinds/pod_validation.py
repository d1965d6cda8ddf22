"""Validation of a pod's spec: the rules that this cluster relies on. Source: kubernetes pkg/apis/core/validation."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.placement_validation import validate_placement
from iambridge.sandbox.cluster.objects.kinds.probe_validation import validate_probes

_RESTART = ("Always", "OnFailure", "Never")
_PULL = ("Always", "IfNotPresent", "Never")
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
_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_SIDECAR_ONLY = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_TOKEN_SECONDS = (600, 1 << 32)


def validate_spec(spec: Mapping[str, Any], field: str) -> list[FieldError]:
    volumes, errors = _volumes(spec.get("volumes") or (), f"{field}.volumes")
    containers = spec.get("containers") or []
    if not containers:
        errors.append(field_error.required(f"{field}.containers"))
    seen: set[str] = set()
    for key in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(key) or ()):
            here = f"{field}.{key}[{index}]"
            errors += _container(container, here, volumes, seen)
            errors += _restart_policy(container, here, initial=key == "initContainers")
    if spec.get("restartPolicy") not in _RESTART:
        errors.append(field_error.not_supported(f"{field}.restartPolicy", spec.get("restartPolicy", ""), _RESTART))
    if "activeDeadlineSeconds" in spec and not 1 <= spec["activeDeadlineSeconds"] <= 2**31 - 1:
        words = "must be between 1 and 2147483647, inclusive"
        errors.append(field_error.bad_value(f"{field}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], words))
    for name, rule in (("serviceAccountName", names.dns_subdomain), ("nodeName", names.dns_subdomain)):
        if spec.get(name):
            errors += [field_error.bad_value(f"{field}.{name}", spec[name], fault) for fault in rule(spec[name])]
    return errors + validate_placement(spec, field)


def _volumes(volumes: Any, field: str) -> tuple[set[str], list[FieldError]]:
    found: set[str] = set()
    errors: list[FieldError] = []
    for index, volume in enumerate(volumes):
        here = f"{field}[{index}]"
        name = volume.get("name", "")
        if not name:
            errors.append(field_error.required(f"{here}.name"))
        elif name in found:
            errors.append(field_error.duplicate(f"{here}.name", name))
        errors += [field_error.bad_value(f"{here}.name", name, fault) for fault in names.dns_label(name) if name]
        found.add(name)
        sources = [key for key, value in volume.items() if key != "name" and value is not None]
        errors += [
            field_error.forbidden(f"{here}.{key}", "may not specify more than 1 volume type") for key in sources[1:]
        ]
        errors += _volume_source(volume, here)
    return found, errors


def _volume_source(volume: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = []
    if volume.get("secret") is not None and not volume["secret"].get("secretName"):
        errors.append(field_error.required(f"{field}.secret.secretName"))
    if volume.get("configMap") is not None and not volume["configMap"].get("name"):
        errors.append(field_error.required(f"{field}.configMap.name"))
    if volume.get("hostPath") is not None:
        errors += _host_path(volume["hostPath"], f"{field}.hostPath")
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        if source.get("serviceAccountToken") is not None:
            errors += _token(source["serviceAccountToken"], f"{field}.projected.sources[{index}].serviceAccountToken")
    return errors


def _host_path(source: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = []
    if not source.get("path"):
        errors.append(field_error.required(f"{field}.path"))
    elif ".." in source["path"].split("/"):
        errors.append(field_error.bad_value(f"{field}.path", source["path"], "must not contain '..'"))
    if source.get("type", "") not in _HOST_PATH_TYPES:
        errors.append(field_error.not_supported(f"{field}.type", source["type"], _HOST_PATH_TYPES))
    return errors


def _token(token: Mapping[str, Any], field: str) -> list[FieldError]:
    seconds, path = token.get("expirationSeconds", 3600), token.get("path", "")
    errors = []
    if seconds < _TOKEN_SECONDS[0]:
        words = "may not specify a duration less than 10 minutes"
        errors.append(field_error.bad_value(f"{field}.expirationSeconds", seconds, words))
    if seconds > _TOKEN_SECONDS[1]:
        words = "may not specify a duration larger than 2^32 seconds"
        errors.append(field_error.bad_value(f"{field}.expirationSeconds", seconds, words))
    if not path:
        errors.append(field_error.required(f"{field}.path"))
    elif path.startswith("/"):
        errors.append(field_error.bad_value(f"{field}.path", path, "must be a relative path"))
    elif ".." in path.split("/"):
        errors.append(field_error.bad_value(f"{field}.path", path, "must not contain '..'"))
    return errors


def _container(container: Mapping[str, Any], field: str, volumes: set[str], seen: set[str]) -> list[FieldError]:
    errors = []
    name = container.get("name", "")
    if not name:
        errors.append(field_error.required(f"{field}.name"))
    else:
        errors += [field_error.bad_value(f"{field}.name", name, fault) for fault in names.dns_label(name)]
        if name in seen:
            errors.append(field_error.duplicate(f"{field}.name", name))
        seen.add(name)
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
    return errors + validate_probes(container, field)


def _restart_policy(container: Mapping[str, Any], field: str, *, initial: bool) -> list[FieldError]:
    """What only a sidecar may have. Source: validateInitContainers."""
    policy = container.get("restartPolicy")
    if not initial:
        words = "may not be set for non-init containers"
        return [field_error.forbidden(f"{field}.restartPolicy", words)] if policy is not None else []
    if policy == "Always":
        return []
    words = "may not be set for init containers without restartPolicy=Always"
    errors = [field_error.forbidden(f"{field}.{name}", words) for name in _SIDECAR_ONLY if container.get(name)]
    if policy is not None:
        errors.append(field_error.not_supported(f"{field}.restartPolicy", policy, ("Always",)))
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
        path = (source.get("fieldRef") or {}).get("fieldPath")
        if (
            path is not None
            and path not in _FIELD_PATHS
            and not path.startswith(("metadata.labels[", "metadata.annotations["))
        ):
            errors.append(field_error.not_supported(f"{here}.valueFrom.fieldRef.fieldPath", path, _FIELD_PATHS))
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
            value = mount.get(part, "")
            if value.startswith("/"):
                errors.append(field_error.bad_value(f"{here}.{part}", value, "must be a relative path"))
            elif ".." in value.split("/"):
                errors.append(field_error.bad_value(f"{here}.{part}", value, "must not contain '..'"))
    return errors


def _ports(container: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = []
    for index, port in enumerate(container.get("ports") or ()):
        here = f"{field}.ports[{index}]"
        number = port.get("containerPort", 0)
        if not number:
            errors.append(field_error.required(f"{here}.containerPort"))
        elif not 1 <= number <= 65535:
            errors.append(
                field_error.bad_value(f"{here}.containerPort", number, "must be between 1 and 65535, inclusive")
            )
        if port.get("protocol") not in {"TCP", "UDP", "SCTP"}:
            errors.append(
                field_error.not_supported(f"{here}.protocol", port.get("protocol", ""), ("SCTP", "TCP", "UDP"))
            )
    return errors
