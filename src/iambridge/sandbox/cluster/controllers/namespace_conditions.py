"""What a namespace that cannot end says of itself. Source: kubernetes pkg/controller/namespace/deletion."""

from collections.abc import Mapping, Sequence
from typing import Any

Condition = dict[str, Any]


def conditions(
    left: Mapping[str, Sequence[Mapping[str, Any]]], before: Sequence[Condition], now: str
) -> list[Condition]:
    """The five conditions. `left` are the objects that remain, by resource as `jobs.batch`; `now` is RFC 3339.

    A condition whose status stays keeps its lastTransitionTime.
    """
    counts = [(resource, len(items)) for resource, items in left.items() if items]
    kinds = ", ".join(f"{_dotted(resource)} has {count} resource instances" for resource, count in sorted(counts))
    names = [one for items in left.values() for item in items for one in item["metadata"].get("finalizers") or ()]
    finalizers = ", ".join(f"{one} in {names.count(one)} resource instances" for one in sorted(set(names)))
    rows = (
        ("DeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "DeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "DeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("ContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {kinds}")
        if kinds
        else ("ContentRemaining", "False", "ContentRemoved", "All content successfully removed"),
        (
            "FinalizersRemaining",
            "True",
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {finalizers}",
        )
        if finalizers
        else ("FinalizersRemaining", "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
    )
    times = {(one["type"], one["status"]): one.get("lastTransitionTime") for one in before}
    return [
        {
            "type": f"Namespace{kind}",
            "status": status,
            "lastTransitionTime": times.get((f"Namespace{kind}", status)) or now,
            "reason": reason,
            "message": message,
        }
        for kind, status, reason, message in rows
    ]


def _dotted(resource: str) -> str:
    """`configmaps.` for the core group, as Kubernetes prints it."""
    return resource if "." in resource else f"{resource}."
