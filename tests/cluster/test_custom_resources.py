"""Objects of custom kinds, by kubectl: what their CustomResourceDefinition's schema makes of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Kubectl
from .custom_kind import Widgets
from .plumbing import eventually

_REFUSED: list[tuple[Any, list[str]]] = [
    ({}, ["spec.size: Required value"]),
    ({"size": "big"}, ['spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"']),
    ({"size": 0}, ["spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"]),
    ({"size": 11}, ["spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"]),
    ({"size": 1, "colour": "green"}, ['spec.colour: Unsupported value: "green": supported values: "red", "blue"']),
    ({"size": 1, "name": "abcdef"}, ["spec.name: Too long: may not be more than 5 bytes"]),
    ({"size": 1, "name": "ABC"}, ["""spec.name: Invalid value: "ABC": spec.name in body should match '^[a-z]*$'"""]),
    ({"size": 1, "tags": ["a", "b", "a"]}, ['spec.tags[2]: Duplicate value: "a"']),
    ({"size": 1, "ports": [{"name": "a"}, {"name": "a"}]}, ['spec.ports[1]: Duplicate value: {"name":"a"}']),
    (
        {"size": 1, "ports": [{"name": str(i)} for i in range(4)]},
        ["spec.ports: Too many: 4: must have at most 3 items"],
    ),
    ({"size": 1, "ports": [{"name": "a", "port": True}]}, ["spec.ports[0].port", "integer,string"]),
    ({"size": 1, "template": {"kind": "Pod"}}, ["spec.template.apiVersion: Required value"]),
    ({"size": 1, "replicas": -1}, [".spec.replicas: Invalid value: -1: should be a non-negative integer"]),
]


@pytest.fixture
def widgets(kubectl: Kubectl) -> Iterator[Widgets]:
    found = Widgets(kubectl)
    found.define()
    yield found
    found.remove()


def test_apply_creates_changes_and_prunes(widgets: Widgets) -> None:
    """A custom object goes through apply as a built-in one does; defaults appear, and unchanged is unchanged."""
    kubectl, name = widgets.kubectl, f"widget.{widgets.group}/one"
    manifest = widgets.widget("one", {"size": 3, "ports": [{"name": "a", "port": 80, "protocol": "TCP"}]})
    assert kubectl.ok("apply", "-f", "-", stdin=manifest) == f"{name} created\n"
    assert kubectl.ok("apply", "-f", "-", stdin=manifest) == f"{name} unchanged\n"
    assert widgets.spec("one") == {
        "size": 3,
        "colour": "red",
        "ports": [{"name": "a", "port": 80, "protocol": "TCP"}],
    }
    assert kubectl.ok("apply", "-f", "-", stdin=widgets.widget("one", {"size": 4})) == f"{name} configured\n"
    assert widgets.spec("one") == {"size": 4, "colour": "red"}


def test_wrong_values_are_refused_in_kubernetes_words(widgets: Widgets) -> None:
    """Each rule of a schema is a 422 that names the field."""
    for spec, words in _REFUSED:
        said = widgets.kubectl.fails("create", "-f", "-", stdin=widgets.widget("bad", spec))
        assert 'The Widget "bad" is invalid' in said, spec
        for word in words:
            assert word in said, (spec, said)
    assert widgets.kubectl.json("get", widgets.resource)["items"] == []


def test_unknown_fields_by_field_validation(widgets: Widgets) -> None:
    """Strict refuses unknown fields, Warn warns, Ignore drops; none keeps them."""
    manifest = widgets.widget("one", {"size": 1, "typo": 1, "ports": [{"name": "a", "nope": 1}]})
    said = widgets.kubectl.fails("create", "-f", "-", stdin=manifest)
    assert 'strict decoding error: unknown field "spec.ports[0].nope", unknown field "spec.typo"' in said
    warned = widgets.kubectl.run("create", "--validate=warn", "-f", "-", stdin=manifest)
    assert warned.code == 0
    assert 'unknown field "spec.typo"' in warned.error
    assert "typo" not in widgets.spec("one")
    ignored = widgets.kubectl.run("replace", "--force", "--validate=ignore", "-f", "-", stdin=manifest)
    assert ignored.code == 0, ignored.error
    assert "unknown field" not in ignored.error
    assert widgets.spec("one")["ports"] == [{"name": "a", "protocol": "TCP"}]


def test_free_fields_and_embedded_resources_keep_what_they_hold(widgets: Widgets) -> None:
    """x-kubernetes-preserve-unknown-fields keeps everything; an embedded resource's metadata is still judged."""
    free = {"any": {"thing": [1, 2.5, None, {"deep": True}]}}
    template = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": "b"}},
        "spec": {"x": 1},
    }
    manifest = widgets.widget("one", {"size": 1, "free": free, "template": template})
    widgets.kubectl.ok("create", "-f", "-", stdin=manifest)
    found = widgets.spec("one")
    assert (found["free"], found["template"]) == (free, template)
    template["metadata"]["labels"] = {"a": "no spaces here"}  # type: ignore[index]  # a literal above
    bad = widgets.widget("two", {"size": 1, "template": template})
    said = widgets.kubectl.fails("create", "-f", "-", stdin=bad)
    assert "spec.template.metadata.labels: Invalid value" in said


