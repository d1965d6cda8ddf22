"""What a Service is in a cluster without a service network: the target of admission webhooks, and nothing else."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.field_error import FieldError

_NO_NETWORK = "this cluster has no service network: no cluster IP, no proxy, no DNS"
_UNSERVED = ("externalIPs", "externalName", "loadBalancerIP", "loadBalancerClass", "healthCheckNodePort")


def refusals(obj: Mapping[str, Any]) -> list[FieldError]:
    """What would not mean here what it means elsewhere, as 422 causes."""
    spec = obj.get("spec") or {}
    errors = []
    if spec.get("type", "ClusterIP") in {"ExternalName", "LoadBalancer", "NodePort"}:
        errors.append(field_error.forbidden("spec.type", f"{spec['type']}: {_NO_NETWORK}"))
    if spec.get("clusterIP", "None") not in {"", "None"}:
        errors.append(field_error.forbidden("spec.clusterIP", f"{_NO_NETWORK}; leave it out, or set it to None"))
    if (spec.get("ipFamilies") or ["IPv4"])[0] != "IPv4":
        words = "not configured on this cluster"
        errors.append(field_error.bad_value("spec.ipFamilies[0]", spec["ipFamilies"][0], words))
    return errors + [field_error.forbidden(f"spec.{name}", _NO_NETWORK) for name in _UNSERVED if spec.get(name)]


def warnings(obj: Mapping[str, Any]) -> list[str]:
    """What a user of Services elsewhere would miss."""
    out = [f"spec: {_NO_NETWORK}; only admission webhooks reach this Service's ready pods"]
    if not (obj.get("spec") or {}).get("selector"):
        out.append("spec.selector: without one this Service reaches no pod: Endpoints are not served")
    return out
