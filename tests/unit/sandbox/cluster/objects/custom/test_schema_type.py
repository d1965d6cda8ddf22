"""A schema as the type that apply walks by, and values that do not fit it."""

from typing import Any

import pytest

from iambridge.errors import InternalError
from iambridge.sandbox.cluster.objects.apply import apply, track
from iambridge.sandbox.cluster.objects.custom.schema_type import root_type

_KEYED = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
_NOW = "2026-01-01T00:00:00Z"


def typed(**properties: Any) -> Any:
    return root_type({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}, "Widget")


def widget(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "x.y/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


def test_lists_and_maps_walk_as_the_schema_says() -> None:
    """List and map types, keys, free fields and embedded resources all reach the type."""
    items = {"type": "object", "properties": {"name": {"type": "string"}}}
    kind = typed(
        plain={"type": "array", "items": items},
        keyed={"type": "array", "items": items, **_KEYED},
        tags={"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        whole={"type": "object", "additionalProperties": {"type": "string"}, "x-kubernetes-map-type": "atomic"},
        free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        pod={"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        port={"x-kubernetes-int-or-string": True},
    ).fields["spec"].type  # fmt: skip
    found = {name: field.type for name, field in kind.fields.items()}
    assert [found[name].topology for name in ("plain", "keyed", "tags", "whole")] == ["atomic", "map", "set", "atomic"]
    assert found["keyed"].keys == ("name",)
    assert (found["free"].form, found["port"].form) == ("Deduced", "IntOrString")
    assert found["pod"].open
    assert "labels" in found["pod"].fields["metadata"].type.fields


def test_a_value_that_does_not_fit_is_not_tracked() -> None:
    """An item without its key has no path: the object goes on to validation, with the managers it had."""
    kind = typed(keyed={"type": "array", "items": {"type": "object"}, **_KEYED})
    live = track(None, widget(keyed=[{"name": "a"}]), kind, manager="one", now=_NOW)
    changed = track(live, widget(keyed=[{"other": 1}]), kind, manager="two", now=_NOW)
    assert [each["manager"] for each in changed["metadata"]["managedFields"]] == ["one"]


def test_a_stored_object_that_fits_no_more_cannot_be_applied_to() -> None:
    """After a list has become keyed, what was stored before may have no keys: that is said, not met as a bug."""
    live = track(
        None,
        widget(keyed=[{"other": 1}]),
        typed(keyed={"type": "array", "items": {"type": "object"}}),
        manager="one",
        now=_NOW,
    )
    kind = typed(keyed={"type": "array", "items": {"type": "object"}, **_KEYED})
    with pytest.raises(InternalError, match="failed to create typed live object"):
        apply(live, widget(keyed=[{"name": "a"}]), kind, manager="two", force=False, now=_NOW)