def test_nulls(widgets: Widgets) -> None:
    """A null stays where the schema allows it, becomes the default where there is one, and goes elsewhere."""
    manifest = widgets.widget("one", {"size": 1, "note": None, "colour": None, "name": None})
    widgets.kubectl.ok("create", "-f", "-", stdin=manifest)
    assert widgets.spec("one") == {"size": 1, "note": None, "colour": "red"}


def test_patches(widgets: Widgets) -> None:
    """Merge and JSON patches work; a strategic merge patch is 415."""
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 1}))
    kubectl.ok("patch", widgets.resource, "one", "--type=merge", "-p", '{"spec": {"size": 2}}')
    replaced = json.dumps([{"op": "replace", "path": "/spec/size", "value": 3}])
    kubectl.ok("patch", widgets.resource, "one", "--type=json", "-p", replaced)
    said = kubectl.fails("patch", widgets.resource, "one", "--type=strategic", "-p", '{"spec": {"size": 4}}')
    assert "application/strategic-merge-patch+json is not supported" in said
    assert widgets.spec("one")["size"] == 3
    bad = kubectl.fails("patch", widgets.resource, "one", "--type=merge", "-p", '{"spec": {"size": 40}}')
    assert "should be less than or equal to 10" in bad
    bad = kubectl.fails("patch", widgets.resource, "one", "--type=merge", "-p", '{"apiVersion": true}')
    assert "cannot unmarshal bool into Go struct field .apiVersion of type string" in bad


def test_an_applied_null_is_kept_where_it_may_be_and_refused_where_not(kubectl: Kubectl) -> None:
    found = Widgets(kubectl)
    spec = found.definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec["note"] = {"type": "string", "nullable": True}
    spec["other"] = {"type": "string"}
    try:
        found.define()
        apply = ("apply", "--server-side", "--validate=ignore", "-f", "-")
        kubectl.ok(*apply, stdin=found.widget("one", {"size": 1, "note": None}))
        assert found.spec("one")["note"] is None
        said = kubectl.fails(*apply, stdin=found.widget("one", {"size": 1, "other": None}))
        assert 'spec.other: Invalid value: "null"' in said
        kubectl.ok("create", "--validate=ignore", "-f", "-", stdin=found.widget("two", {"size": 1, "other": None}))
        assert "other" not in found.spec("two")
    finally:
        found.remove()


def test_a_finalizer_without_a_domain_is_warned_of_once(widgets: Widgets) -> None:
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 1}))
    patched = ("patch", widgets.resource, "one", "--type=merge", "-p")
    said = kubectl.run(*patched, '{"metadata": {"finalizers": ["plain", "shop.example.com/x"]}}').error
    assert 'metadata.finalizers: "plain": prefer a domain-qualified finalizer name' in said
    assert "shop.example.com/x" not in said
    assert "finalizer" not in kubectl.run(*patched, '{"metadata": {"labels": {"a": "b"}}}').error
    kubectl.ok(*patched, '{"metadata": {"finalizers": null}}')


