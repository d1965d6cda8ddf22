"""Merging, comparing and pruning JSON values by their type, path by path.

Source: sigs.k8s.io/structured-merge-diff typed (tofieldset.go, compare.go, merge.go, remove.go).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from iambridge.sandbox.cluster.objects.conform import zero
from iambridge.sandbox.cluster.objects.field_set import FieldSet, Path, show, under
from iambridge.sandbox.cluster.objects.strategic_merge import go_text
from iambridge.sandbox.cluster.objects.types import ANY, DEDUCED, Type

_ABSENT: Any = object()
_SCALARS: dict[str, tuple[str, Any]] = {
    "string": ("string", str),
    "bool": ("boolean", bool),
    "scalar": ("any scalar", str | int | float | bool),
    **dict.fromkeys(("int32", "int64", "int", "uint8", "float64"), ("numeric (int or float)", int | float)),
}
_TRUE_FITS = {"bool", "scalar"}
_GO_TYPES = {
    str: "string", bool: "bool", float: "float64", list: "[]interface {}", dict: "map[string]interface {}",
}  # fmt: skip
_KEY_DEFAULTS = {"protocol": "TCP"}


class UntypedValue(ValueError):  # a value that does not fit its type
    """A value does not fit its type; the words are Kubernetes', with the path in front."""


def _granular(kind: Type, value: Any) -> str:
    """How to walk a value: map, list, or empty for a leaf (scalars, atomic lists and maps, values of no type)."""
    if kind.topology == "atomic" and kind.form != "JSON":
        return ""
    if kind.form == "Deduced":
        return "map" if isinstance(value, Mapping) else ""
    if kind.form in {"struct", "map"} and isinstance(value, Mapping | None):
        return "map"
    return "list" if kind.form == "list" and isinstance(value, list | None) else ""


def _below(kind: Type, name: str) -> Type:
    if kind.form == "struct":
        found = kind.fields.get(name)
        if found is not None:
            return found.type
        return DEDUCED if kind.open else ANY
    return kind if kind.form == "Deduced" else kind.item


def element(item: Any, kind: Type, where: str = "", index: int = 0) -> str:
    """The path element of a list's item.

    Raises:
        UntypedValue: the item is no object, or misses a key.
    """
    if kind.topology == "set":
        return "v:" + msgspec.json.encode(item).decode()
    if not isinstance(item, Mapping):
        raise UntypedValue(f"{where}: element {index}: associative list without keys may not contain non-map types")
    keys = {}
    for key in sorted(kind.keys):
        value = item.get(key, _key_default(key, kind))
        if value is None:
            raise UntypedValue(
                f'{where}: element {index}: associative list with keys has an element that omits key field "{key}" '
                "(and doesn't have default value)"
            )
        keys[key] = value
    return "k:" + msgspec.json.encode(keys).decode()


def _key_default(key: str, kind: Type) -> Any:
    """What a key is when an item leaves it out: a field that is always there has its zero value."""
    field = kind.item.fields.get(key) if kind.item.form == "struct" else None
    if key in _KEY_DEFAULTS or field is None or field.pointer or field.omit_empty:
        return _KEY_DEFAULTS.get(key)
    return zero(field.type)


