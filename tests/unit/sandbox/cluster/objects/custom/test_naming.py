"""Acceptance of names, and the order of versions."""

from typing import Any

from iambridge.sandbox.cluster.objects.custom.naming import accepted, approval, condition, holds, with_condition
from iambridge.sandbox.cluster.objects.custom.version import priority

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


def definition(plural: str, kind: str, **names: Any) -> dict[str, Any]:
    wanted = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List", **names}
    return {"metadata": {"name": f"{plural}.x.y"}, "spec": {"group": "x.y", "names": wanted}, "status": {}}


def test_free_names_are_accepted_and_the_kind_is_established() -> None:
    """All names go into the status, and both conditions hold."""
    found = accepted(definition("as", "A", shortNames=["a1"], categories=["all"]), [], NOW)
    assert found["status"]["acceptedNames"] == found["spec"]["names"]
    assert holds(found, "NamesAccepted")
    assert holds(found, "Established")


def test_a_taken_name_is_not_accepted() -> None:
    """The last conflict is told, the other names are kept, and nothing is established."""
    first = accepted(definition("as", "A", shortNames=["x"]), [], NOW)
    second = accepted(definition("bs", "B", listKind="AList", shortNames=["y", "x"]), [first], NOW)
    told = condition(second, "NamesAccepted")
    assert told is not None
    assert (told["status"], told["reason"], told["message"]) == (
        "False",
        "ListKindConflict",
        '"AList" is already in use',
    )
    assert second["status"]["acceptedNames"] == {"plural": "bs", "singular": "b", "kind": "B"}
    assert not holds(second, "Established")


def test_an_established_kind_stays_so() -> None:
    """A rename into a taken name is not accepted, and what was served stays served."""
    first = accepted(definition("as", "A"), [], NOW)
    second = accepted(definition("bs", "B"), [first], NOW)
    second["spec"]["names"]["singular"] = "a"
    renamed = accepted(second, [first], LATER)
    assert not holds(renamed, "NamesAccepted")
    assert holds(renamed, "Established")
    assert renamed["status"]["acceptedNames"]["singular"] == "b"


def test_times_move_with_the_status_alone() -> None:
    """A condition's lastTransitionTime says when it became so."""
    one = with_condition({}, "Terminating", ("True", "A", "a"), NOW)
    two = with_condition(one, "Terminating", ("True", "B", "b"), LATER)
    three = with_condition(two, "Terminating", ("False", "C", "c"), LATER)
    times = [condition(each, "Terminating") for each in (one, two, three)]
    assert [each and each["lastTransitionTime"] for each in times] == [NOW, NOW, LATER]


def test_approvals() -> None:
    """The community's groups need one; it is a URL, or says that there is none."""
    item = definition("as", "A")
    assert approval(item) is None
    item["spec"]["group"] = "x.k8s.io"
    for text, reason in (("", "MissingAnnotation"), ("unapproved, a test", "UnapprovedAnnotation"),
                         ("https://github.com/x", "ApprovedAnnotation"), ("x", "InvalidAnnotation")):  # fmt: skip
        item["metadata"]["annotations"] = {"api-approved.kubernetes.io": text}
        found = approval(item)
        assert found is not None
        assert found[1] == reason


def test_versions_in_kubernetes_order() -> None:
    """The order of the CustomResourceDefinition versioning page of Kubernetes' documentation."""
    wanted = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]
    assert sorted(set(wanted), key=priority) == wanted
