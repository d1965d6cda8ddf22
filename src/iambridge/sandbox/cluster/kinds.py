"""The type and the rules of every served resource, built-in or from a CustomResourceDefinition."""

import msgspec

from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects.conform import Conformed, conform
from iambridge.sandbox.cluster.objects.kinds import Strategy, strategy
from iambridge.sandbox.cluster.objects.kinds.custom_resource import CustomResourceStrategy
from iambridge.sandbox.cluster.objects.kinds.events import from_core, to_core
from iambridge.sandbox.cluster.objects.types import Type, type_of
from iambridge.sandbox.cluster.resources import Resource
from iambridge.sandbox.cluster.store import Stored


class Kinds:
    def type(self, resource: Resource) -> Type:
        return resource.custom.type if resource.custom is not None else type_of(resource.api_version, resource.kind)

    def strategy(self, resource: Resource) -> Strategy:
        if resource.custom is not None:
            return CustomResourceStrategy.of(resource.custom)
        return strategy(resource.group, resource.kind)

    def conform(self, resource: Resource, obj: Object, *, nulls: bool = False) -> Conformed:
        """`nulls` keeps those that a custom kind does not allow."""
        if resource.custom is not None:
            return resource.custom.conform(obj, nulls=nulls)
        return conform(obj, self.type(resource))


def presented(resource: Resource, raw: bytes, version: int) -> bytes:
    """A stored object as `resource`'s version has it: an older one may lack defaults, or hold what is pruned now."""
    if resource.stored_as:
        return msgspec.json.encode(from_core(msgspec.json.decode(raw)))
    custom = resource.custom
    if custom is None or (custom.version == custom.stored and version > custom.since):
        return raw
    return msgspec.json.encode(custom.presented(msgspec.json.decode(raw)))


def storable(resource: Resource, obj: Object) -> Object:
    """An object of `resource` as the store holds it, but for its version."""
    if resource.custom is not None:
        return resource.custom.storable(obj)
    return to_core(obj) if resource.stored_as else obj


def read(resource: Resource, stored: Stored) -> Object:
    """A stored object, decoded, as `presented`."""
    found: Object = msgspec.json.decode(presented(resource, stored.raw, stored.version))
    return found
