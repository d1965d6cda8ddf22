"""Label and field selectors as query parameters write them. Sources: apimachinery pkg/labels and pkg/fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iambridge.errors import BadRequest

_NAME = re.compile(r"^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$")
_VALUE = re.compile(r"^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
_SET = re.compile(r"^(\S+?)\s+(in|notin)\s*\(([^()]*)\)$")
_SPLIT = re.compile(r",(?![^(]*\))")
_FIELD = re.compile(r"^([^=!]+)(!=|==|=)(.*)$")
_NUMBER = re.compile(r"^-?\d{1,18}$")

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
    "replicasets.apps": ("status.replicas",),
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
class _Term:
    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
        if value is None or not _NUMBER.match(value):
            return False
        return int(value) > int(self.values[0]) if self.operator == "gt" else int(value) < int(self.values[0])


@dataclass(frozen=True, slots=True)
class LabelSelector:
    terms: tuple[_Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "LabelSelector":
        """`a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.

        Raises:
            BadRequest: not a selector.
        """
        if not text.strip():
            return cls()
        return cls(tuple(_label_term(part.strip(), text) for part in _SPLIT.split(text)))

    def matches(self, item: Mapping[str, Any]) -> bool:
        if not self.terms:
            return True
        labels = item["metadata"].get("labels") or {}
        return all(term.holds(labels) for term in self.terms)


def _label_term(part: str, text: str) -> _Term:
    found = _SET.match(part)
    if found:
        values = tuple(value.strip() for value in found[3].split(","))
        return _checked(_Term(found[1], found[2], values), text)
    if part.startswith("!") and "=" not in part:
        return _checked(_Term(part[1:].strip(), "absent"), text)
    for sign, operator in (("!=", "notin"), ("==", "in"), ("=", "in"), (">", "gt"), ("<", "lt")):
        key, found_sign, value = part.partition(sign)
        if found_sign:
            return _checked(_Term(key.strip(), operator, (value.strip(),)), text)
    return _checked(_Term(part, "exists"), text)


def _checked(term: _Term, text: str) -> _Term:
    numeric = term.operator in {"gt", "lt"}
    if not _NAME.match(term.key) or len(term.key.rpartition("/")[2]) > 63:
        raise BadRequest(f'unable to parse requirement: found "{term.key}" in selector "{text}", expected: identifier')
    for value in term.values:
        if numeric and not _NUMBER.match(value):
            raise BadRequest(f"values[0][{term.key}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, an integer")
        if not numeric and (not _VALUE.match(value) or len(value) > 63):
            raise BadRequest(
                f'unable to parse requirement: values[0][{term.key}]: Invalid value: "{value}": a valid label must be'
                " an"
                " empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
                " alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
                " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            )
    return term


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
        for part in text.split(","):
            if not part:
                continue
            match = _FIELD.match(part)
            if match is None:
                raise BadRequest(f"invalid selector: '{text}'; can't understand '{part}'")
            path, sign, value = match.groups()
            if path not in known:
                raise BadRequest(_unselectable(path, resource, custom=selectable is not None))
            terms.append((path, value.replace("\\,", ",").replace("\\=", "="), sign != "!="))
        return cls(tuple(terms))

    def matches(self, item: Mapping[str, Any]) -> bool:
        return all((field(item, path) == value) is equal for path, value, equal in self.terms)

    @property
    def name(self) -> str:
        """The object's name, when the selector asks for exactly one."""
        return next((value for path, value, equal in self.terms if path == "metadata.name" and equal), "")


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
