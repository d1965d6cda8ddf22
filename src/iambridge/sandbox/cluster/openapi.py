"""/openapi/v3: a document for each group and version, as kubectl reads it to validate and to `explain`.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3 and kube-apiserver's own.
"""

import hashlib
from typing import Any

import msgspec

from iambridge.sandbox.cluster.discovery import GIT_VERSION
from iambridge.sandbox.cluster.objects.custom.published import definition_name, definitions_of
from iambridge.sandbox.cluster.objects.schema import closure
from iambridge.sandbox.cluster.objects.types import UnknownKind, type_of
from iambridge.sandbox.cluster.resources import Resource, Resources

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_SCALE = "io.k8s.api.autoscaling.v1.Scale"
_FIELD_VALIDATION = (
    "fieldValidation instructs the server on how to handle objects in the request (POST/PUT/PATCH) containing unknown"
    " or duplicate fields. Valid values are: Ignore, Warn (the default) and Strict."
)
_PARAMETERS: dict[str, dict[str, str]] = {
    "pretty": {"type": "string"},
    "dryRun": {"type": "string"},
    "fieldManager": {"type": "string"},
    "fieldValidation": {"type": "string"},
    "force": {"type": "boolean"},
    "limit": {"type": "integer"},
    "continue": {"type": "string"},
    "labelSelector": {"type": "string"},
    "fieldSelector": {"type": "string"},
    "resourceVersion": {"type": "string"},
    "resourceVersionMatch": {"type": "string"},
    "allowWatchBookmarks": {"type": "boolean"},
    "sendInitialEvents": {"type": "boolean"},
    "timeoutSeconds": {"type": "integer"},
    "watch": {"type": "boolean"},
    "gracePeriodSeconds": {"type": "integer"},
    "propagationPolicy": {"type": "string"},
    "orphanDependents": {"type": "boolean"},
}
_LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_ACTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "list": ("get", "list", _LIST),
    "create": ("post", "post", _WRITE),
    "deletecollection": ("delete", "deletecollection", (*_LIST, *_DELETE)),
    "get": ("get", "get", ()),
    "update": ("put", "put", _WRITE),
    "patch": ("patch", "patch", (*_WRITE, "force")),
    "delete": ("delete", "delete", _DELETE),
}
_COLLECTION = ("list", "create", "deletecollection")
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


_PATCH = {
    "description": "Patch is a JSON patch, merge patch, strategic merge patch or applied object.",
    "type": "object",
}


# clients ask for the name with an @, which is no media type and so cannot be answered with
V2_ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def swagger() -> dict[str, Any]:
    """/openapi/v2, without any model: kubectl asks for it before a `kind: List`, and then leaves validation to us."""
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": GIT_VERSION}, "paths": {}}


def swagger_protobuf() -> bytes:
    """The same as gnostic's openapi.v2.Document: swagger is field 1, info 2, with title 1 and version 2."""
    info = _text(1, "Kubernetes") + _text(2, GIT_VERSION)
    return _text(1, "2.0") + bytes((2 << 3 | 2, len(info))) + info


def _text(number: int, text: str) -> bytes:
    return bytes((number << 3 | 2, len(text))) + text.encode()


