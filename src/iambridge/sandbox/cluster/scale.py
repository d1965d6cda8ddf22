"""/scale: the part of a Deployment, a ReplicaSet or a custom object that an autoscaler may see and change.

Source: pkg/registry/apps/deployment/storage ScaleREST; apiextensions-apiserver pkg/registry/customresource/etcd.go;
autoscaling/v1 Scale.
"""

import copy
from collections.abc import Mapping
from typing import Any

from iambridge.errors import BadRequest, InternalError
from iambridge.sandbox.cluster import body_checks, metadata
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects import field_error, json_patch, merge_patch, strategic_merge
from iambridge.sandbox.cluster.objects.kinds.custom_resource import ABSENT, at
from iambridge.sandbox.cluster.objects.types import type_of
from iambridge.sandbox.cluster.registry import Patch, Registry, Target, View, unfit
from iambridge.sandbox.cluster.resources import SCALE, Resource
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


_WORKLOAD = View(scale_of, scaled)


def view_of(resource: Resource) -> View:
    """How a kind's objects show their scale, and take a new one; a custom kind's by the paths of its definition."""
    paths = resource.custom.scale if resource.custom is not None else None
    if paths is None:
        return _WORKLOAD
    return View(lambda obj: _custom_scale_of(obj, paths), lambda obj, new: _custom_scaled(obj, new, paths))


def shown(resource: Resource, obj: Mapping[str, Any]) -> Object:
    """The Scale that a GET answers with.

    Raises:
        InternalError: a custom object does not have the field that its definition says holds the replicas.
    """
    paths = resource.custom.scale if resource.custom is not None else None
    if paths is not None and at(obj, paths["specReplicasPath"]) is ABSENT:
        where = paths["specReplicasPath"]
        raise InternalError(f'Internal error occurred: the spec replicas field "{where}" does not exist')
    return view_of(resource).show({**obj})


def _custom_scale_of(obj: Mapping[str, Any], paths: Mapping[str, str]) -> Object:
    replicas = at(obj, paths["specReplicasPath"])
    current = at(obj, paths["statusReplicasPath"])
    status: Object = {"replicas": 0 if current is ABSENT else current}
    selector = at(obj, paths["labelSelectorPath"]) if paths.get("labelSelectorPath") else ABSENT
    if selector is not ABSENT and selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in _SHOWN if name in obj["metadata"]},
        "spec": {"replicas": replicas} if replicas is not ABSENT and replicas else {},
        "status": status,
    }


def _custom_scaled(obj: Object, scale: Mapping[str, Any], paths: Mapping[str, str]) -> Object:
    out = copy.deepcopy(obj)
    *above, last = paths["specReplicasPath"].removeprefix(".").split(".")
    parent = out
    for name in above:
        parent = parent.setdefault(name, {})
    parent[last] = (scale.get("spec") or {}).get("replicas") or 0
    if (scale.get("metadata") or {}).get("resourceVersion"):
        out["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"]
    return out


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

    view = view_of(target.resource)

    async def changed(live: Object) -> Object:
        shown = view.show(live)
        new = _patched(call, shown, wanted) if isinstance(wanted, Patch) else body_of(call, SCALE, wanted)
        _check(target, new, shown)
        return view.put(live, new)

    return view.show(await registry.change(call, target, changed, view=view))


def _patched(call: Call, shown: Object, patch: Patch) -> Object:
    match patch.kind:
        case "json":
            found: Object = json_patch.apply(shown, patch.body)
        case "merge":
            found = merge_patch.apply(shown, patch.body)
        case _:
            found = strategic_merge.apply(shown, patch.body, type_of("autoscaling/v1", "Scale"))
    try:
        return body_of(call, SCALE, found)
    except BadRequest as error:
        raise unfit(patch, found, error) from None


def _check(target: Target, new: Object, shown: Object) -> None:
    """The place, the uid and the size that a new Scale gives."""
    meta = new.setdefault("metadata", {})
    body_checks.check_name(new, target.name)
    metadata.place(new, target.resource, target.namespace)
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
