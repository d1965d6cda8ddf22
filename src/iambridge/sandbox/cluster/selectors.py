"""Label and field selectors as query parameters write them. Sources: apimachinery pkg/labels and pkg/fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.label_query import Requirement, parse

_PARTS = re.compile(r"(?:[^\\,]|\\.?)+", re.DOTALL)
_FIELD = re.compile(r"^([^=!]*)(!=|==|=)(.*)$", re.DOTALL)

# What may be selected by, besides metadata.name and metadata.namespace. Source: pkg/apis/*/v1/conversion.go.
_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "jobs.batch": ("status.successful",),
    "events.events.k8s.io": (
        *(f"regarding.{name}" for name in _REFERENCE),
        "reason",
        "reportingController",
        "type",
    ),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


@dataclass(frozen=True, slots=True)
class LabelSelector:
    terms: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "LabelSelector":
        """Raises BadRequest for what is no selector."""
        return cls(parse(text))

    def matches(self, item: Mapping[str, Any]) -> bool:
        if not self.terms:
            return True
        labels = item["metadata"].get("labels") or {}
        return all(term.holds(labels) for term in self.terms)


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """`terms` are (path, value, equal)."""

    terms: tuple[tuple[str, str, bool], ...] = ()

    @classmethod
    def parse(cls, text: str, resource: str = "", selectable: tuple[str, ...] | None = None) -> "FieldSelector":
        """`metadata.name=a,status.phase!=b`; every path must be one that `resource` can be selected by.

        `selectable` are a custom kind's own paths, None for a built-in one.

        Raises:
            BadRequest: not a selector, or a field that is not selectable.
        """
        if not text.strip():
            return cls()
        known = ("metadata.name", "metadata.namespace", *_FIELDS.get(resource, ()), *(selectable or ()))
        terms = []
        for part in _PARTS.findall(text):
            match = _FIELD.match(part)
            if match is None:
                raise BadRequest(f"invalid selector: '{text}'; can't understand '{part}'")
            path, sign, value = match.groups()
            value = _unescaped(value)
            if path not in known:
                raise BadRequest(_unselectable(path, resource, custom=selectable is not None))
            terms.append((path, value, sign != "!="))
        return cls(tuple(terms))

    def matches(self, item: Mapping[str, Any]) -> bool:
        return all((field(item, path) == value) is equal for path, value, equal in self.terms)

    @property
    def name(self) -> str:
        """The object's name, when the selector asks for exactly one."""
        return next((value for path, value, equal in self.terms if path == "metadata.name" and equal), "")


def _unescaped(value: str) -> str:
    found = []
    chars = iter(value)
    for char in chars:
        if char in ",=":
            raise BadRequest(f"invalid field selector: unescaped character in value: {ord(char)}")
        if char == "\\":
            char = next(chars, "")  # noqa: PLW2901 - the character that is meant
            if char not in {"\\", ",", "="}:
                raise BadRequest(f"invalid field selector: invalid escape sequence: \\{char}")
        found.append(char)
    return "".join(found)


def _unselectable(path: str, resource: str, *, custom: bool) -> str:
    """The words for a path that nothing can be selected by; each kind's conversion has its own."""
    if resource == "jobs.batch":
        return f'field label "{path}" not supported for Job'
    if custom or resource in _FIELDS:
        return f"field label not supported: {path}"
    return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def field(item: Mapping[str, Any], path: str) -> str:
    """A field as selectors compare it: absent is empty, false is `false`."""
    if path == "source" and isinstance(item.get("source"), Mapping):
        return str(item["source"].get("component") or item.get("reportingComponent") or "")
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if path in {"spec.unschedulable", "spec.hostNetwork"}:
        return "true" if value else "false"
    if path == "status.successful":
        return str((item.get("status") or {}).get("succeeded") or 0)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
