"""A container's own resources as the downward API tells them. Source: core/v1 ResourceFieldSelector;
kubernetes pkg/api/v1/resource ExtractContainerResourceValue and MergeContainerResourceLimits.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from iambridge.errors import CreateContainerConfigError
from iambridge.sandbox.cluster.objects.quantity import amount

Object = Mapping[str, Any]
_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def resource_value(container: Object, selector: Object, allocatable: Mapping[str, str]) -> str:
    """`limits.memory` and the like, divided and rounded up. A limit that is not set is what the node has to give.

    Raises:
        CreateContainerConfigError: a resource that is not there.
    """
    kind, _, name = selector.get("resource", "").partition(".")
    if kind not in {"limits", "requests"} or name not in _RESOURCES:
        known = ", ".join(f"{kind}.{name}" for kind in ("limits", "requests") for name in _RESOURCES)
        raise CreateContainerConfigError(
            f"unsupported container resource : {selector.get('resource', '')}", fix=f"use one of {known}"
        )
    resources = container.get("resources") or {}
    text = str((resources.get(kind) or {}).get(name) or (allocatable.get(name, "0") if kind == "limits" else "0"))
    divisor = amount(str(selector.get("divisor") or "1")) or Decimal(1)
    return str(int((amount(text) / divisor).to_integral_value(ROUND_CEILING)))


def container_named(pod: Object, name: str) -> Object:
    """The container of a pod, init containers included.

    Raises:
        CreateContainerConfigError: there is none of this name.
    """
    containers: list[Object] = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    for container in containers:
        if container["name"] == name:
            return container
    raise CreateContainerConfigError(f"container {name} not found", fix="name a container of the pod")
