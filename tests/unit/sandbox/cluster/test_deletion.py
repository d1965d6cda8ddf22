"""How a DELETE leaves an object, by kind, grace, finalizers and propagation."""

from typing import Any

import pytest

from iambridge.errors import BadRequest, Invalid
from iambridge.sandbox.cluster.deletion import DeleteOptions, finished, marked
from iambridge.sandbox.cluster.resources import Resources

RESOURCES = Resources()
NOW = 1_700_000_000.0


def left(resource: str, obj: dict[str, Any], **options: Any) -> dict[str, Any] | None:
    return marked(RESOURCES.named(resource), {"metadata": {}, **obj}, DeleteOptions(**options), NOW, [])


def pod(**status: str) -> dict[str, Any]:
    return {"spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30}, "status": status}


def test_a_plain_object_goes_at_once() -> None:
    """Without finalizers there is nothing to wait for."""
    assert left("configmaps", {}) is None


def test_a_finalizer_keeps_it() -> None:
    """It stays, marked, until the finalizer is taken."""
    kept = left("configmaps", {"metadata": {"finalizers": ["x.io/y"]}})
    assert kept is not None
    assert kept["metadata"]["deletionTimestamp"] == "2023-11-14T22:13:20Z"
    assert not finished(RESOURCES.named("configmaps"), kept)
    del kept["metadata"]["finalizers"]
    assert finished(RESOURCES.named("configmaps"), kept)


@pytest.mark.parametrize(
    ("grace", "status", "spec", "seconds"),
    [
        (None, {"phase": "Running"}, {}, 30),
        (5, {"phase": "Running"}, {}, 5),
        (0, {"phase": "Running"}, {}, None),
        (None, {"phase": "Succeeded"}, {}, None),
        (None, {"phase": "Pending"}, {"nodeName": ""}, None),
    ],
)
def test_a_pods_grace(grace: int | None, status: dict[str, str], spec: dict[str, str], seconds: int | None) -> None:
    """A pod on a node has its grace; one that ended, or runs nowhere, has none."""
    obj = pod(**status)
    obj["spec"] |= spec
    kept = left("pods", obj, grace=grace)
    assert (kept["metadata"]["deletionGracePeriodSeconds"] if kept else None) == seconds


def test_a_second_delete_only_shortens_the_grace() -> None:
    """A longer grace comes too late."""
    first = left("pods", pod(phase="Running"), grace=10)
    assert first is not None
    longer = left("pods", first, grace=60)
    assert longer is not None
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 10
    assert left("pods", first, grace=0) is None


def test_propagation_is_kept_as_finalizers() -> None:
    """Foreground and Orphan are finalizers for the garbage collector; Background is none."""
    foreground = left("jobs.batch", {}, propagation="Foreground")
    assert foreground is not None
    assert foreground["metadata"]["finalizers"] == ["foregroundDeletion"]
    orphan = left("configmaps", {}, propagation="Orphan")
    assert orphan is not None
    assert orphan["metadata"]["finalizers"] == ["orphan"]
    assert left("jobs.batch", {}, propagation="Background") is None


def test_a_job_keeps_its_pods_unless_told_and_says_so() -> None:
    """batch/v1 orphans by default, with Kubernetes' warning."""
    warnings: list[str] = []
    kept = marked(RESOURCES.named("jobs.batch"), {"metadata": {}}, DeleteOptions(), NOW, warnings)
    assert kept is not None
    assert kept["metadata"]["finalizers"] == ["orphan"]
    assert warnings[0].startswith("child pods are preserved by default")


def test_a_namespace_ends_when_it_is_empty() -> None:
    """It is Terminating until its own finalizer goes."""
    kept = left("namespaces", {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
    assert kept is not None
    assert kept["status"]["phase"] == "Terminating"
    assert not finished(RESOURCES.named("namespaces"), kept)
    assert finished(RESOURCES.named("namespaces"), {**kept, "spec": {}})


@pytest.mark.parametrize(
    ("body", "query", "error"),
    [
        ({"kind": "Pod"}, {}, BadRequest),
        ({"gracePeriodSeconds": "x"}, {}, BadRequest),
        ({"propagationPolicy": "Sideways"}, {}, Invalid),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, {}, Invalid),
        ({"dryRun": ["Some"]}, {}, Invalid),
        (None, {"gracePeriodSeconds": "x"}, BadRequest),
    ],
)
def test_wrong_options_are_refused(body: dict[str, Any] | None, query: dict[str, str], error: type[Exception]) -> None:
    """An option that is not understood deletes nothing."""
    with pytest.raises(error):
        DeleteOptions.of(body, query)
