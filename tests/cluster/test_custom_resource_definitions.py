"""CustomResourceDefinitions by kubectl: acceptance, conditions, versions, refusals, and their end."""

import copy
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Kubectl
from .custom_kind import Widgets
from .plumbing import eventually


@pytest.fixture
def widgets(kubectl: Kubectl) -> Iterator[Widgets]:
    found = Widgets(kubectl)
    yield found
    found.remove()


def _schema(definition: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def _spec(definition: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _schema(definition)["properties"]["spec"]["properties"]
    return found


def test_a_definition_is_established(widgets: Widgets) -> None:
    """Names are accepted, defaults filled in, and both conditions hold."""
    widgets.define()
    found = widgets.kubectl.json("get", "crd", widgets.resource)
    conditions = {each["type"]: (each["status"], each["reason"]) for each in found["status"]["conditions"]}
    assert conditions["NamesAccepted"] == ("True", "NoConflicts")
    assert conditions["Established"] == ("True", "InitialNamesAccepted")
    assert found["status"]["acceptedNames"]["listKind"] == "WidgetList"
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["spec"]["conversion"] == {"strategy": "None"}
    assert found["metadata"]["generation"] == 1
    listed = widgets.kubectl.ok("api-resources", f"--api-group={widgets.group}", "-o", "wide")
    assert "create,delete,deletecollection,get,list,patch,update,watch" in ",".join(
        sorted(listed.splitlines()[1].split()[-1].split(","))
    )


_FAULTS: list[tuple[str, Any, str]] = [
    ("size", {}, "properties[size].type: Required value: must not be empty for specified object fields"),
    ("size", {"type": "int"}, 'properties[size].type: Unsupported value: "int"'),
    ("tags", {"type": "array"}, "properties[tags].items: Required value: must be specified"),
    ("size", {"type": "string", "default": 1}, "properties[size].default: Invalid value"),
    (
        "size",
        {"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}},
        'properties[size].default: Invalid value: {"b":1}: must not have unknown fields',
    ),
    (
        "size",
        {"type": "string", "anyOf": [{"type": "string"}]},
        "properties[size].anyOf[0].type: Forbidden: must be empty to be structural",
    ),
    ("size", {"type": "string", "pattern": "("}, "properties[size].pattern: Invalid value"),
    (
        "tags",
        {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
        "x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
    ),
    (
        "tags",
        {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
        "uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    ),
    (
        "size",
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
        "additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
    ),
    (
        "size",
        {"type": "string", "x-kubernetes-preserve-unknown-fields": False},
        "x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
    ),
]


def test_faulty_schemas_are_refused_in_kubernetes_words(widgets: Widgets) -> None:
    """A schema that is not structural, or says what it may not, is a 422 that names the place."""
    for name, schema, words in _FAULTS:
        faulty = copy.deepcopy(widgets.definition)
        _spec(faulty)[name] = schema
        said = widgets.kubectl.fails("create", "-f", "-", stdin=json.dumps(faulty))
        place = "spec.validation.openAPIV3Schema.properties[spec]."
        assert place in said, (schema, said)
        assert words in said, (schema, said)
    assert "not found" in widgets.kubectl.fails("get", "crd", widgets.resource)


_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"group": "nodots"}, 'spec.group: Invalid value: "nodots": should be a domain with at least one dot'),
    ({"scope": "Global"}, 'spec.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced"'),
    ({"versions": []}, "must have exactly one version marked as storage version"),
    ({"names": {"plural": "widgets", "kind": "9"}}, 'spec.names.kind: Invalid value: "9"'),
    ({"names": {"plural": "gadgets", "kind": "Widget"}}, 'must be spec.names.plural+"."+spec.group'),
    ({"preserveUnknownFields": True}, "spec.preserveUnknownFields: Invalid value: true"),
]


def test_faulty_definitions_are_refused(widgets: Widgets) -> None:
    """Names, group, scope and versions are judged as well as the schema."""
    for change, words in _WRONG:
        faulty = {**widgets.definition, "spec": {**widgets.definition["spec"], **change}}
        said = widgets.kubectl.fails("create", "-f", "-", stdin=json.dumps(faulty))
        assert words in said, (change, said)


def test_unknown_fields_of_a_schema_are_refused(widgets: Widgets) -> None:
    """A typo in a schema is named; below items, where Go's decoder is not strict, it is dropped."""
    spec = _spec(widgets.definition)
    spec["tags"]["tpye"] = "array"
    said = widgets.kubectl.fails("create", "-f", "-", stdin=json.dumps(widgets.definition))
    assert 'unknown field "spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.tags.tpye"' in said
    spec["tags"]["items"]["tpye"] = spec["tags"].pop("tpye")
    widgets.kubectl.ok("create", "-f", "-", stdin=json.dumps(widgets.definition))
    found = widgets.kubectl.json("get", "crd", widgets.resource)
    assert _spec(found)["tags"]["items"] == {"type": "string"}


def test_taken_names_are_not_accepted(widgets: Widgets) -> None:
    """A second definition with a kind of the same group waits until the first one gives the name up."""
    widgets.define()
    other = copy.deepcopy(widgets.definition)
    other["metadata"]["name"] = f"others.{widgets.group}"
    other["spec"]["names"] = {"plural": "others", "singular": "other", "kind": "Widget", "listKind": "OtherList"}
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=json.dumps(other))
    name = f"crd/others.{widgets.group}"
    try:
        kubectl.ok("wait", "--for=condition=NamesAccepted=false", "--timeout=60s", name)
        conditions = {each["type"]: each for each in kubectl.json("get", name)["status"]["conditions"]}
        assert conditions["NamesAccepted"]["reason"] == "KindConflict"
        assert conditions["NamesAccepted"]["message"] == '"Widget" is already in use'
        assert conditions["Established"]["status"] == "False"
        assert kubectl.run("get", f"others.{widgets.group}").code != 0
        kubectl.ok("delete", "crd", widgets.resource, "--timeout=60s")
        kubectl.ok("wait", "--for=condition=Established", "--timeout=60s", name)
    finally:
        kubectl.ok("delete", name, "--timeout=60s")


def test_what_may_not_change(widgets: Widgets) -> None:
    """Scope, kind, group and plural of an established definition stay."""
    widgets.define()
    kubectl = widgets.kubectl
    for patch in ('{"spec": {"scope": "Cluster"}}', '{"spec": {"names": {"kind": "Gadget"}}}'):
        assert "field is immutable" in kubectl.fails("patch", "crd", widgets.resource, "--type=merge", "-p", patch)


def test_a_changed_schema_holds_at_once(widgets: Widgets) -> None:
    """Stored objects get new defaults when read, lose what the schema drops, and need not mend what they held."""
    widgets.define()
    kubectl = widgets.kubectl
    kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 9, "name": "abc", "note": "n"}))
    changed = copy.deepcopy(widgets.definition)
    _spec(changed)["size"]["maximum"] = 5
    _spec(changed)["flavour"] = {"type": "string", "default": "plain"}
    del _spec(changed)["note"]
    kubectl.ok("apply", "-f", "-", stdin=json.dumps(changed))
    eventually(lambda: widgets.spec("one").get("flavour") == "plain")
    assert widgets.spec("one") == {"size": 9, "name": "abc", "colour": "red", "flavour": "plain"}
    # size is wrong by now, and stays so while nobody changes it
    kubectl.ok("patch", widgets.resource, "one", "--type=merge", "-p", '{"spec": {"name": "de"}}')
    said = kubectl.fails("patch", widgets.resource, "one", "--type=merge", "-p", '{"spec": {"size": 8}}')
    assert "should be less than or equal to 5" in said


