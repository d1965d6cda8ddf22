"""Sets of field paths, as managedFields hold them in FieldsV1.

A path is a tuple of elements, each as FieldsV1 spells it: `f:name`, `k:{"name":"x"}`, `v:"x"`, `i:0`.
Source: sigs.k8s.io/structured-merge-diff fieldpath (serialize.go, serialize-pe.go, path.go).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from iambridge.sandbox.cluster.objects.types import DEDUCED, Type

Path = tuple[str, ...]
FieldSet = frozenset[Path]

EMPTY: FieldSet = frozenset()


def encode(paths: Iterable[Path]) -> dict[str, Any]:
    """FieldsV1: a member with children below it carries `.`."""
    root: dict[str, Any] = {}
    members = set(paths)
    for path in sorted(members):
        node = root
        for depth, element in enumerate(path, 1):
            node = node.setdefault(element, {".": {}} if path[:depth] in members else {})
    return _without_lone_dots(root)


def _without_lone_dots(node: dict[str, Any]) -> dict[str, Any]:
    return {key: {} if list(value) == ["."] else _without_lone_dots(value) for key, value in node.items()}


def decode(fields: Mapping[str, Any]) -> FieldSet:
    """The paths of FieldsV1.

    Raises:
        ValueError: an element that is not spelled as FieldsV1 spells them.
    """
    found: set[Path] = set()
    _decode(fields, (), found)
    return frozenset(found)


def _decode(node: Mapping[str, Any], path: Path, found: set[Path]) -> None:
    for element, below in node.items():
        if not isinstance(below, Mapping):
            raise ValueError(f"{element}: an object was expected")  # noqa: TRY004  # data, not a program's mistake
        if element == ".":
            found.add(path)
            continue
        if element[:2] not in {"f:", "k:", "v:", "i:"}:
            raise ValueError(f"unknown path element {element!r}")
        if element[0] in "kv":
            try:
                msgspec.json.decode(element[2:])
            except msgspec.DecodeError as error:
                raise ValueError(f"{element!r}: {error}") from None
        if below:
            _decode(below, (*path, element), found)
        else:
            found.add((*path, element))


def show(path: Path) -> str:
    """`.spec.containers[name="x"].image`."""
    return "".join(map(_show_element, path))


def order(path: Path) -> tuple[tuple[bool, str], ...]:
    """A key that sorts paths as Kubernetes lists them: at each level the members first, then what lies deeper."""
    return tuple((depth < len(path), element) for depth, element in enumerate(path, 1))


def _show_element(element: str) -> str:
    prefix, rest = element[:2], element[2:]
    if prefix == "f:":
        return f".{rest}"
    if prefix == "k:":
        keys = msgspec.json.decode(rest)
        return (
            "[" + ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in sorted(keys.items())) + "]"
        )
    return f"[={rest}]" if prefix == "v:" else f"[{rest}]"


def under(paths: Iterable[Path], prefix: Path) -> FieldSet:
    return frozenset(path for path in paths if path[: len(prefix)] == prefix)


def without(paths: FieldSet, prefixes: Iterable[Path]) -> FieldSet:
    """`paths` less everything at or under one of `prefixes`."""
    kept = paths
    for prefix in prefixes:
        kept = kept - under(kept, prefix)
    return kept


def with_named_fields(paths: FieldSet, kind: Type) -> FieldSet:
    """`paths`, and every struct field that one of them passes through, as members of their own."""
    grown = set(paths)
    for path in paths:
        here: Type | None = kind
        for depth, element in enumerate(path[:-1], 1):
            if here is not None and here.form == "struct" and element.startswith("f:") and element[2:] in here.fields:
                grown.add(path[:depth])
            here = child(here, element)
    return frozenset(grown)


def child(kind: Type | None, element: str) -> Type | None:
    """The type below one path element, or None where the type says nothing."""
    if kind is None:
        return None
    if kind.form == "struct" and element.startswith("f:"):
        field = kind.fields.get(element[2:])
        if field is not None:
            return field.type
        return DEDUCED if kind.open else None
    if kind.form == "Deduced":
        return kind
    return kind.item if kind.form in {"map", "list", "Items"} else None
