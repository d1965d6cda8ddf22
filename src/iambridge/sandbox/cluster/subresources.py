"""pods/binding, pods/eviction, namespaces/finalize, serviceaccounts/token: the subresources that are not `status`.

Source: pkg/registry/core/{pod,namespace,serviceaccount}/storage of Kubernetes.
"""

from typing import Any

from iambridge.errors import BadRequest, Conflict
from iambridge.sandbox.cluster import codec, documents, metadata
from iambridge.sandbox.cluster.admission_chain import Operation
from iambridge.sandbox.cluster.body_checks import other_kind
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.deletion import DeleteOptions
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects.apply import track
from iambridge.sandbox.cluster.objects.conform import conform, strict_error
from iambridge.sandbox.cluster.objects.types import type_of
from iambridge.sandbox.cluster.registry import Registry, Target
from iambridge.sandbox.cluster.removal import delete
from iambridge.sandbox.cluster.resources import Subresource
from iambridge.sandbox.cluster.timestamps import timestamp
from iambridge.sandbox.cluster.token_request import TokenRequests


def body_of(call: Call, subresource: Subresource, body: Object) -> Object:
    """The body as its own kind has it.

    Raises:
        BadRequest: another kind, or a wrong type in it.
    """
    api_version = f"{subresource.group}/{subresource.version}" if subresource.group else subresource.version
    documents.typed_object(body)
    given = body.get("apiVersion") or api_version, body.get("kind") or subresource.kind
    if given != (api_version, subresource.kind):
        raise other_kind(*given, subresource.group, subresource.kind)
    typed = {"apiVersion": api_version, "kind": subresource.kind, **body}
    found = conform(typed, type_of(api_version, subresource.kind))
    faults = (*call.duplicates, *found.unknown)
    if faults and call.validation == "Strict":
        raise strict_error(api_version, subresource.kind, faults)
    if call.validation == "Warn":
        call.warnings += faults
    return found.object


class Subresources:
    def __init__(self, registry: Registry, tokens: TokenRequests) -> None:
        self._registry = registry
        self._tokens = tokens

    async def create(self, call: Call, target: Target, subresource: Subresource, body: Object) -> Object:
        """POST to a subresource.

        Raises:
            KubernetesError: as kube-apiserver answers.
        """
        obj = body_of(call, subresource, body)
        obj = await self._registry.admission.mutate(Operation("CREATE", call, target, obj, None))
        await self._registry.admission.validate(Operation("CREATE", call, target, obj, None))
        match subresource.name:
            case "token":
                obj = self._tracked(call, obj)
                return self._tokens.create(target.namespace, target.name, obj)
            case "binding":
                return await self._bind(call, target, obj)
            case "eviction":
                return await self._evict(call, target, obj)
        raise BadRequest(f"{target.resource.plural}/{subresource.name} cannot be created")

    def _tracked(self, call: Call, request: Object) -> Object:
        """A TokenRequest with its default and its managedFields."""
        kind, now = type_of("authentication.k8s.io/v1", "TokenRequest"), timestamp(self._registry.now())
        spec = {**(request.get("spec") or {})}
        spec["expirationSeconds"] = 3600 if spec.get("expirationSeconds") is None else spec["expirationSeconds"]
        obj = {**request, "spec": spec, "status": {}}
        return track(None, obj, kind, manager=call.manager, now=now, subresource="token")

    async def _bind(self, call: Call, target: Target, binding: Object) -> Object:
        if (binding.get("metadata") or {}).get("name") != target.name:
            raise BadRequest("name in URL does not match name in Binding object")
        node = (binding.get("target") or {}).get("name", "")
        if (binding.get("target") or {}).get("kind") not in {"", None, "Node"} or not node:
            raise BadRequest("a Binding's target must be a Node with a name")
        uid = (binding.get("metadata") or {}).get("uid", "")

        async def assigned(pod: Object) -> Object:
            metadata.check_uid(target.resource, target.name, uid, pod)
            if pod["metadata"].get("deletionTimestamp"):
                raise _unbound(target.name, f"pod {target.name} is being deleted, cannot be assigned to a host")
            if pod["spec"].get("nodeName"):
                place = pod["spec"]["nodeName"]
                raise _unbound(target.name, f'pod {target.name} is already assigned to node "{place}"')
            return _assigned(pod, node, timestamp(self._registry.now()))

        await self._registry.change_internally(call, target._replace(subresource=""), assigned)
        return codec.success(code=201)

    async def _evict(self, call: Call, target: Target, eviction: Object) -> Object:
        if (eviction.get("metadata") or {}).get("name") != target.name:
            raise BadRequest("name in URL does not match name in Eviction object")
        options: dict[str, Any] = eviction.get("deleteOptions") or {}
        await delete(self._registry, call, target._replace(subresource=""), DeleteOptions.of(options, {}))
        return codec.success(code=201)

    async def finalize(self, call: Call, target: Target, body: Object) -> Object:
        """PUT to namespaces/NAME/finalize: sets spec.finalizers, and removes the namespace when none is left."""
        wanted = self._registry.conformed(call, target.resource, body)

        async def changed(namespace: Object) -> Object:
            version = wanted["metadata"].get("resourceVersion", "")
            if version not in {"", namespace["metadata"]["resourceVersion"]}:
                raise metadata.conflict(target.resource, target.name)
            finalizers = (wanted.get("spec") or {}).get("finalizers") or []
            return {**namespace, "spec": {"finalizers": finalizers} if finalizers else {}}

        return await self._registry.change_internally(call, target, changed)


def _unbound(name: str, why: str) -> Conflict:
    message = f'Operation cannot be fulfilled on pods/binding "{name}": {why}'
    return Conflict(message, details={"name": name, "kind": "pods/binding"})


def _assigned(pod: Object, node: str, now: str) -> Object:
    status = {**(pod.get("status") or {})}
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    others = [each for each in status.get("conditions") or () if each["type"] != "PodScheduled"]
    status["conditions"] = [*others, scheduled]
    return {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status}
