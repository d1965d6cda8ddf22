"""Objects as meta.k8s.io Table and PartialObjectMetadata. Source: apimachinery meta/v1 and pkg/printers."""

from collections.abc import Mapping, Sequence
from typing import Any

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.columns import Columns

GROUP, VERSION = "meta.k8s.io", "v1"
_API_VERSION = f"{GROUP}/{VERSION}"
KINDS = tuple(
    (kind, GROUP, version)
    for kind in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
    for version in ("v1", "v1beta1")
)

Item = Mapping[str, Any]


def table(
    columns: Columns,
    items: Sequence[Item],
    *,
    metadata: Item,
    now: float,
    include: str = "",
    version: str = VERSION,
    headers: bool = True,
) -> dict[str, Any]:
    """`include` is the includeObject parameter: None, Metadata (the default) or Object.

    Raises:
        BadRequest: includeObject has another value.
    """
    if include not in {"", "None", "Metadata", "Object"}:
        words = f"Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        raise BadRequest(f"Unable to convert to Table as requested: includeObject: {words}")
    return {
        "kind": "Table",
        "apiVersion": f"{GROUP}/{version}",
        "metadata": dict(metadata),
        "columnDefinitions": columns.definitions() if headers else [],
        "rows": [_row(columns.cells(item, now), item, include) for item in items],
    }


def _row(cells: list[Any], item: Item, include: str) -> dict[str, Any]:
    if include == "None":
        return {"cells": cells, "object": None}
    return {"cells": cells, "object": dict(item) if include == "Object" else partial(item)}


def bookmark_row(version: str, annotations: Item) -> dict[str, Any]:
    metadata: dict[str, Any] = {"resourceVersion": version}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "cells": [],
        "object": {"kind": "PartialObjectMetadata", "apiVersion": _API_VERSION, "metadata": metadata},
    }


def partial(item: Item, version: str = VERSION) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": f"{GROUP}/{version}", "metadata": item["metadata"]}


def partial_list(items: Sequence[Item], metadata: Item, version: str = VERSION) -> dict[str, Any]:
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"{GROUP}/{version}",
        "metadata": dict(metadata),
        "items": [partial(item, version) for item in items],
    }
