"""One version of a custom kind, as its CustomResourceDefinition says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from iambridge.sandbox.cluster.objects.conform import Conformed, conformed_metadata
from iambridge.sandbox.cluster.objects.custom.defaulting import default
from iambridge.sandbox.cluster.objects.custom.pruning import prune
from iambridge.sandbox.cluster.objects.custom.schema_type import root_type
from iambridge.sandbox.cluster.objects.types import Type

Object = dict[str, Any]

_AGE = {
    "name": "Age",
    "type": "date",
    "description": "CreationTimestamp is a timestamp representing the server time when this object was created. It is"
    " not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It"
    " is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    "jsonPath": ".metadata.creationTimestamp",
}
_KUBE_LIKE = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?")


@dataclass(frozen=True, eq=False)
class CustomVersion:
    """`stored` is the version that objects are stored at; `since` the resourceVersion at which this was so first.

    `scale` are the paths of the scale subresource by their names in the definition, empty without one. `selectable`
    are the fields that a field selector may name. `warning` is told to whoever uses a deprecated version. `served` are
    the names of all versions of the kind that are served, the preferred one first.
    """

    group: str
    version: str
    kind: str
    namespaced: bool
    schema: Mapping[str, Any]
    stored: str
    since: int
    status: bool = False
    scale: Mapping[str, str] | None = None
    columns: tuple[Mapping[str, Any], ...] = ()
    selectable: tuple[str, ...] = ()
    warning: str = ""
    served: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"

    @cached_property
    def type(self) -> Type:
        return root_type(self.schema, self.kind)

    def conform(self, obj: Mapping[str, Any], *, nulls: bool = False) -> Conformed:
        """The object as this version has it, and what was dropped; `nulls` are kept where they may not be, too.

        Raises:
            BadRequest: metadata has a wrong type in it.
        """
        metadata, unknown = conformed_metadata(obj.get("metadata") or {}, "metadata", self.api_version, self.kind)
        found, dropped = prune({**obj, "metadata": metadata}, self.schema, nulls=nulls)
        faults = tuple(f'unknown field "{path}"' for path in (*unknown, *dropped))
        return Conformed(found, faults)

    def default(self, obj: Object) -> Object:
        found: Object = default(obj, {**self.schema, "properties": self._own_properties})
        return found

    @cached_property
    def _own_properties(self) -> Mapping[str, Any]:
        properties = self.schema.get("properties") or {}
        return {name: one for name, one in properties.items() if name not in {"apiVersion", "kind", "metadata"}}

    def storable(self, obj: Object) -> Object:
        """Without the nulls that were applied and that validation lets through where the schema gives no type."""
        return prune(obj, self.schema)[0]

    def presented(self, obj: Object) -> Object:
        """A stored object, whatever version or schema it was stored under, as this version has it now.

        Conversion is `None`: only apiVersion differs between versions.
        """
        found, _ = prune(obj, self.schema)
        return self.default({**found, "apiVersion": self.api_version})


def versions_of(definition: Mapping[str, Any], since: int) -> tuple[CustomVersion, ...]:
    """The served versions of an established CustomResourceDefinition, the preferred one first."""
    spec = definition["spec"]
    names = definition["status"]["acceptedNames"]
    stored = next(one["name"] for one in spec["versions"] if one.get("storage"))
    served = [one for one in spec["versions"] if one.get("served")]
    served.sort(key=lambda one: priority(one["name"]))
    found = (_version(one, spec, names["kind"], stored, since) for one in served)
    return tuple(replace(one, served=tuple(each["name"] for each in served)) for one in found)


def _version(said: Mapping[str, Any], spec: Mapping[str, Any], kind: str, stored: str, since: int) -> CustomVersion:
    subresources = said.get("subresources") or {}
    return CustomVersion(
        spec["group"],
        said["name"],
        kind,
        spec["scope"] == "Namespaced",
        (said.get("schema") or {}).get("openAPIV3Schema") or {},
        stored,
        since,
        status="status" in subresources,
        scale=subresources.get("scale"),
        columns=tuple(said.get("additionalPrinterColumns") or (_AGE,)),
        selectable=tuple(one["jsonPath"].removeprefix(".") for one in said.get("selectableFields") or ()),
        warning=_warning(said, spec, kind),
    )


def _warning(said: Mapping[str, Any], spec: Mapping[str, Any], kind: str) -> str:
    if not said.get("deprecated"):
        return ""
    if said.get("deprecationWarning"):
        return str(said["deprecationWarning"])
    group = spec["group"]
    better = [
        one["name"]
        for one in spec["versions"]
        if one.get("served") and not one.get("deprecated") and priority(one["name"]) < priority(said["name"])
    ]
    text = f"{group}/{said['name']} {kind} is deprecated"
    return f"{text}; use {group}/{min(better, key=priority)} {kind}" if better else text


def priority(version: str) -> tuple[int, int, int, str]:
    """A key that sorts versions as Kubernetes prefers them: v10, v2, v1, v11beta2, v3beta1, v12alpha1, foo.

    Source: apimachinery pkg/version/helpers.go.
    """
    found = _KUBE_LIKE.fullmatch(version)
    if found is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), "")
