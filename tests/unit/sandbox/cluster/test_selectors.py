"""Label and field selectors as Kubernetes reads them."""

import pytest

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.selectors import FieldSelector, LabelSelector

ITEM = {"metadata": {"name": "a", "namespace": "n", "labels": {"app": "web", "level": "3"}}, "spec": {"nodeName": "x"}}


@pytest.mark.parametrize(
    ("selector", "held"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,level!=4", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("app in (web, api)", True),
        ("app notin (web)", False),
        ("missing notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("level>2", True),
        ("level<3", False),
        ("missing>2", False),
    ],
)
def test_label_selectors(selector: str, held: bool) -> None:  # noqa: FBT001 - a case's answer
    """Each operator selects as Kubernetes documents it."""
    assert LabelSelector.parse(selector).matches(ITEM) is held


@pytest.mark.parametrize("selector", ["=x", "a b", "a=b=c", "a in b", "a>x", "-a", f"a={'b' * 64}"])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    """A selector that cannot be read is 400, never everything."""
    with pytest.raises(BadRequest):
        LabelSelector.parse(selector)


def test_field_selectors() -> None:
    """Equality both ways, on the fields that the kind offers."""
    found = FieldSelector.parse("metadata.name=a,spec.nodeName!=y", "pods")
    assert found.matches(ITEM)
    assert found.name == "a"
    assert not FieldSelector.parse("status.phase=Running", "pods").matches(ITEM)
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.what"):
        FieldSelector.parse("spec.what=1", "pods")
    with pytest.raises(BadRequest, match="can't understand"):
        FieldSelector.parse("metadata.name", "pods")