class OpenApi:
    """The documents, made at first need and again when what is served changes."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._documents: dict[str, bytes] = {}
        self._of: dict[str, list[Resource]] = {}
        self._generation = -1

    def index(self) -> dict[str, Any]:
        """Every document with an address that changes with its content."""
        paths = {
            name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={self.hash(name)}"} for name in sorted(self._all())
        }
        return {"paths": paths}

    def document(self, name: str) -> bytes | None:
        """The document of `api/v1` or `apis/batch/v1`, None when it is not served."""
        return self._all().get(name)

    def hash(self, name: str) -> str:
        return hashlib.sha256(self._all()[name]).hexdigest().upper()

    def _all(self) -> dict[str, bytes]:
        if self._generation != self._resources.generation:
            self._generation = self._resources.generation
            served = {
                f"apis/{group}/{version}" if group else f"api/{version}": self._resources.of_group_version(
                    group, version
                )
                for group, versions in self._resources.group_versions().items()
                for version in versions
            }
            self._documents = {
                name: self._documents[name] if self._of.get(name) == found else msgspec.json.encode(_document(found))
                for name, found in served.items()
            }
            self._of = served
        return self._documents


def _document(resources: list[Resource]) -> dict[str, Any]:
    names = {f"{_META}.{kind}" for kind in ("DeleteOptions", "Status")}
    paths: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for resource in resources:
        name = _definition_of(resource)
        if resource.custom is not None:
            custom |= definitions_of(resource.custom, resource.list_kind, resource.plural)
            names |= {f"{_META}.{kind}" for kind in ("ObjectMeta", "ListMeta")}
            names |= {_SCALE} if resource.subresource("scale") else set()
        names |= {name, _list_definition(resource)}
        paths |= _paths(resource, name)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": GIT_VERSION},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {**closure(names), **custom, f"{_META}.Patch": _PATCH}},
    }


def _definition_of(resource: Resource) -> str:
    if resource.custom is not None:
        return definition_name(resource.custom)
    return _definition(resource.api_version, resource.kind)


def _list_definition(resource: Resource) -> str:
    return _definition_of(resource).removesuffix(resource.kind) + resource.list_kind


def _definition(api_version: str, kind: str) -> str:
    try:
        return type_of(api_version, kind).name
    except UnknownKind:
        return f"{_META}.Status"


def _paths(resource: Resource, definition: str) -> dict[str, Any]:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    base = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    collection = [verb for verb in resource.verbs if verb in _COLLECTION]
    single = [verb for verb in resource.verbs if verb in _ACTIONS and verb not in _COLLECTION]
    found = {base: _operations(resource, collection, kind, definition, "", named=False)}
    if resource.namespaced and "list" in resource.verbs:
        everywhere = _operations(resource, ["list"], kind, definition, "ForAllNamespaces", named=False)
        everywhere["parameters"] = [one for one in everywhere["parameters"] if one["in"] == "query"]
        found[f"{root}/{resource.plural}"] = everywhere
    if single:
        found[f"{base}/{{name}}"] = _operations(resource, single, kind, definition, "", named=True)
    for sub in resource.subresources:
        sub_kind = {"group": sub.group, "version": sub.version, "kind": sub.kind} if sub.kind else kind
        api_version = f"{sub.group}/{sub.version}" if sub.group else sub.version
        body = _definition(api_version, sub.kind) if sub.kind else definition
        found[f"{base}/{{name}}/{sub.name}"] = _operations(
            resource, list(sub.verbs), sub_kind, body, sub.name.capitalize(), named=True
        )
    return found


def _operations(
    resource: Resource, verbs: list[str], kind: dict[str, str], definition: str, suffix: str, *, named: bool
) -> dict[str, Any]:
    path: dict[str, Any] = {}
    scope = "Namespaced" if resource.namespaced and not suffix.startswith("For") else ""
    stem = "".join(part.capitalize() for part in resource.group.split(".")[0:1]) or "Core"
    for verb in verbs:
        method, action, parameters = _ACTIONS[verb]
        answer = _list_definition(resource) if verb == "list" else definition
        operation: dict[str, Any] = {
            "tags": [f"{stem.lower()}_{resource.version}"],
            "operationId": f"{verb}{stem}{resource.version.capitalize()}{scope}{resource.kind}{suffix}",
            "parameters": [_parameter(name) for name in parameters],
            "responses": {"200": {"description": "OK", "content": _content(("application/json",), answer)}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
        }
        if verb in {"create", "update"}:
            operation["requestBody"] = {"content": _content(("*/*",), definition), "required": True}
        elif verb == "patch":
            types = _PATCH_TYPES if resource.custom is None else _PATCH_TYPES[:3]
            operation["requestBody"] = {"content": _content(types, f"{_META}.Patch"), "required": True}
        elif verb in {"delete", "deletecollection"}:
            operation["requestBody"] = {"content": _content(("*/*",), f"{_META}.DeleteOptions")}
        path[method] = operation
    path["parameters"] = [_in_path(name) for name, there in (("name", named), ("namespace", scope)) if there]
    path["parameters"].append(_parameter("pretty"))
    return path


def _content(media: tuple[str, ...], definition: str) -> dict[str, Any]:
    return {name: {"schema": {"$ref": f"#/components/schemas/{definition}"}} for name in media}


def _parameter(name: str) -> dict[str, Any]:
    description = _FIELD_VALIDATION if name == "fieldValidation" else name
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {**_PARAMETERS[name], "uniqueItems": True},
    }


def _in_path(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "description": f"{name} of the object",
        "required": True,
        "schema": {"type": "string", "uniqueItems": True},
    }
