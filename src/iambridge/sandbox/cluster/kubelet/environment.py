"""A container's environment: pure, from the pod and the ConfigMaps and Secrets that it names.

Rules: https://kubernetes.io/docs/tasks/inject-data-application/ and core/v1 EnvVar, EnvFromSource. Nothing comes from
the environment of whoever started the kubelet.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from iambridge.errors import CreateContainerConfigError
from iambridge.sandbox.cluster.kubelet.resource_fields import container_named, resource_value

Object = Mapping[str, Any]

_ANNOTATION_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_NAME = re.compile(r"[\x20-\x3c\x3e-\x7e]+")  # printable ASCII without "=", as validated since Kubernetes 1.30
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


@dataclass(frozen=True, slots=True)
class Sources:
    """The objects that a pod names, by name: absent ones are not in the mapping. `allocatable` is what the node has."""

    config_maps: Mapping[str, Object] = field(default_factory=dict)
    secrets: Mapping[str, Object] = field(default_factory=dict)
    allocatable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Environment:
    """`values` is the whole environment; `added` names the variables that the node put in of its own accord."""

    values: Mapping[str, str]
    added: tuple[str, ...] = ()


def named_sources(containers: Iterable[Object]) -> tuple[set[str], set[str]]:
    """The names of the ConfigMaps and of the Secrets that the containers' environments draw on."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for container in containers:
        references = [entry.get("valueFrom") or {} for entry in container.get("env") or ()]
        for reference in (*references, *(container.get("envFrom") or ())):
            for key, names in (("configMap", config_maps), ("secret", secrets)):
                name = (reference.get(f"{key}KeyRef") or reference.get(f"{key}Ref") or {}).get("name")
                if name:
                    names.add(name)
    return config_maps, secrets


def container_environment(
    pod: Object, container: Object, sources: Sources, *, base: Mapping[str, str], node: Mapping[str, str]
) -> Environment:
    """`base` is where the pod starts from (PATH, HOME, TMPDIR); `node` is added where the pod sets no such name.

    Raises:
        CreateContainerConfigError: a ConfigMap, Secret, key or field that is not there, in the kubelet's words.
    """
    own: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        own.update(_from_source(pod, source, sources))
    for entry in container.get("env") or ():
        if "valueFrom" in entry:
            value = _from_reference(pod, container, entry["valueFrom"], sources)
            if value is None:
                continue
        else:
            value = expand(entry.get("value") or "", {**base, **node, **own})
        own[entry["name"]] = value
    added = tuple(name for name in node if name not in own)
    return Environment({**base, **node, **own}, added)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` by its value, `$$` by one dollar; an unknown name stays as it is. Source: core/v1 EnvVar.value."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(value, text)


def field_value(pod: Object, path: str) -> str:
    """A downward API field as text. Source: core/v1 ObjectFieldSelector.

    Raises:
        CreateContainerConfigError: a field that the downward API does not offer.
    """
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    subscript = _ANNOTATION_FIELD.fullmatch(path)
    if subscript:
        return str((metadata.get(subscript[1]) or {}).get(subscript[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = metadata.get(path.split(".")[1]) or {}
        return "\n".join(f'{key}="{_quoted(value)}"' for key, value in sorted(entries.items()))
    known = {
        "metadata.name": metadata.get("name"),
        "metadata.namespace": metadata.get("namespace"),
        "metadata.uid": metadata.get("uid"),
        "spec.nodeName": spec.get("nodeName"),
        "spec.serviceAccountName": spec.get("serviceAccountName"),
        "status.hostIP": status.get("hostIP"),
        "status.hostIPs": ",".join(each["ip"] for each in status.get("hostIPs") or ()),
        "status.podIP": status.get("podIP"),
        "status.podIPs": ",".join(each["ip"] for each in status.get("podIPs") or ()),
    }
    if path not in known:
        raise CreateContainerConfigError(f"unsupported fieldPath: {path}", fix=f"use one of {', '.join(sorted(known))}")
    return str(known[path] or "")


def decoded(config_or_secret: Object) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret with their bytes."""
    entries: dict[str, bytes] = {}
    if config_or_secret.get("kind") == "Secret":
        for key, text in (config_or_secret.get("data") or {}).items():
            entries[key] = base64.b64decode(text)
        return entries
    for key, text in (config_or_secret.get("data") or {}).items():
        entries[key] = text.encode()
    for key, text in (config_or_secret.get("binaryData") or {}).items():
        entries[key] = base64.b64decode(text)
    return entries


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _from_source(pod: Object, source: Object, sources: Sources) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    found: dict[str, str] = {}
    for key, kind, objects in _kinds(sources):
        reference = source.get(f"{key}Ref")
        if reference is None:
            continue
        entries = _entries(pod, reference, kind, objects)
        for name, value in (entries or {}).items():
            if _NAME.fullmatch(prefix + name):
                found[prefix + name] = value.decode(errors="surrogateescape")
    return found


def _from_reference(pod: Object, container: Object, reference: Object, sources: Sources) -> str | None:
    """The value, or None for an optional one that is not there."""
    if "resourceFieldRef" in reference:
        selector = reference["resourceFieldRef"]
        named = container_named(pod, selector["containerName"]) if selector.get("containerName") else container
        return resource_value(named, selector, sources.allocatable)
    if "fieldRef" in reference:
        return field_value(pod, reference["fieldRef"].get("fieldPath", ""))
    for key, kind, objects in _kinds(sources):
        selector = reference.get(f"{key}KeyRef")
        if selector is None:
            continue
        entries = _entries(pod, selector, kind, objects)
        if entries is None:
            return None
        if selector["key"] not in entries:
            if selector.get("optional"):
                return None
            place = f"{pod['metadata']['namespace']}/{selector['name']}"
            raise CreateContainerConfigError(
                f"couldn't find key {selector['key']} in {kind} {place}", fix=f"add the key to {kind} {place}"
            )
        return entries[selector["key"]].decode(errors="surrogateescape")
    raise CreateContainerConfigError(
        f"the embedded node does not support env valueFrom {', '.join(reference) or 'without a source'}",
        fix="use value, fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef",
    )


def _kinds(sources: Sources) -> tuple[tuple[str, str, Mapping[str, Object]], ...]:
    return ("configMap", "ConfigMap", sources.config_maps), ("secret", "Secret", sources.secrets)


def _entries(pod: Object, reference: Object, kind: str, objects: Mapping[str, Object]) -> dict[str, bytes] | None:
    name = reference.get("name") or ""
    if name in objects:
        return decoded({"kind": kind, **objects[name]})
    if reference.get("optional"):
        return None
    place = f"{pod['metadata']['namespace']}/{name}"
    raise CreateContainerConfigError(f'{kind.lower()} "{name}" not found', fix=f"create {kind} {place}")
