"""Objects of custom kinds. Source: apiextensions-apiserver pkg/registry/customresource (strategy.go, validator.go)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, object_meta
from iambridge.sandbox.cluster.objects.custom import embedded, list_types, values
from iambridge.sandbox.cluster.objects.custom.version import CustomVersion
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy

_LARGEST_INT32 = 2**31 - 1
_PLAIN_FINALIZER = "prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
ABSENT: Any = object()


@dataclass(frozen=True, kw_only=True)
class CustomResourceStrategy(Strategy):
    version: CustomVersion

    @classmethod
    def of(cls, version: CustomVersion) -> "CustomResourceStrategy":
        return cls(
            version.group,
            version.kind,
            namespaced=version.namespaced,
            has_status=version.status,
            generation=True,
            version=version,
        )

    def changed(self, new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
        """Every change but one of metadata counts."""
        return {**new, "metadata": None} != {**old, "metadata": None}

    def default(self, obj: Object) -> Object:
        return self.version.default(obj)

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = object_meta.validate(obj, namespaced=self.namespaced, name=self.name, plain_finalizers=True)
        errors += values.validate(obj, self._schema) + self._scaled(obj, ("specReplicasPath", "statusReplicasPath"))
        return errors + embedded.faults(obj, self._schema) + list_types.faults(obj, self._schema)

    def validate_update(self, new: Object, old: Object, subresource: str = "") -> list[FieldError]:
        errors = object_meta.validate_update(new, old, plain_finalizers=True)
        if subresource == "status":
            below = (self._schema.get("properties") or {}).get("status")
            if below is not None and "status" in new:
                before = old.get("status", values.ABSENT)
                errors += values.validate(new["status"], below, old=before, prefix="status")
            errors += self._scaled(new, ("statusReplicasPath",))
        else:
            errors += values.validate(new, self._schema, old=old)
            errors += self._scaled(new, ("specReplicasPath", "statusReplicasPath"))
            errors += embedded.faults(new, self._schema)
        # a list that was wrong before may stay so
        repeated = list_types.faults(new, self._schema)
        return errors + ([] if repeated and list_types.faults(old, self._schema) else repeated)

    def warnings(self, new: Object, old: Object | None = None) -> list[str]:
        before = (old or {}).get("metadata", {}).get("finalizers", [])
        added = [name for name in new["metadata"].get("finalizers") or [] if name not in before]
        return [f'metadata.finalizers: "{name}": {_PLAIN_FINALIZER}' for name in added if "/" not in name]

    @property
    def _schema(self) -> Mapping[str, Any]:
        return self.version.schema

    def _scaled(self, obj: Object, names: tuple[str, ...]) -> list[FieldError]:
        """The scale subresource's numbers of replicas are whole, and no less than none."""
        errors = []
        for name in names:
            path = (self.version.scale or {}).get(name) or ""
            found = at(obj, path) if path else ABSENT
            if found is ABSENT:
                continue
            if isinstance(found, bool) or not isinstance(found, int):
                words = f"{path} accessor error: {found} is of the type {type(found).__name__}, expected int64"
                errors.append(field_error.bad_value(path, 0, words))
            elif found < 0:
                errors.append(field_error.bad_value(path, found, "should be a non-negative integer"))
            elif found > _LARGEST_INT32:
                words = f"should be less than or equal to {_LARGEST_INT32}"
                errors.append(field_error.bad_value(path, found, words))
        return errors


def at(obj: Mapping[str, Any], path: str) -> Any:
    """What stands at `.spec.replicas`; ABSENT when there is no such field."""
    value: Any = obj
    for name in path.removeprefix(".").split("."):
        if not isinstance(value, Mapping) or name not in value:
            return ABSENT
        value = value[name]
    return value
