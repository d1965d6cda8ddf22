"""Public clients on custom kinds: the official client's custom objects, its dynamic client, kopf as an operator."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Kubectl
from .custom_kind import Widgets
from .plumbing import eventually

pytestmark = pytest.mark.filterwarnings("ignore")  # the clients' own deprecations

OPERATOR = """
import os
import kopf

GROUP = os.environ["GROUP"]


@kopf.on.create(GROUP, "v1", "widgets")
def created(spec, name, namespace, patch, **_):
    patch.status["phase"] = f"made-{spec['size']}"


@kopf.on.update(GROUP, "v1", "widgets", field="spec.size")
def resized(old, new, patch, **_):
    patch.status["phase"] = f"from-{old}-to-{new}"


@kopf.on.delete(GROUP, "v1", "widgets")
def gone(name, **_):
    print(f"gone {name}", flush=True)
"""


@pytest.fixture
def widgets(kubectl: Kubectl) -> Iterator[Widgets]:
    found = Widgets(kubectl)
    found.define()
    yield found
    found.remove()


def test_custom_objects_api(widgets: Widgets) -> None:
    """The official Python client creates, patches, watches, writes status and deletes by its CustomObjectsApi."""
    import kubernetes

    api = kubernetes.client.CustomObjectsApi(kubernetes.config.new_client_from_config(str(widgets.kubectl.kubeconfig)))
    place = (widgets.group, "v1", widgets.kubectl.namespace, "widgets")
    created = api.create_namespaced_custom_object(*place, json.loads(widgets.widget("one", {"size": 1})))
    assert created["spec"] == {"size": 1, "colour": "red"}
    api.patch_namespaced_custom_object(*place, "one", {"spec": {"size": 2}})
    api.patch_namespaced_custom_object_status(*place, "one", {"status": {"phase": "Ready"}})
    api.patch_namespaced_custom_object_scale(*place, "one", {"spec": {"replicas": 4}})
    assert api.get_namespaced_custom_object_scale(*place, "one")["spec"] == {"replicas": 4}
    api.delete_namespaced_custom_object(*place, "one")
    seen = []
    stream = kubernetes.watch.Watch().stream(
        api.list_namespaced_custom_object,
        *place,
        resource_version=created["metadata"]["resourceVersion"],
        timeout_seconds=60,
    )
    for event in stream:
        found = event["object"]
        seen.append((event["type"], found["spec"].get("replicas"), (found.get("status") or {}).get("phase")))
        if event["type"] == "DELETED":
            break
    assert seen == [
        ("MODIFIED", None, None),
        ("MODIFIED", None, "Ready"),
        ("MODIFIED", 4, "Ready"),
        ("DELETED", 4, "Ready"),
    ]
    with pytest.raises(kubernetes.client.ApiException) as refused:
        api.create_namespaced_custom_object(*place, json.loads(widgets.widget("bad", {"size": 99})))
    assert refused.value.status == 422
    causes = json.loads(refused.value.body)["details"]["causes"]
    assert [(cause["reason"], cause["field"]) for cause in causes] == [("FieldValueInvalid", "spec.size")]


def test_dynamic_client(widgets: Widgets) -> None:
    """The dynamic client finds a kind that was defined after it started, and applies to it."""
    import kubernetes
    from kubernetes.dynamic import DynamicClient

    client = DynamicClient(kubernetes.config.new_client_from_config(str(widgets.kubectl.kubeconfig)))
    found = client.resources.get(api_version=f"{widgets.group}/v1", kind="Widget")
    body = json.loads(widgets.widget("one", {"size": 3}))
    namespace = widgets.kubectl.namespace
    found.server_side_apply(body=body, namespace=namespace, field_manager="me")
    assert found.get(name="one", namespace=namespace).spec.size == 3
    found.delete(name="one", namespace=namespace)


def test_apiextensions_client(kubectl: Kubectl) -> None:
    """The official client defines a kind with its typed API, and reads the conditions."""
    import kubernetes

    widgets = Widgets(kubectl)
    api = kubernetes.client.ApiextensionsV1Api(kubernetes.config.new_client_from_config(str(kubectl.kubeconfig)))
    try:
        api.create_custom_resource_definition(widgets.definition)

        def established() -> bool:
            status: Any = api.read_custom_resource_definition(widgets.resource).status
            return any(each.type == "Established" and each.status == "True" for each in status.conditions or ())

        eventually(established)
    finally:
        widgets.remove()


def test_a_kopf_operator(widgets: Widgets, tmp_path: Path) -> None:
    """kopf, a Python operator framework, serves the kind: its handlers run, its finalizer holds, its status is kept."""
    script = tmp_path / "operator.py"
    script.write_text(OPERATOR)
    log = (tmp_path / "operator.log").open("w")
    kubectl = widgets.kubectl
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(kubectl.kubeconfig),
        "GROUP": widgets.group,
    }
    operator = subprocess.Popen(
        [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", kubectl.namespace, str(script)],
        stdout=log, stderr=subprocess.STDOUT, env=environment,
    )  # fmt: skip

    def phase() -> str:
        found: dict[str, Any] = kubectl.json("get", widgets.resource, "one").get("status", {})
        return str(found.get("phase", ""))

    try:
        kubectl.ok("create", "-f", "-", stdin=widgets.widget("one", {"size": 1}))
        eventually(lambda: phase() == "made-1", 60)
        assert kubectl.json("get", widgets.resource, "one")["metadata"]["finalizers"]
        kubectl.ok("patch", widgets.resource, "one", "--type=merge", "-p", '{"spec": {"size": 2}}')
        eventually(lambda: phase() == "from-1-to-2", 60)
        kubectl.ok("delete", widgets.resource, "one", "--timeout=60s")
        eventually(lambda: "gone one" in (tmp_path / "operator.log").read_text(), 60)
    finally:
        operator.terminate()
        deadline = time.monotonic() + 30
        while operator.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        operator.kill()
        operator.wait()
        log.close()
