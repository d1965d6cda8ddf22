"""Service. Sources: kubernetes pkg/apis/core/v1/defaults.go; pkg/apis/core/validation ValidateService."""

import copy
from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds import load_balancer
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy
from iambridge.sandbox.cluster.objects.kinds.probe_validation import validate_port

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_KNOWN = {
    "type": _TYPES,
    "sessionAffinity": ("ClientIP", "None"),
    "internalTrafficPolicy": ("Cluster", "Local"),
    "ipFamilyPolicy": ("PreferDualStack", "RequireDualStack", "SingleStack"),
}
_AFFINITY_SECONDS = 10800


class ServiceStrategy(Strategy):
    def prepare_create(self, obj: Object) -> Object:
        return {**super().prepare_create(obj), "status": {"loadBalancer": {}}}

    def prepare_update(self, new: Object, old: Object, subresource: str = "") -> Object:
        out = super().prepare_update(new, old, subresource)
        load_balancer.forget(out.get("spec") or {}, old.get("spec") or {})
        return out

    def default(self, obj: Object) -> Object:
        out = copy.deepcopy(obj)
        spec = out.setdefault("spec", {})
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec["sessionAffinity"] == "ClientIP":
            config = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
            config.setdefault("timeoutSeconds", _AFFINITY_SECONDS)
        # whoever keeps the endpoints of a headless Service without selector may have both families
        both = spec.get("clusterIP") == "None" and not spec.get("selector")
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack" if both else "SingleStack")
        if spec.get("clusterIP"):
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
        for port in spec.get("ports") or ():
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port", 0))
        load_balancer.default(spec, out.get("status") or {})
        return out

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = []
        if not spec.get("ports") and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
            errors.append(field_error.required("spec.ports"))
        errors += _ports(spec.get("ports") or (), spec.get("type"))
        for key, value in (spec.get("selector") or {}).items():
            errors += [field_error.bad_value("spec.selector", key, fault) for fault in names.qualified(key)]
            errors += [field_error.bad_value("spec.selector", value, fault) for fault in names.label_value(value)]
        for name, known in _KNOWN.items():
            if spec.get(name) not in known:
                errors.append(field_error.not_supported(f"spec.{name}", spec.get(name, ""), known))
        return errors + load_balancer.validate(spec)

    def validate_update(self, new: Object, old: Object, subresource: str = "") -> list[FieldError]:
        errors = super().validate_update(new, old, subresource)
        if subresource == "status":
            errors += load_balancer.validate_status(new["spec"], new.get("status") or {})
        return errors

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        before, after = (one["spec"].get("clusterIP") for one in (old, new))
        if before and before != after:
            return [field_error.bad_value("spec.clusterIP", after, "field is immutable")]
        return load_balancer.immutable(new["spec"], old["spec"])


def _ports(ports: Any, kind: str | None) -> list[FieldError]:
    errors = []
    seen: set[tuple[int, str]] = set()
    called: set[str] = set()
    for index, port in enumerate(ports):
        here = f"spec.ports[{index}]"
        name, number, protocol = port.get("name", ""), port.get("port", 0), port.get("protocol", "")
        if not name and len(ports) > 1:
            errors.append(field_error.required(f"{here}.name"))
        elif name:
            errors += [field_error.bad_value(f"{here}.name", name, fault) for fault in names.dns_label(name)]
            if name in called:
                errors.append(field_error.duplicate(f"{here}.name", name))
            called.add(name)
        errors += _port(port, here, kind)
        if (number, protocol) in seen:
            # Kubernetes shows the Go value that it compared
            shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number, "TargetPort": 0}
            errors.append(field_error.duplicate(here, {**shown, "NodePort": 0}))
        seen.add((number, protocol))
    return errors


def _port(port: Mapping[str, Any], field: str, kind: str | None) -> list[FieldError]:
    number, protocol = port.get("port", 0), port.get("protocol", "")
    errors = []
    if not 1 <= number <= 65535:
        errors.append(field_error.bad_value(f"{field}.port", number, "must be between 1 and 65535, inclusive"))
    if protocol not in _PROTOCOLS:
        errors.append(field_error.not_supported(f"{field}.protocol", protocol, _PROTOCOLS))
    errors += validate_port(port.get("targetPort"), f"{field}.targetPort")
    if port.get("appProtocol") is not None:
        faults = names.qualified(port["appProtocol"])
        errors += [field_error.bad_value(f"{field}.appProtocol", port["appProtocol"], fault) for fault in faults]
    if port.get("nodePort") and kind == "ClusterIP":
        errors.append(field_error.forbidden(f"{field}.nodePort", "may not be used when `type` is 'ClusterIP'"))
    return errors
