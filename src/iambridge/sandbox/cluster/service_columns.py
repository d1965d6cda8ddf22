"""The row of a Service. Source: printService in pkg/printers/internalversion/printers.go."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.durations import age

Item = Mapping[str, Any]


def cells(service: Item, now: float) -> list[Any]:
    spec = service["spec"]
    ports = [_port(each) for each in spec.get("ports") or ()]
    selector = [f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items())]
    return [
        service["metadata"]["name"],
        spec.get("type", ""),
        next(iter(spec.get("clusterIPs") or ()), "<none>"),
        _external(service),
        ",".join(ports) or "<none>",
        age(service, now),
        ",".join(selector) or "<none>",
    ]


def _port(port: Item) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def _external(service: Item) -> str:
    """Where a load balancer is reached, as its controller says it."""
    if service["spec"].get("type") != "LoadBalancer":
        return "<none>"
    entries = (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
    found = {each.get("ip") or each.get("hostname") or "" for each in entries}
    return ",".join(sorted(found - {""})) or "<pending>"
