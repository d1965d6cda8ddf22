"""The type and the rules of every served resource, built-in or from a CustomResourceDefinition."""

from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects.conform import Conformed, conform
from iambridge.sandbox.cluster.objects.kinds import Strategy, strategy
from iambridge.sandbox.cluster.objects.types import Type, type_of
from iambridge.sandbox.cluster.resources import Resource


class Kinds:
    def type(self, resource: Resource) -> Type:
        return type_of(resource.api_version, resource.kind)

    def strategy(self, resource: Resource) -> Strategy:
        return strategy(resource.group, resource.kind)

    def conform(self, resource: Resource, obj: Object) -> Conformed:
        return conform(obj, self.type(resource))
