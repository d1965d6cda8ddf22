"""All admission of one write, in kube-apiserver's order: namespace, ServiceAccount, priority, webhooks.

Source: pkg/kubeapiserver/options/plugins.go for the order and the set that is on by default.
"""

import os
import uuid
from typing import Any, NamedTuple, Protocol

import msgspec

from iambridge.sandbox.cluster import pod_admission
from iambridge.sandbox.cluster.admission import AdmissionAttributes, WebhookAdmission, namespace_lifecycle
from iambridge.sandbox.cluster.admission.call import ServiceResolver
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.kinds import Kinds
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects import process_node
from iambridge.sandbox.cluster.objects.conform import conform as conform_to
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.types import type_of
from iambridge.sandbox.cluster.resources import Resource
from iambridge.sandbox.cluster.store import Event, Key, Store

_GROUP = "admissionregistration.k8s.io"
_MUTATING = f"mutatingwebhookconfigurations.{_GROUP}"
_VALIDATING = f"validatingwebhookconfigurations.{_GROUP}"
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


class Place(Protocol):
    """What admission reads of a registry's Target."""

    @property
    def resource(self) -> Resource: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def subresource(self) -> str: ...


class Operation(NamedTuple):
    """One write: `kind` is CREATE, UPDATE or DELETE."""

    kind: str
    call: Call
    target: Place
    obj: Object | None
    old: Object | None

    def attributes(self) -> AdmissionAttributes:
        resource = self.target.resource
        subresource = resource.subresource(self.target.subresource) if self.target.subresource else None
        kind = (resource.group, resource.version, resource.kind)
        if subresource is not None and subresource.kind:
            kind = (subresource.group, subresource.version, subresource.kind)
        options: dict[str, Any] = {"kind": _OPTIONS[self.kind], "apiVersion": "meta.k8s.io/v1"}
        if self.call.explicit_manager:
            options["fieldManager"] = self.call.manager
        if self.call.dry_run:
            options["dryRun"] = ["All"]
        namespace = self.target.namespace
        if resource.name == "namespaces":
            namespace = self.target.name
        return AdmissionAttributes(
            self.kind,
            kind,
            (resource.group, resource.version, resource.plural),
            self.call.user,
            self.target.subresource,
            namespace,
            self.target.name,
            _typed(self.obj, kind),
            _typed(self.old, kind),
            options,
            self.call.dry_run,
            resource.custom.served if resource.custom is not None else (),
        )


def _typed(obj: Object | None, kind: tuple[str, str, str]) -> Object | None:
    if obj is None:
        return None
    group, version, name = kind
    return {"kind": name, "apiVersion": f"{group}/{version}" if group else version, **obj}


class AdmissionChain:
    """`resolve_service` finds what stands behind (namespace, name, port) of a webhook's Service."""

    def __init__(self, store: Store, kinds: Kinds, resolve_service: ServiceResolver) -> None:
        self._store = store
        self._kinds = kinds
        self._webhooks = WebhookAdmission(resolve_service, lambda: str(uuid.uuid4()))
        self._configurations: dict[str, list[Object]] = {}
        self._user_id = os.getuid()
        store.listeners.append(self._on_event)

    async def close(self) -> None:
        await self._webhooks.close()

    def _on_event(self, event: Event) -> None:
        self._configurations.pop(event.key.resource, None)

    def _configured(self, resource: str) -> list[Object]:
        found = self._configurations.get(resource)
        if found is None:
            found = [msgspec.json.decode(each.raw) for each in self._store.objects(resource)]
            self._configurations[resource] = found
        return found

    def _namespace(self, name: str) -> Object | None:
        stored = self._store.get(Key("namespaces", "", name)) if name else None
        return msgspec.json.decode(stored.raw) if stored is not None else None

    def _namespace_labels(self, name: str) -> dict[str, str]:
        namespace = self._namespace(name) or {"metadata": {}}
        labels: dict[str, str] = namespace["metadata"].get("labels") or {}
        return labels

    async def mutate(self, operation: Operation) -> Object:
        """The object after mutating admission.

        Raises:
            KubernetesError: a plugin or a webhook refused.
        """
        target = operation.target
        attributes = operation.attributes()
        self._check_namespace(attributes)
        assert operation.obj is not None
        obj = operation.obj
        if target.resource.name == "pods" and not target.subresource and operation.kind == "CREATE":
            obj = pod_admission.admit(obj, target.namespace, self._store)
            operation = operation._replace(obj=obj)
        elif target.resource.name == "pods" and not target.subresource and operation.kind == "UPDATE":
            obj = pod_admission.tolerated(obj)
            operation = operation._replace(obj=obj)
        configured = self._configured(_MUTATING)
        if not configured:
            return obj
        strategy = self._kinds.strategy(target.resource)

        def conform(patched: Object) -> Object:
            subresource = target.resource.subresource(target.subresource) if target.subresource else None
            if subresource is not None and subresource.kind:
                kind = type_of(f"{subresource.group}/{subresource.version}".removeprefix("/"), subresource.kind)
                return conform_to(patched, kind).object
            if target.subresource and subresource is None:
                return patched
            return strategy.default(self._kinds.conform(target.resource, patched).object)

        mutation = await self._webhooks.mutate(
            operation.attributes(), configured, self._namespace_labels(attributes.namespace), conform
        )
        operation.call.warnings += mutation.warnings
        return mutation.object if mutation.object is not None else obj

    async def validate(self, operation: Operation) -> None:
        """Validating admission.

        Raises:
            KubernetesError: a plugin or a webhook refused.
        """
        attributes = operation.attributes()
        self._check_namespace(attributes)
        if operation.kind == "CREATE" and operation.obj is not None and not attributes.subresource:
            operation.call.warnings += process_node.warnings(attributes.kind[2], operation.obj, self._user_id)
        configured = self._configured(_VALIDATING)
        if configured:
            outcome = await self._webhooks.validate(
                attributes, configured, self._namespace_labels(attributes.namespace)
            )
            operation.call.warnings += outcome.warnings

    def _check_namespace(self, attributes: AdmissionAttributes) -> None:
        namespace = self._namespace(attributes.namespace) if attributes.operation == "CREATE" else {"status": {}}
        namespace_lifecycle(attributes, namespace)

    def faults(self, operation: Operation) -> list[FieldError]:
        """What the node cannot honour, as causes of a 422."""
        kind = operation.target.resource.kind
        # a pod cannot be changed where it matters; a template can
        judged = operation.kind == "CREATE" or (operation.kind == "UPDATE" and kind != "Pod")
        if operation.obj is None or operation.target.subresource or not judged:
            return []
        return process_node.refusals(kind, operation.obj, self._user_id)
