"""What is not modelled is refused by name, with where it stands; what is, is compared with kubectl elsewhere."""

from typing import Any

import pytest
import yaml

from iambridge.errors import InputError
from iambridge.wire.kustomization import render

OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "old"}, "data": {"k": "1"}}
TARGET = {"version": "v1", "kind": "ConfigMap", "name": "a"}


def files(base: dict[str, Any], component: dict[str, Any] | None = None) -> dict[str, str]:
    found = {"kustomization.yaml": yaml.safe_dump({"resources": ["a.yaml"], **base}), "a.yaml": yaml.safe_dump(OBJECT)}
    if component is not None:
        found["components/c/kustomization.yaml"] = yaml.safe_dump(component)
    return found


def patch(*operations: dict[str, Any], **target: str) -> dict[str, Any]:
    return {"patches": [{"target": TARGET | target, "patch": yaml.safe_dump(list(operations))}]}


def test_an_unknown_field_is_refused() -> None:
    """By its name and file."""
    with pytest.raises(InputError, match="the field helmCharts of a kustomization is not modelled") as refused:
        render(files({"helmCharts": []}))
    assert refused.value.where == "kustomization.yaml"


def test_a_patch_must_find_its_object() -> None:
    """Exactly one."""
    with pytest.raises(InputError, match="a patch names 0 objects") as refused:
        render(files({}, patch(name="b")), components=["c"])
    assert refused.value.where == "ConfigMap/b"


def test_an_unknown_operation_is_refused() -> None:
    """RFC 6902 has more than deploy/ uses."""
    with pytest.raises(InputError, match="the operation move of a JSON patch is not modelled"):
        render(files({}, patch({"op": "move", "path": "/data/k", "from": "/data/l"})), components=["c"])


def test_operations_apply() -> None:
    """Escapes in paths, places in lists, and replacement of members."""
    operations = (
        {"op": "add", "path": "/data/a~1b~0c", "value": ["y"]},
        {"op": "add", "path": "/data/a~1b~0c/0", "value": "x"},
        {"op": "add", "path": "/data/a~1b~0c/-", "value": "z"},
        {"op": "remove", "path": "/data/a~1b~0c/1"},
        {"op": "replace", "path": "/data/k", "value": "2"},
    )
    rendered = yaml.safe_load(render(files({}, patch(*operations)), components=["c"]))
    assert rendered["data"] == {"a/b~c": ["x", "z"], "k": "2"}


def test_strings_stay_strings() -> None:
    """Quoted where YAML would read something else."""
    data = {"a": "true", "b": "1", "c": "", "d": "null", "e": "x: y", "f": "a\nb\n", "g": "*", "h": "2026-01-01"}
    found = files({})
    found["a.yaml"] = yaml.safe_dump({**OBJECT, "data": data})
    assert yaml.safe_load(render(found))["data"] == data


def test_images_are_set_where_they_are_named() -> None:
    """In containers of pod templates that name exactly that image, and in no other."""
    spec = {"template": {"spec": {"containers": [{"name": "a", "image": "us"}, {"name": "b", "image": "us/not"}]}}}
    found = files({"images": [{"name": "us", "newName": "there/us", "newTag": "3"}]})
    found["a.yaml"] = yaml.safe_dump({**OBJECT, "kind": "Deployment", "spec": spec})
    containers = yaml.safe_load(render(found))["spec"]["template"]["spec"]["containers"]
    assert [one["image"] for one in containers] == ["there/us:3", "us/not"]
