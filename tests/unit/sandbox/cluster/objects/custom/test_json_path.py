"""The JSONPath of printer columns."""

from typing import Any

import pytest

from iambridge.sandbox.cluster.objects.custom.json_path import first, parsed

OBJ: dict[str, Any] = {
    "metadata": {"labels": {"app.kubernetes.io/name": "x"}},
    "spec": {"list": [{"name": "a", "n": 1}, {"name": "b", "n": 2}], "map": {"k": "v"}, "empty": [], "yes": True},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.map.k", "v"),
        (".spec.list[1].name", "b"),
        (".spec.list[-1].name", "b"),
        (".spec.list[5].name", None),
        (".spec.list[*].name", "a"),
        (".spec.list[1:].name", "b"),
        (".spec.empty[0]", None),
        (".spec.map.*", "v"),
        (".spec['map'].k", "v"),
        ('.spec["map"].k', "v"),
        (r".metadata.labels.app\.kubernetes\.io/name", "x"),
        (".metadata.labels['app.kubernetes.io/name']", "x"),
        ('.status.conditions[?(@.type=="Ready")].status', "True"),
        (".status.conditions[?(@.type == 'Other')].status", "False"),
        ('.status.conditions[?(@.type!="Ready")].type', "Other"),
        (".spec.list[?(@.n>1)].name", "b"),
        (".spec.list[?(@.n<=1)].name", "a"),
        (".spec.list[?(@.name)].n", 1),
        (".spec.yes", True),
        (".spec.none.deeper", None),
        (".", OBJ),
        ("nonsense[", None),
    ],
)
def test_first(path: str, found: Any) -> None:
    """The first value at a path, or none."""
    assert first(OBJ, path) == found


def test_what_cannot_be_read_is_said() -> None:
    """A path that is none is an error to whoever parses it."""
    with pytest.raises(ValueError, match="cannot be read"):
        parsed(".a[")
