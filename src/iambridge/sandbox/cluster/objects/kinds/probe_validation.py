"""Validation of a container's probes. Source: validateProbe in kubernetes pkg/apis/core/validation."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error
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
            errors += _port(probe[name].get("port"), f"{field}.{name}.port")
    scheme = (probe.get("httpGet") or {}).get("scheme", "HTTP")
    if scheme not in _SCHEMES:
        errors.append(field_error.not_supported(f"{field}.httpGet.scheme", scheme, _SCHEMES))
    return errors


def _port(port: Any, field: str) -> list[FieldError]:
    if isinstance(port, int):
        if not 1 <= port <= 65535:
            return [field_error.bad_value(field, port, "must be between 1 and 65535, inclusive")]
    elif not port:
        return [field_error.required(field)]
    return []
