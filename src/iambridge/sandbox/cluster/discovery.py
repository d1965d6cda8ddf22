"""/version, /api, /apis: what is served, in the legacy and in the aggregated form.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api; apidiscovery.k8s.io/v2.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from iambridge.sandbox.cluster.resources import Resource, Resources, Subresource

# what kube-apiserver stores in another version than it is asked for
_STORED = {
    "events.events.k8s.io": "/v1/Event",
    "customresourcedefinitions.apiextensions.k8s.io": "apiextensions.k8s.io/v1beta1/CustomResourceDefinition",
}
GIT_VERSION = "v1.32.4+iambridge"
AGGREGATED = tuple(("APIGroupDiscoveryList", "apidiscovery.k8s.io", version) for version in ("v2", "v2beta1"))


def version() -> dict[str, Any]:
    """The version of the API that is served; the suffix says by whom."""
    return {
        "major": "1",
        "minor": "32",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "python/any",
    }


def api_versions(address: str) -> dict[str, Any]:
    """The legacy /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def api_groups(resources: Resources) -> dict[str, Any]:
    """The legacy /apis."""
    groups = [group(resources, name) for name in _groups(resources)]
    for each in groups:
        del each["kind"], each["apiVersion"]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(resources: Resources, name: str) -> dict[str, Any]:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version} for version in resources.group_versions()[name]
    ]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": versions,
        "preferredVersion": versions[0],
    }


def _groups(resources: Resources) -> list[str]:
    return [name for name in resources.group_versions() if name]


def api_resources(resources: Resources, group_name: str, version_name: str) -> dict[str, Any]:
    """The legacy /api/v1 and /apis/GROUP/VERSION."""
    found = []
    for resource in resources.of_group_version(group_name, version_name):
        found.append(_legacy(resource))
        for sub in sorted(resource.subresources, key=lambda each: each.name):
            group, version, kind = _body_kind(resource, sub)
            entry: dict[str, Any] = {
                "name": f"{resource.plural}/{sub.name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": kind,
                "verbs": list(sub.verbs),
            }
            if (group, version) != (resource.group, resource.version):
                entry |= {"group": group, "version": version}
            found.append(entry)
    group_version = f"{group_name}/{version_name}" if group_name else version_name
    head = {"kind": "APIResourceList", **({"apiVersion": "v1"} if group_name else {})}  # as kube-apiserver has it
    return {**head, "groupVersion": group_version, "resources": found}


def _verbs(resource: Resource) -> list[str]:
    """A custom kind whose definition is being deleted takes nothing new."""
    verbs = resource.verbs
    return [verb for verb in verbs if not (resource.terminating and verb in {"create", "patch", "update"})]


def _legacy(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if not resource.virtual:
        stored = _STORED.get(resource.name, f"{resource.group}/{resource.version}/{resource.kind}")
        entry["storageVersionHash"] = base64.b64encode(hashlib.sha256(stored.encode()).digest()[:8]).decode()
    return entry


def _body_kind(resource: Resource, sub: Subresource) -> tuple[str, str, str]:
    if sub.kind:
        return sub.group, sub.version, sub.kind
    return resource.group, resource.version, resource.kind


def aggregated(resources: Resources, groups: Sequence[str], api_version: str) -> dict[str, Any]:
    """APIGroupDiscoveryList of `groups`, for `api_version` v2 or v2beta1."""
    items = []
    for name in groups:
        versions = [
            {
                "version": version,
                "resources": [_aggregated(each) for each in resources.of_group_version(name, version)],
                "freshness": "Current",
            }
            for version in resources.group_versions()[name]
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{api_version}",
        "metadata": {},
        "items": items,
    }


def named_groups(resources: Resources) -> list[str]:
    """Every group but the core one."""
    return _groups(resources)


def _aggregated(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = []
        for sub in sorted(resource.subresources, key=lambda each: each.name):
            group, version, kind = _body_kind(resource, sub)
            own = (group, version) == (resource.group, resource.version)
            # left empty where it is that of the resource, as kube-apiserver has it
            response = {"group": "" if own else group, "version": "" if own else version, "kind": kind}
            entry["subresources"].append({"subresource": sub.name, "responseKind": response, "verbs": list(sub.verbs)})
    return entry
