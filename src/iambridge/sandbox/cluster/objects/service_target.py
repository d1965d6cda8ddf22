"""What a Service is in a cluster without a service network.

Admission webhooks are called by it, and a controller of the user's own may act on one of type LoadBalancer: make the
load balancer in AWS, write its name into the status, give it a DNS record. Nothing else comes of it.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.field_error import FieldError

_NO_NETWORK = "this cluster has no service network: no cluster IP, no proxy, no DNS"
_UNSERVED = ("externalIPs", "externalName", "loadBalancerIP", "healthCheckNodePort")


def refusals(obj: Mapping[str, Any]) -> list[FieldError]:
    """What would not mean here what it means elsewhere, as 422 causes."""
    spec = obj.get("spec") or {}
    errors = []
    if spec.get("type", "ClusterIP") in {"ExternalName", "NodePort"}:
        errors.append(field_error.forbidden("spec.type", f"{spec['type']}: {_NO_NETWORK}"))
    if spec.get("clusterIP", "None") not in {"", "None"}:
        errors.append(field_error.forbidden("spec.clusterIP", f"{_NO_NETWORK}; leave it out, or set it to None"))
    if (spec.get("ipFamilies") or ["IPv4"])[0] != "IPv4":
        words = "not configured on this cluster"
        errors.append(field_error.bad_value("spec.ipFamilies[0]", spec["ipFamilies"][0], words))
    if spec.get("allocateLoadBalancerNodePorts") and not all(port.get("nodePort") for port in spec.get("ports") or ()):
        words = "this cluster gives out no node ports; leave it out, or name a nodePort for each port"
        errors.append(field_error.forbidden("spec.allocateLoadBalancerNodePorts", words))
    return errors + [field_error.forbidden(f"spec.{name}", _NO_NETWORK) for name in _UNSERVED if spec.get(name)]


def warnings(obj: Mapping[str, Any]) -> list[str]:
    """What a user of Services elsewhere would miss."""
    spec = obj.get("spec") or {}
    out = [f"spec: {_NO_NETWORK}; only admission webhooks reach this Service's ready pods"]
    if spec.get("type") == "LoadBalancer":
        out.append("spec.type: LoadBalancer: made by a controller that you run, or by nobody; no node port leads here")
    if not spec.get("selector"):
        out.append("spec.selector: without one this Service reaches no pod: Endpoints are not served")
    return out
