from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.sandbox.cluster.objects import field_set
from iambridge.sandbox.cluster.objects.apply import apply, track
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.types import type_of

POD = type_of("v1", "Pod")
WORDS = st.sampled_from(["a", "b", "c", "d"])
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": WORDS, "image": WORDS},
        optional={
            "command": st.lists(WORDS, max_size=2),
            "env": st.lists(
                st.fixed_dictionaries({"name": WORDS}, optional={"value": WORDS}),
                unique_by=lambda one: one["name"],
                max_size=3,
            ),
        },
    ),
    unique_by=lambda one: one["name"],
    min_size=1,
    max_size=3,
)


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": "p", "namespace": "n"}
    if draw(st.booleans()):
        meta["labels"] = draw(st.dictionaries(WORDS, WORDS, max_size=3))
    spec: dict[str, Any] = {"containers": draw(CONTAINERS)}
    if draw(st.booleans()):
        spec["nodeSelector"] = draw(st.dictionaries(WORDS, WORDS, max_size=2))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def run(live: dict[str, Any] | None, wanted: dict[str, Any], manager: str, second: int) -> dict[str, Any]:
    merged = apply(live, wanted, POD, manager=manager, force=True, now=f"2026-01-01T00:00:{second:02}Z")
    return conform(merged, POD).object


def contains(whole: Any, part: Any) -> bool:
    if not part:
        # an empty map or list merges nothing into what is there
        return True
    if isinstance(part, dict):
        return all(contains((whole or {}).get(key, None if value else value), value) for key, value in part.items())
    if isinstance(part, list) and part and isinstance(part[0], dict):
        named = {one["name"]: one for one in whole}
        return all(one["name"] in named and contains(named[one["name"]], one) for one in part)
    return bool(whole == part)


@settings(max_examples=60)
@given(pods(), pods(), pods())
def test_apply_laws(created: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> None:
    """What is applied is there, applying again is the identity, no manager conflicts with itself, and a withdrawn apply leaves no owner behind."""
    live = track(None, conform(created, POD).object, POD, manager="creator", now="2026-01-01T00:00:00Z")
    once = run(live, first, "one", 1)
    assert contains(once, first)
    assert run(once, first, "one", 2) == once
    both = run(once, second, "two", 3)
    assert contains(both, second)
    apply(both, second, POD, manager="two", force=False, now="2026-01-01T00:00:04Z")
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}}
    gone = run(both, bare, "two", 5)
    assert all(one["manager"] != "two" for one in gone["metadata"].get("managedFields", ()))


@given(
    st.frozensets(
        st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"s"', "i:0"]), min_size=1, max_size=4).map(tuple),
        max_size=8,
    )
)
def test_field_sets_survive_their_encoding(paths: frozenset[tuple[str, ...]]) -> None:
    """FieldsV1 of a set decodes to the same set."""
    assert field_set.decode(field_set.encode(paths)) == paths