def _indexed(items: Any, kind: Type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items or ():
        found.setdefault(element(item, kind), item)
    return found


def check(value: Any, kind: Type, where: str = "") -> list[str]:
    """What in an applied object the type does not know: undeclared fields, wrong shapes, duplicate list keys."""
    if kind.form == "struct":
        if not isinstance(value, Mapping | None):
            return [f"{where}: expected map, got &{{{go_text(value)}}}"]
        faults = []
        for name, below in (value or {}).items():
            if name not in kind.fields and not kind.open:
                faults.append(f"{where}.{name}: field not declared in schema")
            elif name in kind.fields:
                faults += check(below, kind.fields[name].type, f"{where}.{name}")
        return faults
    if kind.form == "map":
        if not isinstance(value, Mapping | None):
            return [f"{where}: expected map, got &{{{go_text(value)}}}"]
        return [fault for name, one in (value or {}).items() for fault in check(one, kind.item, f"{where}.{name}")]
    if kind.form == "list":
        return _check_list(value, kind, where)
    return _check_scalar(value, kind, where)


def _check_scalar(value: Any, kind: Type, where: str) -> list[str]:
    words, accepted = _SCALARS.get(kind.form, ("", object))
    fits = accepted is object or kind.form in _TRUE_FITS or not isinstance(value, bool)
    if value is None or (fits and isinstance(value, accepted)):
        return []
    if kind.form in _TRUE_FITS:
        shown = f"&{{{go_text(value)}}}"
    elif words == "string":
        shown = f"&value.valueUnstructured{{Value:{go_text(value)}}}"
    else:
        shown = _GO_TYPES[type(value)]
    return [f"{where}: expected {words}, got {shown}"]


def _check_list(value: Any, kind: Type, where: str) -> list[str]:
    if not isinstance(value, list | None):
        return [f"{where}: expected list, got &{{{go_text(value)}}}"]
    faults: list[str] = []
    seen: set[str] = set()
    for index, one in enumerate(value or ()):
        place = f"{where}[{index}]"
        if kind.topology != "atomic":
            try:
                key = element(one, kind, where, index)
            except UntypedValue as error:
                return [*faults, str(error)]  # what follows is not looked at
            place = f"{where}{show((key,))}"
            if key in seen:
                faults.append(f"{where}: duplicate entries for key {show((key,))}")
            seen.add(key)
        faults += check(one, kind.item, place)
    return faults


def to_field_set(value: Any, kind: Type, path: Path = ()) -> FieldSet:
    """Every path that `value` sets: what an applier of it owns."""
    walk = _granular(kind, value)
    if not walk:
        return frozenset({path})
    found: set[Path] = set()
    if walk == "map":
        for name, one in (value or {}).items():
            here = (*path, f"f:{name}")
            found |= to_field_set(one, _below(kind, name), here)
            named = kind.form == "struct" and name in kind.fields
            if one is None or one == {} or not named:
                found.add(here)
        return frozenset(found)
    for key, one in _indexed(value, kind).items():
        found |= to_field_set(one, kind.item, (*path, key))
        found.add((*path, key))
    return frozenset(found)


@dataclass(slots=True)
class Comparison:
    """Paths that differ between two values."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(old: Any, new: Any, kind: Type) -> Comparison:
    out = Comparison()
    _compare(old, new, kind, (), out)
    return out


def _compare(old: Any, new: Any, kind: Type, path: Path, out: Comparison) -> None:
    sides = [side for side in (old, new) if side is not _ABSENT]
    walks = {_granular(kind, side) for side in sides}
    empty = all(not side for side in sides)
    if len(walks) == 1 and not empty and (walk := walks.pop()):
        pairs = _pairs(old, new, kind, walk)
        for key, (left, right, below) in pairs.items():
            _compare(left, right, below, (*path, key), out)
    elif old is not _ABSENT and new is not _ABSENT and (old != new or type(old) is not type(new)):
        null = old is None or new is None  # which is a map's empty form beside a map
        if empty or not null or "map" not in walks:
            out.modified.add(path)
        if kind.form == "Deduced":
            _compare_forms(old, new, path, out)
    if path and old is _ABSENT:
        out.added.add(path)
    elif path and new is _ABSENT:
        out.removed.add(path)


def _compare_forms(old: Any, new: Any, path: Path, out: Comparison) -> None:
    """What a map of no declared type loses when it becomes something else, or gains when it was something else."""
    if isinstance(old, Mapping) and not isinstance(new, Mapping):
        for name, one in old.items():
            _compare(one, _ABSENT, DEDUCED, (*path, f"f:{name}"), out)
    if isinstance(new, Mapping) and not isinstance(old, Mapping):
        for name, one in new.items():
            _compare(_ABSENT, one, DEDUCED, (*path, f"f:{name}"), out)


def _pairs(old: Any, new: Any, kind: Type, walk: str) -> dict[str, tuple[Any, Any, Type]]:
    if walk == "map":
        left, right = ({} if side is _ABSENT or side is None else side for side in (old, new))
        return {
            f"f:{name}": (left.get(name, _ABSENT), right.get(name, _ABSENT), _below(kind, name))
            for name in {**left, **right}
        }
    left, right = (_indexed(None if side is _ABSENT else side, kind) for side in (old, new))
    return {key: (left.get(key, _ABSENT), right.get(key, _ABSENT), kind.item) for key in {**left, **right}}


def merge(live: Any, applied: Any, kind: Type) -> Any:
    """`live` with `applied` laid over it: maps and keyed lists merge, everything else is the applied value."""
    walks = {_granular(kind, live), _granular(kind, applied)}
    if len(walks) != 1 or applied is None:
        return applied
    walk = walks.pop()
    if walk == "map":
        merged = dict(live or {})
        for name, one in applied.items():
            merged[name] = merge(merged[name], one, _below(kind, name)) if name in merged else one
        return merged
    return _merge_lists(live or [], applied, kind) if walk == "list" else applied


def _merge_lists(live: list[Any], applied: list[Any], kind: Type) -> list[Any]:
    """Applied items in their order; live items that were not applied keep their place among the shared ones."""
    left, right = _indexed(live, kind), _indexed(applied, kind)
    left_order, right_order = list(left), list(right)
    shared = [key for key in right_order if key in left]
    done: set[str] = set()
    merged: list[Any] = []
    i = j = 0
    while i < len(left_order) or j < len(right_order):
        if i < len(left_order):
            key = left_order[i]
            if key not in right:
                merged.append(left[key])
                i += 1
                continue
            if key in done or (j < len(right_order) and shared and shared[0] != key):
                i += 1
                continue
        key = right_order[j] if j < len(right_order) else ""
        if not key:
            i += 1
            continue
        done.add(key)
        merged.append(merge(left[key], right[key], kind.item) if key in left else right[key])
        j += 1
        if shared and shared[0] == key:
            shared.pop(0)
    return merged


def remove(value: Any, paths: FieldSet, kind: Type) -> Any:
    """`value` less the items at `paths`; None where nothing is left of a map or list."""
    walk = _granular(kind, value)
    if not walk or not paths or value is None:
        return value
    if walk == "map":
        kept = {}
        for name, one in value.items():
            key = f"f:{name}"
            if (key,) not in paths:
                kept[name] = remove(one, _strip(paths, key), _below(kind, name))
        return kept or None
    items = []
    for one in value:
        key = element(one, kind)
        if (key,) not in paths:
            items.append(remove(one, _strip(paths, key), kind.item))
    return items or None


def _strip(paths: FieldSet, key: str) -> FieldSet:
    return frozenset(path[1:] for path in under(paths, (key,)) if len(path) > 1)


def without_nulls(merged: Any, live: Any) -> Any:
    """`merged` but for the nulls that pruning or the applied object left; those of `live` stay as they were."""
    if isinstance(merged, Mapping):
        known = live if isinstance(live, Mapping) else {}
        return {
            name: without_nulls(value, known.get(name))
            for name, value in merged.items()
            if value is not None or (name in known and known[name] is None)
        }
    return merged
