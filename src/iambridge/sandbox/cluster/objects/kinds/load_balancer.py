"""What a Service of type LoadBalancer has beside the others: its fields, and the status that a controller writes.

Sources: kubernetes pkg/apis/core/validation ValidateService and ValidateLoadBalancerStatus; pkg/registry/core/service
dropTypeDependentFields; pkg/apis/core/v1/defaults.go.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError

Spec = Mapping[str, Any]

TYPE = "LoadBalancer"
_OF_TYPE = ("allocateLoadBalancerNodePorts", "externalTrafficPolicy", "loadBalancerClass")
_ONLY_OF_TYPE = "may only be used when `type` is 'LoadBalancer'"
_POLICIES = ("Cluster", "Local")
_IP_MODES = ("Proxy", "VIP")
_NODE_PORTS = range(30000, 32768)


def default(spec: dict[str, Any], status: Mapping[str, Any]) -> None:
    """Changes `spec` and `status`. Node ports are not given out here, and the spec says so; Kubernetes gives them."""
    if spec.get("type") == TYPE:
        spec.setdefault("externalTrafficPolicy", "Cluster")
        spec.setdefault("allocateLoadBalancerNodePorts", False)
        for entry in _entries(status):
            if entry.get("ip"):
                entry.setdefault("ipMode", "VIP")


def forget(new: dict[str, Any], old: Spec) -> None:
    """Changes `new`: what stands there of the type that it had, and that the client did not change, goes with it."""
    if old.get("type") != TYPE or new.get("type") == TYPE:
        return
    for name in _OF_TYPE:
        if new.get(name) == old.get(name):
            new.pop(name, None)
    if _node_ports(new) == _node_ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)


def validate(spec: Spec) -> list[FieldError]:
    errors = []
    policy = spec.get("externalTrafficPolicy")
    if spec.get("type") != TYPE:
        errors += [
            field_error.forbidden(f"spec.{name}", _ONLY_OF_TYPE)
            for name in ("loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass")
            if spec.get(name) is not None
        ]
        if spec.get("type") == "ClusterIP" and policy:
            words = "may only be set for externally-accessible services"
            errors.append(field_error.bad_value("spec.externalTrafficPolicy", policy, words))
        return errors
    if spec.get("clusterIP") == "None":
        words = "may not be set to 'None' for LoadBalancer services"
        errors.append(field_error.bad_value("spec.clusterIPs[0]", "None", words))
    if policy not in _POLICIES:
        errors.append(field_error.not_supported("spec.externalTrafficPolicy", policy, _POLICIES))
    for index, value in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        if not _is_network(value):
            words = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            errors.append(field_error.bad_value(f"spec.loadBalancerSourceRanges[{index}]", value, words))
    if (name := spec.get("loadBalancerClass")) is not None:
        errors += [field_error.bad_value("spec.loadBalancerClass", name, fault) for fault in names.qualified(name)]
    return errors + list(_validate_node_ports(spec))


def immutable(new: Spec, old: Spec) -> list[FieldError]:
    """A controller that took a Service by its class keeps it."""
    before, after = old.get("loadBalancerClass"), new.get("loadBalancerClass")
    if new.get("type") == old.get("type") == TYPE and before != after:
        return [field_error.bad_value("spec.loadBalancerClass", after, "may not change once set")]
    return []


def validate_status(spec: Spec, status: Mapping[str, Any]) -> Iterator[FieldError]:
    here = "status.loadBalancer.ingress"
    entries = _entries(status)
    if entries and spec.get("type") != TYPE:
        yield field_error.forbidden(here, 'may only be used when `spec.type` is "LoadBalancer"')
        return
    for index, entry in enumerate(entries):
        address, host, mode = entry.get("ip"), entry.get("hostname"), entry.get("ipMode")
        if address and not _is_address(address):
            yield field_error.bad_value(f"{here}[{index}].ip", address, "must be a valid IP address")
        if mode is not None and not address:
            yield field_error.forbidden(f"{here}[{index}].ipMode", "may not be specified when `ip` is not set")
        elif mode is not None and mode not in _IP_MODES:
            yield field_error.not_supported(f"{here}[{index}].ipMode", mode, _IP_MODES)
        if host:
            for fault in names.dns_subdomain(host):
                yield field_error.bad_value(f"{here}[{index}].hostname", host, fault)
            if _is_address(host):
                words = "must be a DNS name, not an IP address"
                yield field_error.bad_value(f"{here}[{index}].hostname", host, words)


def _entries(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (status.get("loadBalancer") or {}).get("ingress") or []


def _node_ports(spec: Spec) -> list[int]:
    return [port.get("nodePort", 0) for port in spec.get("ports") or ()]


def _validate_node_ports(spec: Spec) -> Iterator[FieldError]:
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.get("ports") or ()):
        number = port.get("nodePort", 0)
        here = f"spec.ports[{index}].nodePort"
        if number and number not in _NODE_PORTS:
            words = "provided port is not in the valid range. The range of valid ports is 30000-32767"
            yield field_error.bad_value(here, number, words)
        if number and (port.get("protocol", ""), number) in seen:
            yield field_error.duplicate(here, number)
        seen.add((port.get("protocol", ""), number))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return "/" in text
