"""Kubernetes' OpenAPI definitions of the kinds we serve, with descriptions: for /openapi/v3 and `kubectl explain`."""

import gzip
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import msgspec

from iambridge.sandbox.cluster.objects.types import type_of

_REFERENCE = re.compile(rb'"#/components/schemas/([^"]+)"')


@cache
def definitions() -> Mapping[str, dict[str, Any]]:
    """Every definition by name, as OpenAPI v3 schemas: `io.k8s.api.core.v1.Pod` and so on. Treat as read-only."""
    data = files(__package__).joinpath("schema.json.gz").read_bytes()
    return MappingProxyType(msgspec.json.decode(gzip.decompress(data), type=dict[str, Any]))


def definition_name(api_version: str, kind: str) -> str:
    """The definition of a kind.

    Raises:
        UnknownKind: no such kind.
    """
    return type_of(api_version, kind).name


@cache
def _references(name: str) -> tuple[str, ...]:
    found = _REFERENCE.findall(msgspec.json.encode(definitions()[name]))
    return tuple(dict.fromkeys(reference.decode() for reference in found))


def closure(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The definitions `names` and all that they refer to, sorted by name. Unknown names are left out."""
    found: set[str] = set()
    queue = [name for name in names if name in definitions()]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += _references(name)
    return {name: definitions()[name] for name in sorted(found)}
