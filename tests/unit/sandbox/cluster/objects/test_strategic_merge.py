import copy
from typing import Any

import pytest

from iambridge.errors import BadRequest, Invalid
from iambridge.sandbox.cluster.objects import json_patch, merge_patch, strategic_merge
from iambridge.sandbox.cluster.objects.types import type_of

POD = type_of("v1", "Pod")


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def container(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        pytest.param(
            spec(containers=[container("a", image="1"), container("b", image="1")]),
            spec(containers=[container("b", image="2"), container("c", image="3")]),
            spec(containers=[container("a", image="1"), container("b", image="2"), container("c", image="3")]),
            id="merge by key",
        ),
        pytest.param(
            spec(containers=[container("a"), container("b")]),
            spec(containers=[{"$patch": "delete", "name": "a"}]),
            spec(containers=[container("b")]),
            id="delete an element",
        ),
        pytest.param(
            spec(containers=[container("a"), container("b")]),
            spec(containers=[{"$patch": "replace"}, container("z")]),
            spec(containers=[container("z")]),
            id="replace a list",
        ),
        pytest.param(
            spec(nodeSelector={"a": "1"}, nodeName="n"),
            spec(nodeSelector={"$patch": "replace", "b": "2"}),
            spec(nodeSelector={"b": "2"}, nodeName="n"),
            id="replace a map",
        ),
        pytest.param(
            spec(containers=[container("a"), container("b"), container("c")]),
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
                    "containers": [container("a", image="x")],
                }
            },
            spec(containers=[container("b"), container("c"), container("a", image="x")]),
            id="set the order",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a/x", "b/x", "c/x"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["b/x"], "finalizers": ["d/x"]}},
            {"metadata": {"finalizers": ["d/x", "a/x", "c/x"]}},
            id="delete from a primitive list",
        ),
        pytest.param(
            spec(volumes=[{"name": "v", "emptyDir": {}}]),
            spec(volumes=[{"$retainKeys": ["name", "secret"], "name": "v", "secret": {"secretName": "s"}}]),
            spec(volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
            id="retain keys",
        ),
        pytest.param(
            spec(containers=[container("a", command=["x", "y"])]),
            spec(containers=[container("a", command=["z"])]),
            spec(containers=[container("a", command=["z"])]),
            id="atomic lists are replaced",
        ),
        pytest.param(
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
            {"metadata": {"labels": {"a": None, "c": None}, "annotations": {"x": None, "y": "1"}}},
            {"metadata": {"labels": {"b": "2"}, "annotations": {"y": "1"}}},
            id="null removes and is never stored",
        ),
    ],
)
def test_directives(before: dict[str, Any], patch: dict[str, Any], after: dict[str, Any]) -> None:
    """A strategic patch merges by its type's keys, and changes neither of its inputs."""
    kept = copy.deepcopy((before, patch))
    assert strategic_merge.apply(before, patch, POD) == after
    assert (before, patch) == kept


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (spec(containers=[{"image": "x"}]), "does not contain declared merge key: name"),
        (spec(nodeSelector={"$patch": "bogus"}), "unknown patch type: bogus in map"),
        ({"spec": {"$setElementOrder/containers": "a"}}, "invalid patch format of setElementOrder list"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}}, "invalid patch format of primitive list"),
        ({"spec": {"$retainKeys": ["containers"], "nodeName": "n"}}, "invalid patch format of retainKeys"),
    ],
)
def test_wrong_directives_are_refused(patch: Any, words: str) -> None:
    """A directive that does not fit is a 400 in Kubernetes' words."""
    with pytest.raises(BadRequest, match=words):
        strategic_merge.apply(
            {**spec(containers=[container("a")], nodeSelector={"a": "b"}), "metadata": {"finalizers": []}}, patch, POD
        )


def test_merge_patch_drops_the_nulls_within_a_list() -> None:
    """As kube-apiserver's library does, where the list does not take an object's place; items may be null."""
    patch = {"new": [{"a": None, "b": [{"c": None}]}, None], "map": [{"a": None}]}
    assert merge_patch.apply({"map": {"x": 1}}, patch) == {"new": [{"b": [{}]}, None], "map": [{"a": None}]}


def test_merge_patch_is_rfc_7386() -> None:
    """The RFC's own example comes out as the RFC says."""
    before = {
        "title": "Goodbye!",
        "author": {"givenName": "John", "familyName": "Doe"},
        "tags": ["example"],
        "content": "x",
    }
    patch = {"title": "Hello!", "author": {"familyName": None}, "tags": ["sample"], "phoneNumber": "+01"}
    assert merge_patch.apply(before, patch) == {
        "title": "Hello!",
        "author": {"givenName": "John"},
        "tags": ["sample"],
        "content": "x",
        "phoneNumber": "+01",
    }


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "test", "path": "/a", "value": 2}],
        [{"op": "remove", "path": "/missing"}],
        [{"op": "replace", "path": "/list/9", "value": 1}],
        [{"op": "bogus", "path": "/a"}],
        [{"path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
    ],
)
def test_a_json_patch_that_does_not_apply_is_invalid(patch: list[Any]) -> None:
    """A failed operation is 422 Invalid with Kubernetes' words, and its cause is kept for the operator."""
    with pytest.raises(Invalid) as refused:
        json_patch.apply({"a": 1, "list": []}, patch)
    assert refused.value.message == "the server rejected our request due to an error in our request"
    assert refused.value.cause.startswith("the JSON patch does not apply")


def test_a_json_patch_applies_in_order_and_leaves_an_object() -> None:
    """Operations apply in order; what is no object any more is a 400."""
    with pytest.raises(BadRequest):
        json_patch.apply({"a": 1}, [{"op": "replace", "path": "", "value": 1}])
    assert json_patch.apply({"a": 1}, [{"op": "add", "path": "/b", "value": 2}, {"op": "remove", "path": "/a"}]) == {
        "b": 2
    }
