"""Values against schemas: as the JSON Schema library judges them, and what an update need not mend."""

from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from iambridge.sandbox.cluster.objects.custom import values

NAMES = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.sampled_from([0.5, 2.5])
    | st.sampled_from(["", "x", "xy", "abc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
SMALL = st.integers(0, 3)
OWN = st.one_of(
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": SMALL, "maxLength": SMALL, "pattern": st.sampled_from(["^x", "y$", "^[a-c]+$"])}),
    st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": SMALL, "maximum": st.integers(2, 9), "multipleOf": st.integers(1, 3)}),
    st.fixed_dictionaries({"type": st.just("number")}, optional={"minimum": SMALL, "maximum": st.integers(2, 9)}),
    st.just({"type": "boolean"}),
    st.builds(lambda found: {"enum": found}, st.lists(JSON.filter(lambda one: one is not None), min_size=1, max_size=3)),
)  # fmt: skip


def _larger(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "required": st.lists(NAMES, unique=True, max_size=2),
            "minProperties": SMALL,
            "maxProperties": SMALL,
        },
    )
    maps = st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": st.just(False) | inner})
    lists = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner}, optional={"minItems": SMALL, "maxItems": SMALL}
    )
    junctors = st.sampled_from(["allOf", "anyOf", "oneOf"]).flatmap(
        lambda name: st.builds(lambda found: {name: found}, st.lists(inner, min_size=1, max_size=3))
    )
    return objects | maps | lists | junctors | st.builds(lambda found: {"not": found}, inner)


SCHEMAS = st.recursive(OWN, _larger, max_leaves=6)


@given(SCHEMAS, JSON)
def test_as_the_json_schema_library_judges(schema: dict[str, Any], value: Any) -> None:
    """A value is valid here exactly when it is to the public library, for everything the two understand alike."""
    if value is None:
        return  # to Kubernetes null is no value of any type, and of a schema without one it is whatever it likes
    theirs = jsonschema.Draft4Validator(schema).is_valid(_without_nulls(value))
    assert (values.validate(_without_nulls(value), schema) == []) is theirs


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value if one is not None] if isinstance(value, list) else value


@given(SCHEMAS, JSON)
def test_an_update_that_changes_nothing_is_valid(schema: dict[str, Any], value: Any) -> None:
    """What a tighter schema would refuse may stay, so far as its fields have a schema."""
    wrapped = {"type": "object", "properties": {"spec": schema}}
    closed = values.validate({"spec": value}, wrapped, old={"spec": value})
    if _known(value, schema):
        assert closed == []


def _known(value: Any, schema: dict[str, Any]) -> bool:
    """Whether every field in `value` has a schema, without which Kubernetes takes an object for a changed one."""
    if isinstance(value, dict):
        more = schema.get("additionalProperties")
        below = {name: (schema.get("properties") or {}).get(name, more) for name in value}
        return all(isinstance(found := below[name], dict) and _known(one, found) for name, one in value.items())
    return True


@given(SCHEMAS, JSON, JSON)
def test_an_update_is_never_judged_harder(schema: dict[str, Any], value: Any, old: Any) -> None:
    """Each fault of an update is one that a new object would have too."""
    wrapped = {"type": "object", "properties": {"spec": schema}}
    created = set(values.validate({"spec": value}, wrapped))
    assert set(values.validate({"spec": value}, wrapped, old={"spec": old})) <= created


def test_int_or_string_and_nullable() -> None:
    """The two extensions of JSON Schema that change what a value may be."""
    port = {"x-kubernetes-int-or-string": True}
    assert values.validate("http", port) == values.validate(80, port) == []
    assert [str(fault) for fault in values.validate(True, port, prefix="port")] == [
        'port: Invalid value: "boolean":  in body must be of type integer,string: "boolean"'
    ]
    assert values.validate(None, {"type": "string", "nullable": True}) == []
    assert values.validate(None, {"type": "string"}) != []
