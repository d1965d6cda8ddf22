"""DELETE of one object and of a collection."""

from collections.abc import Callable

import msgspec

from iambridge.errors import Conflict, NotFound
from iambridge.sandbox.cluster import codec, metadata
from iambridge.sandbox.cluster.admission_chain import Operation
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.deletion import DeleteOptions, marked
from iambridge.sandbox.cluster.kinds import read, storable
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.registry import Registry, Target
from iambridge.sandbox.cluster.store import Stored
from iambridge.sandbox.cluster.timestamps import timestamp

_ATTEMPTS = 6


async def delete(registry: Registry, call: Call, target: Target, options: DeleteOptions) -> tuple[Object, bool]:
    """Delete an object. Returns the object as last stored, and whether it is gone.

    Raises:
        NotFound: it is not there.
        Conflict: a precondition does not hold.
    """
    for attempt in range(_ATTEMPTS):
        stored = registry.stored(target)
        live = read(target.resource, stored)
        _check_preconditions(target, options, live)
        await registry.admission.validate(Operation("DELETE", call, target, None, live))
        try:
            return await _delete(registry, call, target, (stored, live), options)
        except Conflict as error:
            if error.details or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _check_preconditions(target: Target, options: DeleteOptions, live: Object) -> None:
    kind, found = target.resource.kind, live["metadata"]
    for field, wanted, why in (
        ("uid", options.uid, "The object might have been deleted and then recreated"),
        ("resourceVersion", options.resource_version, "The object might have been modified"),
    ):
        if wanted and wanted != found.get(field):
            what = "UID" if field == "uid" else "ResourceVersion"
            words = (
                f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found.get(field)})"
            )
            details = {"name": target.name, "group": target.resource.group, "kind": kind}
            raise Conflict(
                f'Operation cannot be fulfilled on {kind} "{target.name}": {words}. {why}',
                details={key: value for key, value in details.items() if value},
            )


async def _delete(
    registry: Registry, call: Call, target: Target, found: tuple[Stored, Object], options: DeleteOptions
) -> tuple[Object, bool]:
    resource, (stored, live) = target.resource, found
    kept = marked(resource, live, options, registry.now(), call.warnings)
    if options.dry_run:  # of the body where there is one, whatever the query says: as kube-apiserver reads it
        return (kept or live), kept is None
    if kept is None:
        encode = _encoder(live, target)
        gone = read(resource, await registry.store.write(target.key, stored.version, "DELETED", encode))
        return _ended(gone, registry.now()) if resource.name == "pods" else gone, True
    if metadata.same(kept, live):
        return live, False
    written = await registry.store.write(target.key, stored.version, "MODIFIED", _encoder(kept, target))
    return read(resource, written), False


def _encoder(obj: Object, target: Target) -> Callable[[int], bytes]:
    stored = storable(target.resource, obj)
    return lambda version: msgspec.json.encode(metadata.ordered(stored, target.resource, version))


def _ended(pod: Object, now: float) -> Object:
    """A pod that was removed at once, as its DELETE shows it."""
    found = {"deletionTimestamp": timestamp(now), **pod["metadata"], "deletionGracePeriodSeconds": 0}
    found["generation"] = found.get("generation", 0) + ("deletionTimestamp" not in pod["metadata"])
    return {**pod, "metadata": found}


def answer(target: Target, obj: Object, *, gone: bool) -> Object:
    """What DELETE answers: the object where the kind does so or it still ends, else a Status."""
    resource = target.resource
    if resource.returns_deleted or not gone:
        return obj
    return codec.success(target.name, resource.group, resource.plural, obj["metadata"].get("uid", ""))


async def delete_collection(
    registry: Registry, call: Call, target: Target, found: list[Object], options: DeleteOptions
) -> list[Object]:
    """Delete each of `found` that is still there; returns them as last stored."""
    deleted = []
    for item in found:
        one = target._replace(namespace=item["metadata"].get("namespace", ""), name=item["metadata"]["name"])
        try:
            obj, _ = await delete(registry, call, one, options)
        except NotFound:
            continue
        deleted.append(obj)
    return deleted
