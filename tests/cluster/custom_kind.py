"""A custom kind of a test's own, with most of what a schema can say."""

import copy
import json
import time
from collections.abc import Callable
from typing import Any

from .conftest import Kubectl

_SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10, "description": "How large it is."},
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "name": {"type": "string", "maxLength": 5, "pattern": "^[a-z]*$"},
        "replicas": {"type": "integer"},
        "note": {"type": "string", "nullable": True},
        "ports": {
            "type": "array",
            "maxItems": 3,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "port": {"x-kubernetes-int-or-string": True},
                    "protocol": {"type": "string", "default": "TCP"},
                },
            },
        },
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "whole": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "additionalProperties": {"type": "string"},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "template": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
}
_STATUS = {
    "type": "object",
    "properties": {
        "phase": {"type": "string"},
        "replicas": {"type": "integer"},
        "selector": {"type": "string"},
    },
}
_COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def definition(group: str, *, scope: str = "Namespaced") -> dict[str, Any]:
    """A CustomResourceDefinition of Widgets in `group`."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": _COLUMNS,
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "A thing that tests make.",
                            "required": ["spec"],
                            "properties": {"spec": copy.deepcopy(_SPEC), "status": copy.deepcopy(_STATUS)},
                        }
                    },
                }
            ],
        },
    }


class Widgets:
    """The kind of one test, `resource` by name and `group`, and how to make one."""

    def __init__(self, kubectl: Kubectl, *, scope: str = "Namespaced") -> None:
        self.kubectl = kubectl
        self.group = f"{kubectl.namespace}.example.com"
        self.resource = f"widgets.{self.group}"
        self.definition = definition(self.group, scope=scope)

    def define(self) -> None:
        self.kubectl.ok("apply", "-f", "-", stdin=json.dumps(self.definition))
        self.kubectl.ok("wait", "--for=condition=Established", "--timeout=30s", f"crd/{self.resource}")
        # discovery and OpenAPI may come a little later than the condition
        until(lambda: self.kubectl.run("get", self.resource).code == 0)

    def remove(self) -> None:
        self.kubectl.run("delete", "crd", self.resource, "--ignore-not-found", "--wait=false")

    def widget(self, name: str, spec: Any, **more: Any) -> str:
        return json.dumps(
            {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec, **more}
        )

    def spec(self, name: str) -> Any:
        return self.kubectl.json("get", self.resource, name)["spec"]


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that comes about by itself."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