def test_server_side_apply_goes_by_the_schema(widgets: Widgets) -> None:
    """Keyed lists merge by key, sets by item, an atomic map is one field, and so are conflicts."""
    kubectl = widgets.kubectl

    def apply(manager: str, spec: Any, *more: str) -> Any:
        words = ("apply", "--server-side", f"--field-manager={manager}", *more, "-f", "-")
        return kubectl.run(*words, stdin=widgets.widget("one", spec))

    first = {"size": 1, "ports": [{"name": "a", "port": 1}], "tags": ["x"], "whole": {"k": "1"}, "free": {"a": 1}}
    assert apply("one", first).code == 0
    assert apply("two", {"size": 1, "ports": [{"name": "b"}], "tags": ["y"], "free": {"b": 2}}).code == 0
    found = widgets.spec("one")
    assert [port["name"] for port in found["ports"]] == ["a", "b"]
    assert sorted(found["tags"]) == ["x", "y"]
    assert found["free"] == {"a": 1, "b": 2}
    assert (
        'conflict with "one": .spec.ports[name="a"].port'
        in apply("two", {"size": 1, "ports": [{"name": "a", "port": 2}]}).error
    )
    assert 'conflict with "one": .spec.whole' in apply("two", {"size": 1, "whole": {"j": "2"}}).error
    assert apply("two", {"size": 1, "whole": {"j": "2"}}, "--force-conflicts").code == 0
    found = widgets.spec("one")
    assert found["whole"] == {"j": "2"}
    assert [port["name"] for port in found["ports"]] == ["a"]
    assert found["tags"] == ["x"]


def test_server_side_apply_twice_changes_nothing(widgets: Widgets) -> None:
    """The same apply by the same manager leaves resourceVersion and managedFields as they are."""
    manifest = widgets.widget("one", {"size": 1, "ports": [{"name": "a"}], "tags": ["x"]})
    words = ("apply", "--server-side", "-f", "-")
    widgets.kubectl.ok(*words, stdin=manifest)
    before = widgets.kubectl.json("get", widgets.resource, "one", "--show-managed-fields")
    widgets.kubectl.ok(*words, stdin=manifest)
    assert widgets.kubectl.json("get", widgets.resource, "one", "--show-managed-fields") == before


def test_status_is_written_at_its_own_place(widgets: Widgets) -> None:
    """The object's endpoint does not write status, /status writes nothing else, and generation counts the spec."""
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 1}, status={"phase": "Early"}))
    found = kubectl.json("get", widgets.resource, "one")
    assert "status" not in found
    assert found["metadata"]["generation"] == 1
    patch = '{"status": {"phase": "Ready"}, "spec": {"size": 9}}'
    kubectl.ok("patch", widgets.resource, "one", "--subresource=status", "--type=merge", "-p", patch)
    kubectl.ok("patch", widgets.resource, "one", "--type=merge", "-p", '{"status": {"phase": "Late"}}')
    found = kubectl.json("get", widgets.resource, "one")
    assert (found["status"], found["spec"]["size"]) == ({"phase": "Ready"}, 1)
    assert found["metadata"]["generation"] == 1
    kubectl.ok("patch", widgets.resource, "one", "--type=merge", "-p", '{"spec": {"size": 2}}')
    assert kubectl.json("get", widgets.resource, "one")["metadata"]["generation"] == 2
    bad = kubectl.fails(
        "patch", widgets.resource, "one", "--subresource=status", "--type=merge", "-p", '{"status": {"phase": 1}}'
    )
    assert "status.phase: Invalid value" in bad


def test_printer_columns(widgets: Widgets) -> None:
    """`get` prints the definition's columns, those of low priority with -o wide only."""
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 3}))
    kubectl.ok(
        "patch", widgets.resource, "one", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Ok"}}'
    )
    head, row = kubectl.ok("get", widgets.resource).splitlines()
    assert head.split() == ["NAME", "SIZE", "PHASE", "AGE"]
    assert row.split()[:3] == ["one", "3", "Ok"]
    head, row = kubectl.ok("get", widgets.resource, "-o", "wide").splitlines()
    assert head.split() == ["NAME", "SIZE", "PHASE", "COLOUR", "AGE"]
    assert row.split()[3] == "red"


def test_explain_and_describe(widgets: Widgets) -> None:
    """The schema's descriptions reach `kubectl explain`, and describe shows the object."""
    kubectl = widgets.kubectl
    eventually(lambda: kubectl.run("explain", f"{widgets.resource}.spec.size").code == 0)
    assert "How large it is." in kubectl.ok("explain", f"{widgets.resource}.spec.size")
    assert "name	<string> -required-" in kubectl.ok("explain", f"{widgets.resource}.spec.ports")
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 3}))
    assert "Colour:  red" in kubectl.ok("describe", widgets.resource, "one")