def test_several_versions(widgets: Widgets) -> None:
    """An object is seen in every served version, stored in one, and a deprecated one warns."""
    first = widgets.definition["spec"]["versions"][0]
    beta = {**copy.deepcopy(first), "name": "v1beta1", "storage": False, "deprecated": True}
    beta["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].pop("tags")
    widgets.definition["spec"]["versions"] = [beta, first]
    widgets.define()
    kubectl = widgets.kubectl
    manifest = widgets.widget("one", {"size": 1, "tags": ["a"]})
    kubectl.ok("create", "-f", "-", stdin=manifest)
    assert kubectl.json("get", widgets.resource, "one")["apiVersion"] == f"{widgets.group}/v1"
    path = f"/apis/{widgets.group}/v1beta1/namespaces/{kubectl.namespace}/widgets"
    found = kubectl.run("get", "--raw", f"{path}/one")
    beta_one = json.loads(found.out)
    assert beta_one["apiVersion"] == f"{widgets.group}/v1beta1"
    assert beta_one["spec"] == {"size": 1, "colour": "red"}
    assert (
        f"{widgets.group}/v1beta1 Widget is deprecated; use {widgets.group}/v1 Widget"
        in kubectl.run("get", f"widgets.v1beta1.{widgets.group}").error
    )
    old = manifest.replace(f"{widgets.group}/v1", f"{widgets.group}/v1beta1").replace('"one"', '"two"')
    assert 'unknown field "spec.tags"' in kubectl.fails("create", "-f", "-", stdin=old)
    kubectl.ok("create", "--validate=ignore", "-f", "-", stdin=old)
    assert widgets.spec("two") == {"size": 1, "colour": "red"}
    said = kubectl.fails(
        "patch", "crd", widgets.resource, "--type=json", "-p", '[{"op": "remove", "path": "/spec/versions/1"}]'
    )
    assert "must have exactly one version marked as storage version" in said
    assert "v1 was previously a storage version" in said


def test_a_group_prefers_its_best_version_whichever_definition_has_it(widgets: Widgets) -> None:
    kubectl, group = widgets.kubectl, widgets.group
    gadgets = json.loads(json.dumps(widgets.definition).replace("widget", "gadget").replace("Widget", "Gadget"))
    gadgets["spec"]["names"] = {"plural": "gadgets", "kind": "Gadget"}
    gadgets["spec"]["versions"][0]["name"] = "v1beta1"
    try:
        kubectl.ok("create", "-f", "-", stdin=json.dumps(gadgets))
        kubectl.ok("wait", "--for=condition=Established", "--timeout=60s", f"crd/gadgets.{group}")
        widgets.define()

        def versions() -> list[str]:
            found = json.loads(kubectl.run("get", "--raw", f"/apis/{group}").out)
            return [found["preferredVersion"]["version"], *(each["version"] for each in found["versions"])]

        eventually(lambda: versions() == ["v1", "v1", "v1beta1"])
    finally:
        kubectl.run("delete", "crd", f"gadgets.{group}", "--wait=false")


def test_the_end_of_a_definition_takes_its_objects_along(widgets: Widgets) -> None:
    """Deletion waits for objects with finalizers, lets nothing new in, ends watches and frees the path."""
    widgets.define()
    kubectl = widgets.kubectl
    held = widgets.widget("held", {"size": 1}, metadata={"name": "held", "finalizers": ["example.com/hold"]})
    kubectl.ok("create", "-f", "-", stdin=held)
    path = f"/apis/{widgets.group}/v1/namespaces/{kubectl.namespace}/widgets?watch=true"
    environment = {"KUBECONFIG": str(kubectl.kubeconfig), "HOME": str(kubectl.home)}
    watching = subprocess.Popen(
        [kubectl.program, "get", "--raw", path], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        kubectl.ok("delete", "crd", widgets.resource, "--wait=false")
        eventually(lambda: "deletionTimestamp" in kubectl.json("get", widgets.resource, "held")["metadata"])
        said = kubectl.fails("create", "-f", "-", stdin=widgets.widget("new", {"size": 1}))
        assert "create not allowed while custom resource definition is terminating" in said
        conditions = kubectl.json("get", "crd", widgets.resource)["status"]["conditions"]
        assert {"Terminating": "True"}.items() <= {each["type"]: each["status"] for each in conditions}.items()
        kubectl.ok("patch", widgets.resource, "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        kubectl.ok("wait", "--for=delete", "--timeout=90s", f"crd/{widgets.resource}")
        eventually(lambda: kubectl.run("get", "--raw", f"/apis/{widgets.group}/v1").code != 0)
        out, _ = watching.communicate(timeout=60)
        assert '"type":"DELETED"' in out
    finally:
        watching.kill()
        watching.wait()
    # a definition of the same name begins with nothing
    widgets.define()
    assert kubectl.json("get", widgets.resource)["items"] == []


def test_community_groups_need_an_approval(kubectl: Kubectl) -> None:
    """A definition under k8s.io without the approval annotation is refused."""
    widgets = Widgets(kubectl)
    text = json.dumps(widgets.definition).replace("example.com", "k8s.io")
    said = kubectl.fails("create", "-f", "-", stdin=text)
    assert "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have" in said


@pytest.mark.embedded_only(reason="says what this cluster does not model")
def test_what_is_not_modelled_is_refused_by_name(widgets: Widgets) -> None:
    """CEL rules and conversion webhooks: a real API server takes them, this one says that it does not."""
    cel = copy.deepcopy(widgets.definition)
    _spec(cel)["size"]["x-kubernetes-validations"] = [{"rule": "self > 0"}]
    said = widgets.kubectl.fails("create", "-f", "-", stdin=json.dumps(cel))
    assert "x-kubernetes-validations: Forbidden: CEL rules are not evaluated" in said
    webhook = copy.deepcopy(widgets.definition)
    webhook["spec"]["conversion"] = {
        "strategy": "Webhook",
        "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/convert"}},
    }
    said = widgets.kubectl.fails("create", "-f", "-", stdin=json.dumps(webhook))
    assert "spec.conversion.strategy: Forbidden: conversion webhooks are not called" in said
