"""Service. Sources: kubernetes pkg/apis/core/v1/defaults.go; pkg/apis/core/validation ValidateService."""

import copy
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_AFFINITIES = ("ClientIP", "None")


class ServiceStrategy(Strategy):
    def prepare_create(self, obj: Object) -> Object:
        return {**super().prepare_create(obj), "status": {"loadBalancer": {}}}

    def default(self, obj: Object) -> Object:
        out = copy.deepcopy(obj)
        spec = out.setdefault("spec", {})
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if spec.get("clusterIP"):
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
        for port in spec.get("ports") or ():
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port", 0))
        return out

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = []
        if not spec.get("ports") and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
            errors.append(field_error.required("spec.ports"))
        errors += _ports(spec.get("ports") or ())
        for key, value in (spec.get("selector") or {}).items():
            errors += [field_error.bad_value("spec.selector", key, fault) for fault in names.qualified(key)]
            errors += [field_error.bad_value("spec.selector", value, fault) for fault in names.label_value(value)]
        for name, known in (("type", _TYPES), ("sessionAffinity", _AFFINITIES)):
            if spec.get(name) not in known:
                errors.append(field_error.not_supported(f"spec.{name}", spec.get(name, ""), known))
        return errors

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        before, after = (one["spec"].get("clusterIP") for one in (old, new))
        if before and before != after:
            return [field_error.bad_value("spec.clusterIP", after, "field is immutable")]
        return []


def _ports(ports: Any) -> list[FieldError]:
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
        if not 1 <= number <= 65535:
            errors.append(field_error.bad_value(f"{here}.port", number, "must be between 1 and 65535, inclusive"))
        if protocol not in _PROTOCOLS:
            errors.append(field_error.not_supported(f"{here}.protocol", protocol, _PROTOCOLS))
        target = port.get("targetPort")
        if isinstance(target, int) and not 1 <= target <= 65535:
            errors.append(field_error.bad_value(f"{here}.targetPort", target, "must be between 1 and 65535, inclusive"))
        if (number, protocol) in seen:
            errors.append(field_error.duplicate(here, {"port": number, "protocol": protocol}))
        seen.add((number, protocol))
    return errors
