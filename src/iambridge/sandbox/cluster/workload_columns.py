"""The rows of Deployments, ReplicaSets, DaemonSets and their kin. Source: pkg/printers/internalversion/printers.go."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster import pod_columns
from iambridge.sandbox.cluster.durations import age

Item = Mapping[str, Any]


def deployment(item: Item, now: float) -> list[Any]:
    spec, status = item["spec"], item.get("status") or {}
    return [
        item["metadata"]["name"],
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        age(item, now),
        *_wide(spec),
    ]


def replica_set(item: Item, now: float) -> list[Any]:
    spec, status = item["spec"], item.get("status") or {}
    counts = [spec.get("replicas") or 0, status.get("replicas") or 0, status.get("readyReplicas") or 0]
    return [item["metadata"]["name"], *counts, age(item, now), *_wide(spec)]


def daemon_set(item: Item, now: float) -> list[Any]:
    spec, status = item["spec"], item.get("status") or {}
    counts = [
        status.get(name) or 0
        for name in (
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
        )
    ]
    chosen = _template(spec).get("nodeSelector") or {}
    nodes = ",".join(f"{key}={value}" for key, value in sorted(chosen.items())) or "<none>"
    return [item["metadata"]["name"], *counts, nodes, age(item, now), *_wide(spec)]


def controller_revision(item: Item, now: float) -> list[Any]:
    owner = next((each for each in item["metadata"].get("ownerReferences") or () if each.get("controller")), None)
    shown = "<none>"
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        shown = f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"
    return [item["metadata"]["name"], shown, item.get("revision") or 0, age(item, now)]


def scale(item: Item, now: float) -> list[Any]:
    wanted = (item.get("spec") or {}).get("replicas") or 0
    return [item["metadata"]["name"], wanted, (item.get("status") or {}).get("replicas") or 0, age(item, now)]


def label_selector(selector: Item | None) -> str:
    """Source: metav1.FormatLabelSelector."""
    if selector is None:
        return "<none>"
    words = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        values = ",".join(sorted(each.get("values") or ()))
        match each["operator"]:
            case "In":
                words.append(f"{each['key']} in ({values})")
            case "NotIn":
                words.append(f"{each['key']} notin ({values})")
            case "Exists":
                words.append(each["key"])
            case _:
                words.append(f"!{each['key']}")
    return ",".join(words) or "<none>"


def _template(spec: Item) -> Item:
    found: Item = (spec.get("template") or {}).get("spec") or {}
    return found


def _wide(spec: Item) -> tuple[str, str, str]:
    return *pod_columns.names_and_images(_template(spec)), label_selector(spec.get("selector"))
