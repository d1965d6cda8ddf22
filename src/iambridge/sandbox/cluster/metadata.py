"""What the server writes into an object's metadata, and what callers may not change in it.

Source: apiserver pkg/registry/rest (create.go, update.go, meta.go).
"""

import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from iambridge.errors import AlreadyExists, BadRequest, Conflict, Forbidden, NotFound
from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.resources import Resource

_ALPHANUMERIC = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_PREFIX = 58

Object = dict[str, Any]


def details(resource: Resource, name: str, **more: Any) -> dict[str, object]:
    """A Status's details about one object."""
    found = {"name": name, "group": resource.group, "kind": resource.plural, **more}
    return {key: value for key, value in found.items() if value}


def not_found(resource: Resource, name: str) -> NotFound:
    return NotFound(f'{resource.name} "{name}" not found', details=details(resource, name))


def already_exists(resource: Resource, name: str, live: Mapping[str, Any] | None = None) -> AlreadyExists:
    """409; `live` is what is there, where it is known."""
    ends = live is not None and live["metadata"].get("deletionTimestamp")
    words = f'{"object is being deleted: " if ends else ""}{resource.name} "{name}" already exists'
    return AlreadyExists(words, details=details(resource, name))


def forbidden(resource: Resource, name: str, why: str) -> Forbidden:
    return Forbidden(f'{resource.name} "{name}" is forbidden: {why}', details=details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> Conflict:
    """409 on a stale resourceVersion, or for the reason given."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    return Conflict(
        f'Operation cannot be fulfilled on {resource.name} "{name}": {why}', details=details(resource, name)
    )


def check_uid(resource: Resource, name: str, wanted: str, live: Mapping[str, Any]) -> None:
    """Raises Conflict when `wanted` is given and is not the live object's uid."""
    uid = live["metadata"].get("uid", "")
    if wanted and wanted != uid:
        raise conflict(resource, name, f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}")


def place(obj: Object, resource: Resource, namespace: str) -> None:
    """Put the object into the namespace of the request.

    Raises:
        BadRequest: it names another.
    """
    metadata = obj["metadata"]
    own = metadata.get("namespace", "")
    if not resource.namespaced:
        metadata.pop("namespace", None)
        return
    if own and own != namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = namespace


def name_it(obj: Object) -> None:
    """Make a name of `generateName` when there is none."""
    metadata = obj["metadata"]
    if not metadata.get("name") and metadata.get("generateName"):
        prefix = metadata["generateName"][:_LONGEST_PREFIX]
        metadata["name"] = prefix + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(5))


def begin(obj: Object, now: str) -> None:
    """What a new object's metadata gets from the server, whatever the caller wrote there."""
    forget(obj)
    metadata = obj["metadata"]
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now


def forget(obj: Object) -> None:
    """Drop from a new object's metadata what a caller may not say."""
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        obj["metadata"].pop(name, None)


def keep_uid(resource: Resource, name: str, new: Object, live: Mapping[str, Any]) -> None:
    """Raises Invalid when a patch changed the uid."""
    uid = new["metadata"].get("uid")
    if uid and uid != live["metadata"].get("uid"):
        fault = field_error.bad_value("metadata.uid", uid, "field is immutable")
        raise field_error.invalid(resource.group, resource.kind, name, [fault])


_SERVERS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName")


def carry_over(new: Object, old: Mapping[str, Any]) -> None:
    """What an update may not change stays as it was, silently, as kube-apiserver does it."""
    metadata, live = new["metadata"], old["metadata"]
    for name in _SERVERS:
        if name in live:
            metadata[name] = live[name]
        else:
            metadata.pop(name, None)
    metadata.pop("selfLink", None)


def ordered(obj: Mapping[str, Any], resource: Resource, version: int) -> Object:
    """The object as it is stored: kind and apiVersion first, and its resourceVersion."""
    metadata = {**obj["metadata"], "resourceVersion": str(version)}
    rest = {key: value for key, value in obj.items() if key not in {"kind", "apiVersion", "metadata"}}
    return {
        "kind": resource.kind,
        "apiVersion": resource.stored_api_version,
        "metadata": dict(sorted(metadata.items())),
        **rest,
    }


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two objects differ in nothing but the times of their managedFields and their resourceVersion."""
    return _comparable(one) == _comparable(other)


def _comparable(obj: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    if "managedFields" in metadata:
        metadata["managedFields"] = [
            {key: value for key, value in entry.items() if key != "time"} for entry in metadata["managedFields"]
        ]
    return {**{key: value for key, value in obj.items() if key not in {"kind", "apiVersion"}}, "metadata": metadata}
