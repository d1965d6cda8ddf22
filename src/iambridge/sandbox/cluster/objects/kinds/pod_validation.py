"""Validation of a pod's spec: the rules that this cluster relies on. Source: kubernetes pkg/apis/core/validation."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.container_validation import validate_containers
from iambridge.sandbox.cluster.objects.kinds.downward_validation import validate_items
from iambridge.sandbox.cluster.objects.kinds.placement_validation import validate_placement
from iambridge.sandbox.cluster.objects.kinds.security_validation import validate_pod_security
from iambridge.sandbox.cluster.objects.quantity import amount

_RESTART = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
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
_TOKEN_SECONDS = (600, 1 << 32)


def validate_spec(spec: Mapping[str, Any], field: str) -> list[FieldError]:
    volumes, errors = _volumes(spec.get("volumes") or (), f"{field}.volumes")
    containers = spec.get("containers") or []
    if not containers:
        errors.append(field_error.required(f"{field}.containers"))
    seen: set[str] = set()
    for key in ("containers", "initContainers"):
        errors += validate_containers(spec.get(key) or (), f"{field}.{key}", volumes, seen)
    errors += _host_ports(spec, field)
    if spec.get("restartPolicy") not in _RESTART:
        errors.append(field_error.not_supported(f"{field}.restartPolicy", spec.get("restartPolicy", ""), _RESTART))
    if spec.get("dnsPolicy") not in _DNS:
        errors.append(field_error.not_supported(f"{field}.dnsPolicy", spec.get("dnsPolicy", ""), _DNS))
    if "activeDeadlineSeconds" in spec and not 1 <= spec["activeDeadlineSeconds"] <= 2**31 - 1:
        words = "must be between 1 and 2147483647, inclusive"
        errors.append(field_error.bad_value(f"{field}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], words))
    for name, rule in (("serviceAccountName", names.dns_subdomain), ("nodeName", names.dns_subdomain)):
        if spec.get(name):
            errors += [field_error.bad_value(f"{field}.{name}", spec[name], fault) for fault in rule(spec[name])]
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        here, kind = f"{field}.readinessGates[{index}].conditionType", gate.get("conditionType", "")
        errors += [field_error.bad_value(here, kind, fault) for fault in names.qualified(kind)]
    errors += validate_pod_security(spec.get("securityContext") or {}, f"{field}.securityContext")
    return errors + validate_placement(spec, field)


def _host_ports(spec: Mapping[str, Any], field: str) -> list[FieldError]:
    """No two of the containers' host ports are the same, and those of the host network are the containers' own."""
    errors = []
    taken: set[str] = set()
    for number, container in enumerate(spec.get("containers") or ()):
        for index, port in enumerate(container.get("ports") or ()):
            here, host = f"{field}.containers[{number}].ports[{index}].hostPort", port.get("hostPort")
            if not host:
                continue
            if spec.get("hostNetwork") and host != port.get("containerPort"):
                words = "must match `containerPort` when `hostNetwork` is true"
                errors.append(field_error.bad_value(here, host, words))
            place = f"{port.get('protocol')}/{port.get('hostIP', '')}/{host}"
            if place in taken:
                errors.append(field_error.duplicate(here, place))
            taken.add(place)
    return errors


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
    limit = (volume.get("emptyDir") or {}).get("sizeLimit")
    if limit is not None and amount(str(limit)) < 0:
        words = "SizeLimit field must be a valid resource quantity"
        errors.append(field_error.forbidden(f"{field}.emptyDir.sizeLimit", words))
    errors += validate_items((volume.get("downwardAPI") or {}).get("items") or (), f"{field}.downwardAPI")
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        here = f"{field}.projected.sources[{index}].downwardAPI"
        errors += validate_items((source.get("downwardAPI") or {}).get("items") or (), here)
        if source.get("serviceAccountToken") is not None:
            errors += _token(source["serviceAccountToken"], f"{field}.projected", index)
        errors += [
            field_error.required(f"{field}.projected.sources[{index}].{key}.name")
            for key in ("secret", "configMap")
            if source.get(key) is not None and not source[key].get("name")
        ]
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


def _token(token: Mapping[str, Any], volume: str, index: int) -> list[FieldError]:
    field = f"{volume}.sources[{index}].serviceAccountToken"
    seconds, path = token.get("expirationSeconds", 3600), token.get("path", "")
    errors = []
    if seconds < _TOKEN_SECONDS[0]:
        words = "may not specify a duration less than 10 minutes"
        errors.append(field_error.bad_value(f"{field}.expirationSeconds", seconds, words))
    if seconds > _TOKEN_SECONDS[1]:
        words = "may not specify a duration larger than 2^32 seconds"
        errors.append(field_error.bad_value(f"{field}.expirationSeconds", seconds, words))
    if not path:
        errors.append(field_error.required(f"{volume}.path"))  # where kube-apiserver says that it is
    elif path.startswith("/"):
        errors.append(field_error.bad_value(f"{volume}.path", path, "must be a relative path"))
    elif ".." in path.split("/"):
        errors.append(field_error.bad_value(f"{volume}.path", path, "must not contain '..'"))
    return errors
