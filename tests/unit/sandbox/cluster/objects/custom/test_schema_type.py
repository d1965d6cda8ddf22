"""A schema as the type that apply walks by, and values that do not fit it."""

from typing import Any

import pytest

from iambridge.errors import BadRequest, InternalError
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
    assert (found["free"].form, found["free"].item.form, found["port"].form) == ("map", "Deduced", "IntOrString")
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


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"type": "string", "format": "date"}, {"a": None}, ".spec.x: expected any scalar, got &{map[a:<nil>]}"),
        ({"type": "string", "format": "date"}, True, ""),
        ({"type": "string", "format": "byte"}, 1, ".spec.x: expected string, got &value.valueUnstructured{Value:1}"),
        ({"type": "boolean"}, 1, ".spec.x: expected boolean, got &{1}"),
        ({"type": "number"}, True, ".spec.x: expected numeric (int or float), got bool"),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            False,
            ".spec.x: expected map, got &{false}",
        ),
        (
            {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}, **_KEYED},
            [{"name": "a", "n": "x"}],
            '.spec.x[name="a"].n: expected numeric (int or float), got string',
        ),
    ],
)
def test_a_wrong_type_is_refused_in_kubernetes_words(schema: dict[str, Any], value: Any, words: str) -> None:
    kind = typed(x=schema)
    if not words:
        assert apply(None, widget(x=value), kind, manager="one", force=False, now=_NOW)["spec"] == {"x": value}
        return
    with pytest.raises(BadRequest) as error:
        apply(None, widget(x=value), kind, manager="one", force=False, now=_NOW)
    assert error.value.message.endswith(words)


def owned(obj: dict[str, Any]) -> dict[str, Any]:
    return {each["manager"]: each["fieldsV1"] for each in obj["metadata"].get("managedFields", [])}


def test_what_a_map_of_no_type_loses_is_nobodys() -> None:
    """A text in place of a map takes the map's fields from their owner; a map in place of a text brings its own."""
    kind = typed(x={"x-kubernetes-preserve-unknown-fields": True})
    live = apply(None, widget(x={"z": {"y": 1}}), kind, manager="one", force=False, now=_NOW)
    live = apply(live, widget(x="text"), kind, manager="two", now=_NOW, force=True)
    assert owned(live) == {"two": {"f:spec": {"f:x": {}}}}
    changed = track(live, {**live, "spec": {"x": {"a": {"b": 1}}}}, kind, manager="three", now=_NOW)
    assert owned(changed)["three"] == {"f:spec": {"f:x": {".": {}, "f:a": {".": {}, "f:b": {}}}}}


def test_a_null_that_is_applied_stays() -> None:
    """A null means something to a custom kind; in the metadata it is as nothing."""
    kind = typed(x={"type": "string", "nullable": True})
    found = apply(None, widget(x=None), kind, manager="one", force=False, now=_NOW)
    assert found["spec"] == {"x": None}
    labelled = widget(x=None) | {"metadata": {"name": "w", "labels": None}}
    assert "labels" not in apply(found, labelled, kind, manager="one", force=False, now=_NOW)["metadata"]
