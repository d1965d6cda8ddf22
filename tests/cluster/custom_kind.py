"""A custom kind of a test's own, with most of what a schema can say."""

import contextlib
import copy
import json
from typing import Any

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.errors import NotFound

from .conftest import Kubectl
from .plumbing import asked, eventually

_DEFINITIONS = path_of("apis", "apiextensions.k8s.io", "v1", "customresourcedefinitions")

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
        asked(self.kubectl.kubeconfig, lambda client: client.post(_DEFINITIONS, self.definition))
        # Established comes a little later than the object, and discovery and OpenAPI a little later than that
        eventually(lambda: self.kubectl.run("get", self.resource).code == 0)

    def remove(self) -> None:
        async def delete(client: KubernetesClient) -> None:
            with contextlib.suppress(NotFound):
                await client.delete(_DEFINITIONS + path_of(self.resource))

        asked(self.kubectl.kubeconfig, delete)

    def widget(self, name: str, spec: Any, **more: Any) -> str:
        return json.dumps(
            {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec, **more}
        )

    def spec(self, name: str) -> Any:
        return self.kubectl.json("get", self.resource, name)["spec"]
