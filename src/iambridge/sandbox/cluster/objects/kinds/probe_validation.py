"""Validation of a container's probes. Source: validateProbe in kubernetes pkg/apis/core/validation."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_SCHEMES = ("HTTP", "HTTPS")
_ONCE = ("livenessProbe", "startupProbe")


def validate_probes(container: Mapping[str, Any], field: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            errors += _probe(container[name], f"{field}.{name}", once=name in _ONCE)
            errors += _grace(container[name], f"{field}.{name}.terminationGracePeriodSeconds")
    return errors


def _probe(probe: Mapping[str, Any], field: str, *, once: bool) -> list[FieldError]:
    given = [name for name in _HANDLERS if probe.get(name) is not None]
    errors = [field_error.required(field, "must specify a handler type")] if not given else []
    errors += [
        field_error.forbidden(f"{field}.{name}", "may not specify more than 1 handler type") for name in given[1:]
    ]
    for name in _COUNTS:
        if probe.get(name, 0) < 0:
            errors.append(field_error.bad_value(f"{field}.{name}", probe[name], "must be greater than or equal to 0"))
    if once and probe.get("successThreshold", 1) != 1:
        errors.append(field_error.bad_value(f"{field}.successThreshold", probe["successThreshold"], "must be 1"))
    for name in ("httpGet", "tcpSocket"):
        if probe.get(name) is not None:
            errors += validate_port(probe[name].get("port"), f"{field}.{name}.port")
    for header in (probe.get("httpGet") or {}).get("httpHeaders") or ():
        faults = names.http_header(header.get("name", ""))
        errors += [field_error.bad_value(f"{field}.httpGet.httpHeaders", header.get("name", ""), one) for one in faults]
    scheme = (probe.get("httpGet") or {}).get("scheme", "HTTP")
    if scheme not in _SCHEMES:
        errors.append(field_error.not_supported(f"{field}.httpGet.scheme", scheme, _SCHEMES))
    return errors


def _grace(probe: Mapping[str, Any], field: str) -> list[FieldError]:
    seconds = probe.get("terminationGracePeriodSeconds")
    if seconds is None:
        return []
    if field.endswith("readinessProbe.terminationGracePeriodSeconds"):
        return [field_error.bad_value(field, seconds, "must not be set for readinessProbes")]
    return [field_error.bad_value(field, seconds, "must be greater than 0")] if seconds <= 0 else []


def validate_port(port: Any, field: str) -> list[FieldError]:
    """A port's number, or the name of a container's port."""
    if port is None:
        port = 0
    if isinstance(port, str):
        return [field_error.bad_value(field, port, fault) for fault in names.port_name(port)]
    if 1 <= port <= 65535:
        return []
    return [field_error.bad_value(field, port, "must be between 1 and 65535, inclusive")]