def test_put_needs_a_resource_version(widgets: Widgets) -> None:
    """A custom object is never replaced blindly, and a stale replace is a conflict."""
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 1}))
    before = kubectl.json("get", widgets.resource, "one")
    kubectl.ok("patch", widgets.resource, "one", "--type=merge", "-p", '{"spec": {"size": 2}}')
    assert "the object has been modified" in kubectl.fails("replace", "-f", "-", stdin=json.dumps(before))
    path = f"/apis/{widgets.group}/v1/namespaces/{kubectl.namespace}/widgets/one"
    said = kubectl.fails("replace", "--raw", path, "-f", "-", stdin=widgets.widget("one", {"size": 3}))
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in said


def test_owned_objects_go_with_their_custom_owner(widgets: Widgets) -> None:
    """Garbage collection knows custom kinds on both sides."""
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("owner", {"size": 1}))
    uid = kubectl.json("get", widgets.resource, "owner")["metadata"]["uid"]
    reference = {"apiVersion": f"{widgets.group}/v1", "kind": "Widget", "name": "owner", "uid": uid}
    owned = {"name": "owned", "ownerReferences": [reference]}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": owned}
    kubectl.ok("create", "-f", "-", stdin=json.dumps(config_map))
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("owned", {"size": 1}, metadata=owned))
    kubectl.ok("delete", widgets.resource, "owner")
    eventually(lambda: kubectl.run("get", "configmap", "owned").code != 0)
    eventually(lambda: kubectl.run("get", widgets.resource, "owned").code != 0)


def test_a_namespace_takes_its_custom_objects_along(widgets: Widgets) -> None:
    """Deleting a namespace deletes what custom kinds have in it."""
    other = f"{widgets.kubectl.namespace}-other"
    kubectl = widgets.kubectl.within(other)
    kubectl.ok("create", "namespace", other)
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 1}))
    kubectl.ok("delete", "namespace", other, "--timeout=60s")
    assert kubectl.json("get", widgets.resource, "-A")["items"] == []


def test_rbac_holds_for_custom_kinds(widgets: Widgets) -> None:
    """A role on a custom kind allows it; a ClusterRole that aggregates to view lets every viewer read it."""
    kubectl = widgets.kubectl
    user = f"--as=viewer-of-{kubectl.namespace}"
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 1}))
    said = kubectl.fails("get", widgets.resource, user)
    assert f'cannot list resource "widgets" in API group "{widgets.group}"' in said
    kubectl.ok("create", "rolebinding", "view", "--clusterrole=view", f"--user=viewer-of-{kubectl.namespace}")
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": f"view-{widgets.group}",
            "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"},
        },
        "rules": [{"apiGroups": [widgets.group], "resources": ["widgets"], "verbs": ["get", "list", "watch"]}],
    }
    kubectl.ok("create", "-f", "-", stdin=json.dumps(role))
    try:
        eventually(lambda: kubectl.run("get", widgets.resource, user).code == 0)
        assert kubectl.ok("auth", "can-i", "list", widgets.resource, user) == "yes\n"
        assert "cannot delete" in kubectl.fails("delete", widgets.resource, "one", user)
    finally:
        kubectl.ok("delete", "clusterrole", role["metadata"]["name"])  # type: ignore[index]  # a literal above


def test_scale(widgets: Widgets) -> None:
    """`kubectl scale` reads and writes the fields that the definition names."""
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 1, "replicas": 1}))
    status = '{"status": {"replicas": 1, "selector": "app=one"}}'
    kubectl.ok("patch", widgets.resource, "one", "--subresource=status", "--type=merge", "-p", status)
    kubectl.ok("scale", f"{widgets.resource}/one", "--replicas=3")
    assert widgets.spec("one")["replicas"] == 3
    found = kubectl.json("get", widgets.resource, "one", "--subresource=scale")
    assert (found["kind"], found["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert found["spec"] == {"replicas": 3}
    assert found["status"] == {"replicas": 1, "selector": "app=one"}
    said = kubectl.fails("scale", f"{widgets.resource}/one", "--current-replicas=7", "--replicas=1")
    assert "xpected replicas to be 7, was 3" in said
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("none", {"size": 1}))
    path = f"/apis/{widgets.group}/v1/namespaces/{kubectl.namespace}/widgets/none/scale"
    assert 'the spec replicas field ".spec.replicas" does not exist' in kubectl.fails("get", "--raw", path)
    kubectl.ok("scale", f"{widgets.resource}/one", "--replicas=0")
    assert widgets.spec("one")["replicas"] == 0
