"""A kind's rules with the behaviour that most kinds share. Source: kubernetes pkg/registry/*/*/strategy.go."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iambridge.sandbox.cluster.objects import names, object_meta
from iambridge.sandbox.cluster.objects.field_error import FieldError

Object = dict[str, Any]
_SERVER_OWNED = (
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "uid",
    "creationTimestamp",
)


@dataclass(frozen=True)
class Strategy:
    """One kind. Every method returns a new object or a list; none changes what it is given.

    `generation` says whether the kind counts changes of its spec in metadata.generation, `status_keeps` which fields of
    metadata an update of the status may not change.
    """

    group: str
    kind: str
    namespaced: bool
    has_status: bool = False
    generation: bool = False
    status_keeps: tuple[str, ...] = ()
    name: Callable[[str], list[str]] = names.dns_subdomain
    plain_finalizers: bool = False

    @property
    def subresources(self) -> tuple[str, ...]:
        return ("status",) if self.has_status else ()

    def reset(self, subresource: str = "") -> Sequence[tuple[str, ...]]:
        """The paths that an endpoint does not write: status on the object's own, everything but status on /status."""
        if not self.has_status:
            return ()
        if subresource == "status":
            return (("spec",), *(("metadata", name) for name in self.status_keeps))
        return (("status",),)

    def prepare_create(self, obj: Object) -> Object:
        """Drops what only the server writes."""
        out = copy.deepcopy(obj)
        meta = out.setdefault("metadata", {})
        for name in _SERVER_OWNED:
            meta.pop(name, None)
        if self.generation:
            meta["generation"] = 1
        if self.has_status:
            out.pop("status", None)
        return out

    def after_uid(self, obj: Object) -> Object:
        """What depends on metadata.uid, after the server has set it."""
        return obj

    def prepare_update(self, new: Object, old: Object, subresource: str = "") -> Object:
        """Keeps what this endpoint may not change; counts the generation."""
        out = copy.deepcopy(new)
        meta, before = out.setdefault("metadata", {}), old.get("metadata") or {}
        for name in ("generation", "selfLink", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
            meta.pop(name, None)
            if name in before:
                meta[name] = before[name]
        if self.has_status and subresource == "status":
            return self._only_status(out, old)
        if self.has_status:
            _carry(out, old, "status")
        if self.generation and self.changed(out, old):
            meta["generation"] = before.get("generation", 0) + 1
        return out

    def _only_status(self, new: Object, old: Object) -> Object:
        out = {name: value for name, value in copy.deepcopy(old).items() if name not in {"metadata", "status"}}
        out["metadata"] = new["metadata"]
        for name in self.status_keeps:
            _carry(out["metadata"], old["metadata"], name)
        _carry(out, new, "status")
        return out

    def changed(self, new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
        """Whether an update counts as a new generation."""
        return new.get("spec") != old.get("spec")

    def default(self, obj: Object) -> Object:
        return obj

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = object_meta.validate(
            obj, namespaced=self.namespaced, name=self.name, plain_finalizers=self.plain_finalizers
        )
        return errors + self.validate(obj)

    def validate_update(self, new: Object, old: Object, subresource: str = "") -> list[FieldError]:
        errors = object_meta.validate_update(new, old, plain_finalizers=self.plain_finalizers)
        if subresource == "status":
            return errors
        return errors + self.validate(new) + self.immutable(new, old)

    def validate(self, obj: Object) -> list[FieldError]:  # noqa: ARG002  # for kinds with rules of their own
        return []

    def immutable(self, new: Object, old: Object) -> list[FieldError]:  # noqa: ARG002  # as validate
        return []

    def warnings(self, new: Object, old: Object | None = None) -> list[str]:  # noqa: ARG002  # as validate
        return []


def _carry(target: Object, source: Mapping[str, Any], name: str) -> None:
    if name in source:
        target[name] = copy.deepcopy(source[name])
    else:
        target.pop(name, None)
