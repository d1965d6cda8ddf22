"""Strategic merge patch: lists merge by the merge key of their type, and directives steer it.

Directives: `$patch` (replace, delete), `$retainKeys`, `$setElementOrder/LIST`, `$deleteFromPrimitiveList/LIST`.
Source: apimachinery pkg/util/strategicpatch/patch.go.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects.types import ANY, Type

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_FROM = "$deleteFromPrimitiveList/"


def apply(document: dict[str, Any], patch: dict[str, Any], type: Type) -> dict[str, Any]:  # noqa: A002  # the field's own word
    """`document` with `patch` merged in by the rules of `type`; neither is changed.

    Raises:
        BadRequest: a directive that is unknown or misplaced, or a list item without its merge key.
    """
    return _merge_map(copy.deepcopy(document), copy.deepcopy(patch), type)


def _is_directive(key: str) -> bool:
    return key in {_PATCH, _RETAIN} or key.startswith((_ORDER, _DELETE_FROM))


def _child(kind: Type, name: str) -> Type:
    if kind.form == "struct":
        field = kind.fields.get(name)
        return field.type if field is not None else ANY
    return kind.item if kind.form == "map" else ANY


def _merge_map(original: dict[str, Any], patch: dict[str, Any], kind: Type) -> dict[str, Any]:
    if _PATCH in patch:
        return _directed(patch)
    _retain_keys(original, patch)
    _ordered_lists(original, patch, kind)
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            _delete_from(original, key.removeprefix(_DELETE_FROM), value)
        elif value is None:
            original.pop(key, None)
        elif key in original and isinstance(original[key], dict) and isinstance(value, dict):
            child = _child(kind, key)
            original[key] = value if "replace" in child.patch else _merge_map(original[key], value, child)
        elif key in original and isinstance(original[key], list) and isinstance(value, list):
            original[key] = _merge_lists(original[key], value, _child(kind, key))
        else:
            _take(original, key, value)
    return original


def _directed(patch: dict[str, Any]) -> dict[str, Any]:
    directive = patch[_PATCH]
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != _PATCH}
    if directive == "delete":
        return {}
    raise BadRequest(f"unknown patch type: {directive} in map: {go_text(patch)}")


def _take(original: dict[str, Any], key: str, value: Any) -> None:
    kept, keep = _without_directives(value)
    if keep:
        original[key] = kept
    else:
        original.pop(key, None)


def _without_directives(value: Any) -> tuple[Any, bool]:
    """A value that had nothing to merge with: its directives and nulls go; any `$patch` drops it whole."""
    if isinstance(value, dict):
        if _PATCH in value:
            return None, False
        pairs = (
            (key, _without_directives(one)) for key, one in value.items() if not _is_directive(key) and one is not None
        )
        return {key: kept for key, (kept, keep) in pairs if keep}, True
    if isinstance(value, list):
        return [kept for kept, keep in map(_without_directives, value) if keep], True
    return value, True


def _retain_keys(original: dict[str, Any], patch: dict[str, Any]) -> None:
    if _RETAIN not in patch:
        return
    names = patch.pop(_RETAIN)
    present = [key for key, value in patch.items() if value is not None and not _is_directive(key)]
    if not isinstance(names, list) or any(key not in names for key in present):
        raise BadRequest("invalid patch format of retainKeys")
    for key in [key for key in original if key not in names]:
        del original[key]


def _delete_from(original: dict[str, Any], key: str, value: Any) -> None:
    if not isinstance(value, list):
        raise BadRequest("invalid patch format of primitive list")
    if isinstance(original.get(key), list):
        original[key] = [one for one in original[key] if one not in value]


def _ordered_lists(original: dict[str, Any], patch: dict[str, Any], kind: Type) -> None:
    for directive in [key for key in patch if key.startswith(_ORDER)]:
        order = patch.pop(directive)
        key = directive.removeprefix(_ORDER)
        if not isinstance(order, list):
            raise BadRequest("invalid patch format of setElementOrder list")
        child = _child(kind, key)
        before = original.get(key)
        added = patch.get(key)
        if not isinstance(before, list | None) or not isinstance(added, list | None):
            raise BadRequest("invalid patch format of setElementOrder list")
        _check_order(added, order, child.merge_key)
        if before is None and added is None:
            continue
        if added is None:
            merged = before or []
        elif before is None:
            merged = _without_directives(added)[0]
        else:
            merged = _merge_lists(list(before), added, child)
        patch.pop(key, None)
        known = _without_deleted(before or [], added or [], child.merge_key)
        original[key] = _arrange(merged, order, known, _identity(child.merge_key))


def _without_deleted(before: list[Any], added: list[Any], merge_key: str) -> list[Any]:
    """An item that is deleted and added anew has lost its place."""
    deleted = [one.get(merge_key) for one in added if isinstance(one, dict) and one.get(_PATCH) == "delete"]
    return [one for one in before if not isinstance(one, dict) or one.get(merge_key) not in deleted]


def _check_order(added: list[Any] | None, order: list[Any], merge_key: str) -> None:
    identity = _identity(merge_key)
    wanted = [identity(one) for one in order]
    placed = [identity(one) for one in added or [] if not (isinstance(one, dict) and _PATCH in one)]
    positions = [wanted.index(one) if one in wanted else -1 for one in placed]
    if -1 in positions or positions != sorted(positions):
        raise BadRequest(
            f"The order in patch list:\n{go_text(added)}\n doesn't match $setElementOrder list:\n{go_text(order)}\n"
        )


def _identity(merge_key: str) -> Callable[[Any], Any]:
    return lambda one: one.get(merge_key) if merge_key and isinstance(one, dict) else one


def _merge_lists(original: list[Any], patch: list[Any], kind: Type) -> list[Any]:
    if "merge" not in kind.patch:
        return patch
    if not original and not patch:
        return original
    both = original + patch
    if all(isinstance(one, dict) for one in both):
        return _merge_list_of_maps(original, patch, kind)
    if any(isinstance(one, dict | list) for one in both):
        raise BadRequest("list element types are not identical, or a list holds lists")
    merged = [one for index, one in enumerate(both) if one not in both[:index]]
    return _arrange(merged, patch, original, _identity(""))


def _merge_list_of_maps(original: list[Any], patch: list[Any], kind: Type) -> list[Any]:
    key = kind.merge_key
    if not key:
        raise BadRequest(f"cannot merge lists without merge key for {kind.item.struct_name}")
    before, plain = _special_elements(original, patch, key)
    merged = list(before)
    for one in plain:
        index = _index_of(merged, key, one[key])
        if index is None:
            merged.append(_without_directives(one)[0])
        else:
            merged[index] = _merge_map(merged[index], one, kind.item)
    return _arrange(merged, plain, before, _identity(key))


def _special_elements(original: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    plain = []
    replace = False
    for one in patch:
        directive = one.get(_PATCH)
        if directive == "replace":
            replace = True
        elif directive not in {None, "delete"}:
            if directive == "merge":
                raise BadRequest("merging lists cannot yet be specified in the patch")
            raise BadRequest(f"unknown patch type: {directive} in map: {go_text(one)}")
        elif key not in one:
            raise BadRequest(f"map: {go_text(one)} does not contain declared merge key: {key}")
        elif directive == "delete":
            original = [old for old in original if old.get(key) != one[key]]
        else:
            plain.append(one)
    return ([] if replace else original), plain


def _index_of(items: list[Any], key: str, value: Any) -> int | None:
    return next((index for index, one in enumerate(items) if one.get(key) == value and key in one), None)


def _arrange(
    merged: list[Any], order: Sequence[Any], before: Sequence[Any], identity: Callable[[Any], Any]
) -> list[Any]:
    """Weave items of the patch, in `order`, with the server's own, so that known pairs keep the order of `before`."""
    wanted = [identity(one) for one in order]
    known = [identity(one) for one in before]
    ours = sorted((one for one in merged if identity(one) in wanted), key=lambda one: wanted.index(identity(one)))
    theirs = [one for one in merged if identity(one) not in wanted]
    woven = []
    while ours and theirs:
        left, right = identity(theirs[0]), identity(ours[0])
        first = left in known and right in known and known.index(left) < known.index(right)
        woven.append(theirs.pop(0) if first else ours.pop(0))
    return woven + ours + theirs


def go_text(value: Any) -> str:
    """`value` as Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_text(one)}" for key, one in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_text(one) for one in value) + "]"
    if isinstance(value, bool) or value is None:
        return {None: "<nil>", True: "true", False: "false"}[value]
    return str(value)
