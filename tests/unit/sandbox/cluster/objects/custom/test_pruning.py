"""Pruning and defaulting by a schema: laws, and the extensions that stop or steer them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects.custom.defaulting import default
from iambridge.sandbox.cluster.objects.custom.pruning import prune

NAMES = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-9, 9) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
LEAF = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "boolean"])},
    optional={"default": st.integers(0, 3) | st.just("x"), "nullable": st.just(True)},
) | st.just({"x-kubernetes-preserve-unknown-fields": True})


def _larger(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
        optional={"x-kubernetes-preserve-unknown-fields": st.just(True), "default": st.just({})},
    )
    maps = st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner | st.booleans()})
    return objects | maps | st.fixed_dictionaries({"type": st.just("array"), "items": inner})


SPECS = st.recursive(LEAF, _larger, max_leaves=6)
OBJECTS = st.fixed_dictionaries({"metadata": st.just({"name": "w"})}, optional={"spec": JSON, "other": JSON})


def root(spec: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": spec}}


@given(SPECS, OBJECTS)
def test_pruning_twice_is_pruning_once(spec: dict[str, Any], obj: dict[str, Any]) -> None:
    """What is left has nothing more to prune, and the object given is not changed."""
    before = copy.deepcopy(obj)
    once, dropped = prune(obj, root(spec))
    assert obj == before
    assert prune(once, root(spec)) == (once, [])
    assert len(set(dropped)) == len(dropped)
    assert ("other" in dropped) is ("other" in obj)


@given(SPECS, OBJECTS)
def test_defaulting_twice_is_defaulting_once(spec: dict[str, Any], obj: dict[str, Any]) -> None:
    """Defaults stay, nothing that was said is changed, and the object given is not either."""
    pruned, _ = prune(obj, root(spec))
    before = copy.deepcopy(pruned)
    once = default(pruned, root(spec))
    assert pruned == before
    assert default(once, root(spec)) == once
    assert _said(before, once)


def _said(before: Any, after: Any) -> bool:
    if isinstance(before, dict) and isinstance(after, dict):
        return all(name in after and (one is None or _said(one, after[name])) for name, one in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(
            one is None or _said(one, two) for one, two in zip(before, after, strict=True)
        )
    return bool(before == after)


@given(SPECS, OBJECTS)
def test_a_settled_object_round_trips(spec: dict[str, Any], obj: dict[str, Any]) -> None:
    """Pruned and defaulted once, an object comes back from the store as it went in."""
    settled = default(prune(obj, root(spec))[0], root(spec))
    assert default(prune(settled, root(spec))[0], root(spec)) == settled


def test_unknown_fields_are_named_by_their_path() -> None:
    """Paths are those of fieldValidation, sorted."""
    spec = {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object"}},
        },
    }
    obj = {"spec": {"z": 1, "list": [{"a": "x", "b": 1}], "map": {"k": {"v": 1}}}, "top": 1}
    found, dropped = prune(obj, root(spec))
    assert found == {"spec": {"list": [{"a": "x"}], "map": {"k": {}}}}
    assert dropped == ["spec.list[0].b", "spec.map.k.v", "spec.z", "top"]


def test_below_a_free_field_what_is_known_is_still_judged() -> None:
    """x-kubernetes-preserve-unknown-fields keeps what is unknown, and prunes below what is known."""
    spec = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}},
    }
    obj = {"spec": {"free": {"deep": [1]}, "known": {"a": "x", "b": 1}}}
    assert prune(obj, root(spec)) == ({"spec": {"free": {"deep": [1]}, "known": {"a": "x"}}}, ["spec.known.b"])


def test_embedded_metadata_is_object_meta() -> None:
    """Unknown fields of an embedded resource's metadata go; a wrong type in it is refused."""
    spec = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    obj = {"spec": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "nope": 1}, "spec": {"x": 1}}}
    found, dropped = prune(obj, root(spec))
    assert found["spec"] == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"x": 1}}
    assert dropped == ["spec.metadata.nope"]
    with pytest.raises(BadRequest):
        prune({"spec": {"metadata": {"labels": [1]}}}, root(spec))


def test_a_whole_number_has_one_spelling() -> None:
    """1.0 is 1, as Go's encoder writes it; 1.5 and numbers beyond exactness stay."""
    spec = {"x-kubernetes-preserve-unknown-fields": True}
    found, _ = prune({"spec": [1.0, 1.5, 1e300]}, root(spec))
    assert [repr(one) for one in found["spec"]] == ["1", "1.5", "1e+300"]
