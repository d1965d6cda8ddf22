"""The row of a Service. Source: printService in pkg/printers/internalversion/printers.go."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.durations import age

Item = Mapping[str, Any]


def cells(service: Item, now: float) -> list[Any]:
    spec = service["spec"]
    ports = [f"{each['port']}/{each.get('protocol', 'TCP')}" for each in spec.get("ports") or ()]
    selector = [f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items())]
    return [
        service["metadata"]["name"],
        spec.get("type", ""),
        next(iter(spec.get("clusterIPs") or ()), "<none>"),
        "<none>",
        ",".join(ports) or "<none>",
        age(service, now),
        ",".join(selector) or "<none>",
    ]
