"""Server-side apply to custom kinds, by their schema: the laws that hold for built-in kinds hold there."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.errors import Conflict
from iambridge.sandbox.cluster.objects.apply import apply, track
from iambridge.sandbox.cluster.objects.custom.version import CustomVersion

NAMES = st.sampled_from(["a", "b", "c"])
VALUES: st.SearchStrategy[Any] = st.sampled_from(["x", "y"])
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "colour": {"type": "string", "default": "red"},
                "keyed": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                    },
                },
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "plain": {"type": "array", "items": {"type": "string"}},
                "whole": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "additionalProperties": {"type": "string"},
                },
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
    },
}
VERSION = CustomVersion("x.y", "v1", "Widget", True, SCHEMA, "v1", 0)
MAPS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)
KEYED: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries({"name": NAMES}, optional={"value": VALUES})
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "text": VALUES,
        "colour": VALUES,
        "keyed": st.lists(KEYED, min_size=1, max_size=3, unique_by=lambda one: str(one["name"])),
        "tags": st.lists(NAMES, min_size=1, max_size=3, unique=True),
        "plain": st.lists(VALUES, min_size=1, max_size=3),
        "whole": MAPS,
        "map": MAPS,
        "free": st.dictionaries(NAMES, VALUES | MAPS | st.lists(VALUES, min_size=1), min_size=1, max_size=3),
    },
)  # fmt: skip


def widget(spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "x.y/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


def stored(merged: dict[str, Any]) -> dict[str, Any]:
    return VERSION.default(VERSION.conform(merged).object)


def applied(
    live: dict[str, Any] | None, spec: dict[str, Any], manager: str = "m", *, force: bool = False, at: int = 0
) -> dict[str, Any]:
    now = f"2026-01-01T00:00:{at:02}Z"
    return stored(apply(live, copy.deepcopy(widget(spec)), VERSION.type, manager=manager, force=force, now=now))


def unordered(obj: dict[str, Any]) -> dict[str, Any]:
    """The spec, its sets and keyed lists sorted: an applier's order is the order of what it applied."""
    spec = dict(obj.get("spec") or {})
    return {
        **spec,
        "tags": sorted(spec.get("tags", [])),
        "keyed": sorted(spec.get("keyed", []), key=lambda one: str(one["name"])),
    }


@given(SPECS)
def test_the_same_apply_twice_changes_nothing(spec: dict[str, Any]) -> None:
    """Not even a time in managedFields."""
    once = applied(None, spec)
    assert applied(once, spec, at=9) == once


@given(SPECS, SPECS)
def test_the_last_apply_of_one_manager_is_what_there_is(first: dict[str, Any], second: dict[str, Any]) -> None:
    """One manager alone: what it applied last is there, what it left out is gone but for defaults."""
    live = applied(applied(None, first), second)
    wanted = {"colour": "red", **second} if second or "spec" in live else {}
    found = {name: value for name, value in live.get("spec", {}).items() if value not in ({}, [])}
    assert found.keys() == wanted.keys() | ({"colour"} if found else set())
    for name, value in second.items():
        if name == "keyed":
            assert {one["name"]: one for one in found[name]} == {one["name"]: one for one in value}
        else:
            assert found[name] == value


@given(SPECS, SPECS)
def test_another_managers_apply_conflicts_or_adds(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Without a conflict the first manager's values stand, and what it applies again changes nothing of them."""
    live = applied(None, first, "one")
    told = ""
    try:
        both = applied(live, second, "two", at=1)
    except Conflict as error:
        told = error.message
        both = applied(live, second, "two", force=True, at=1)
    if not told:
        assert unordered(applied(both, first, "one", at=2)) == unordered(both)
        return
    assert told.startswith("Apply failed with ")
    assert '"one"' in told
    # what was forced is the other's now, so that taking it back conflicts with him
    with pytest.raises(Conflict, match='"two"'):
        applied(both, first, "one", at=2)


@given(SPECS, SPECS)
def test_a_value_that_an_update_changed_is_not_silently_taken_back(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    """An applier that says again what an editor has changed meets a conflict that names the editor."""
    live = applied(None, first, "one")
    new = stored({**copy.deepcopy(live), "spec": copy.deepcopy(second)})
    updated = track(live, new, VERSION.type, manager="editor", now="2026-01-01T00:00:01Z")
    changed = [
        name for name in ("text", "plain", "whole") if name in first and first[name] != second.get(name, first[name])
    ]
    if changed:
        with pytest.raises(Conflict, match='"editor" using x'):
            applied(updated, first, "one", at=2)
