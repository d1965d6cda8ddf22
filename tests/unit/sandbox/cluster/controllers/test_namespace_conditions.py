"""What a namespace that cannot end says: as kube-controller-manager 1.37 was seen to say it."""

from typing import Any

from iambridge.sandbox.cluster.controllers.namespace_conditions import conditions

LATER, NOW = "2026-01-01T00:00:09Z", "2026-01-01T00:00:00Z"


def held(*finalizers: str) -> dict[str, Any]:
    return {"metadata": {"finalizers": list(finalizers)}}


def told(found: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {one["type"].removeprefix("Namespace"): (one["status"], one["message"]) for one in found}


def test_what_remains_is_counted_by_resource_and_by_finalizer() -> None:
    """Resources and finalizers are named in order, with how many objects they hold."""
    left = {"jobs.batch": [held("b/y")], "configmaps": [held("a/x", "b/y"), held("a/x")], "pods": []}
    found = told(conditions(left, [], NOW))
    remain = "Some resources are remaining: configmaps. has 2 resource instances, jobs.batch has 1 resource instances"
    assert found["ContentRemaining"] == ("True", remain)
    words = "Some content in the namespace has finalizers remaining"
    assert found["FinalizersRemaining"] == (
        "True",
        f"{words}: a/x in 2 resource instances, b/y in 2 resource instances",
    )
    assert [status for status, _ in found.values()] == ["False", "False", "False", "True", "True"]


def test_a_condition_that_stays_keeps_its_time() -> None:
    """Another message moves no time; another status does."""
    before = conditions({"pods": [held("a/x")]}, [], NOW)
    after = conditions({"pods": [held(), held()]}, before, LATER)
    assert {one["type"]: one["lastTransitionTime"] for one in after if one["lastTransitionTime"] != NOW} == {
        "NamespaceFinalizersRemaining": LATER
    }
    assert told(after)["FinalizersRemaining"][0] == "False"
