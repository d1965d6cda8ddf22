"""/scale of workloads: the part of a Deployment or ReplicaSet that an autoscaler may see and change.

Source: pkg/registry/apps/deployment/storage ScaleREST; autoscaling/v1 Scale.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster import metadata
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects import field_error, json_patch, merge_patch, strategic_merge
from iambridge.sandbox.cluster.objects.types import type_of
from iambridge.sandbox.cluster.registry import Patch, Registry, Target, View
from iambridge.sandbox.cluster.resources import SCALE
from iambridge.sandbox.cluster.subresources import body_of

_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(workload: Mapping[str, Any]) -> Object:
    """The Scale that a workload shows."""
    spec, meta = workload.get("spec") or {}, workload["metadata"]
    status: Object = {"replicas": (workload.get("status") or {}).get("replicas") or 0}
    selector = selector_text(spec.get("selector") or {})
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in _SHOWN if name in meta},
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": status,
    }


def scaled(workload: Object, scale: Mapping[str, Any]) -> Object:
    """The workload with the size that `scale` asks for."""
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    meta = {**workload["metadata"]}
    if (scale.get("metadata") or {}).get("resourceVersion"):
        meta["resourceVersion"] = scale["metadata"]["resourceVersion"]
    return {**workload, "metadata": meta, "spec": {**workload["spec"], "replicas": replicas}}


VIEW = View(scale_of, scaled)


async def change(registry: Registry, call: Call, target: Target, wanted: Object | Patch) -> Object:
    """Replace or patch a Scale; returns the new one.

    Raises:
        KubernetesError: as kube-apiserver answers; BadRequest for an apply, which is not modelled here.
    """
    if isinstance(wanted, Patch) and wanted.kind == "apply":
        raise BadRequest(
            f"{target.resource.plural}/scale cannot be applied here",
            fix="apply spec.replicas of the object itself, or send a merge patch to /scale",
        )

    async def changed(live: Object) -> Object:
        shown = scale_of(live)
        new = body_of(call, SCALE, _patched(shown, wanted) if isinstance(wanted, Patch) else wanted)
        _check(target, new, shown)
        return scaled(live, new)

    return scale_of(await registry.change(call, target, changed, view=VIEW))


def _patched(shown: Object, patch: Patch) -> Object:
    match patch.kind:
        case "json":
            found: Object = json_patch.apply(shown, patch.body)
        case "merge":
            found = merge_patch.apply(shown, patch.body)
        case _:
            found = strategic_merge.apply(shown, patch.body, type_of("autoscaling/v1", "Scale"))
    return found


def _check(target: Target, new: Object, shown: Object) -> None:
    """The name, the uid and the size that a new Scale gives."""
    meta = new.get("metadata") or {}
    if meta.get("name") != target.name:
        raise BadRequest(
            f"the name of the object ({meta.get('name', '')}) does not match the name on the URL ({target.name})"
        )
    metadata.check_uid(target.resource, target.name, meta.get("uid", ""), shown)
    faults = field_error.non_negative((new.get("spec") or {}).get("replicas"), "spec.replicas")
    if faults:
        raise field_error.invalid("autoscaling", "Scale", target.name, faults)


def selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector as query parameters write it. Source: apimachinery pkg/labels Requirement.String."""
    words = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, values = each["key"], ",".join(sorted(each.get("values") or ()))
        match each["operator"]:
            case "In":
                words.append((key, f"{key} in ({values})"))
            case "NotIn":
                words.append((key, f"{key} notin ({values})"))
            case "Exists":
                words.append((key, key))
            case "DoesNotExist":
                words.append((key, f"!{key}"))
    return ",".join(word for _, word in sorted(words, key=lambda pair: pair[0]))
