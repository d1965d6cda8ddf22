"""One authorised request to a resource: finds what it is about and has it done. HTTP and SystemClient both end here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from iambridge.core.rbac import User
from iambridge.errors import BadRequest, MethodNotAllowed, NotFound
from iambridge.sandbox.cluster import metadata, removal, scale, virtual_kinds
from iambridge.sandbox.cluster.authentication import Authentication
from iambridge.sandbox.cluster.authorization import Authorizer
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.codec import Body
from iambridge.sandbox.cluster.deletion import DeleteOptions
from iambridge.sandbox.cluster.kinds import presented
from iambridge.sandbox.cluster.listing import Page, Selection, check_not_future, page
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects.apply import track
from iambridge.sandbox.cluster.paths import RequestInfo
from iambridge.sandbox.cluster.registry import Patch, Registry, Target, decoded
from iambridge.sandbox.cluster.resources import Resource, Resources, Subresource
from iambridge.sandbox.cluster.store import Stored
from iambridge.sandbox.cluster.subresources import Subresources, body_of
from iambridge.sandbox.cluster.timestamps import timestamp
from iambridge.sandbox.cluster.watching import Watch

_EVERYWHERE = ("list", "watch")
NO_SUCH_RESOURCE = "the server could not find the requested resource"


# the reviews whose answer is the object that was sent
_TRACKED = {"TokenReview", "SubjectAccessReview", "LocalSubjectAccessReview", "SelfSubjectAccessReview"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose resource is served. `subresource` is None for the object itself."""

    info: RequestInfo
    resource: Resource
    subresource: Subresource | None

    @property
    def target(self) -> Target:
        info = self.info
        namespace = info.namespace if self.resource.namespaced else ""
        collection = info.verb in {"list", "deletecollection", "create"} and self.subresource is None
        name = "" if collection else info.name
        return Target(self.resource, namespace, name, self.subresource.name if self.subresource else "")


def _misplaced(resource: Resource, info: RequestInfo) -> bool:
    """Whether a custom kind is asked for under a namespace that has none, or the other way round."""
    if resource.custom is None:
        return False
    return bool(info.namespace) if not resource.namespaced else not info.namespace and info.verb not in _EVERYWHERE


@dataclass(frozen=True, slots=True)
class Answer:
    value: Object
    code: int = 200


class Reviews:
    """Answers the virtual kinds that ask about tokens and permissions."""

    def __init__(self, authentication: Authentication, authorizer: Authorizer, now: Callable[[], float]) -> None:
        self._authentication = authentication
        self._authorizer = authorizer
        self._now = now

    async def answer(self, kind: str, user: User, review: Object) -> Object:
        """The review with its status.

        Raises:
            BadRequest, Invalid: the review lacks what it must say.
        """
        decide = self._authorizer.decide
        match kind:
            case "TokenReview":
                return await virtual_kinds.token_review(review, self._authentication)
            case "SelfSubjectReview":
                return virtual_kinds.self_subject_review(review, user, self._now())
            case "SubjectAccessReview":
                return virtual_kinds.subject_access_review(review, decide)
            case "LocalSubjectAccessReview":
                return virtual_kinds.local_subject_access_review(review, decide)
            case "SelfSubjectAccessReview":
                return virtual_kinds.self_subject_access_review(review, user, decide)
            case "SelfSubjectRulesReview":
                return virtual_kinds.self_subject_rules_review(review, user, self._authorizer.policy)
        raise NotFound(NO_SUCH_RESOURCE, cause=f"{kind} is not answered")


class Api:
    def __init__(
        self,
        resources: Resources,
        registry: Registry,
        authorizer: Authorizer,
        reviews: Reviews,
        subresources: Subresources,
    ) -> None:
        self.resources = resources
        self.registry = registry
        self.authorizer = authorizer
        self._reviews = reviews
        self._subresources = subresources

    def find(self, info: RequestInfo) -> Asked:
        """What is asked for.

        Raises:
            NotFound: the resource or the subresource is not served.
            MethodNotAllowed: it is, and this verb is not.
        """
        resource = self.resources.find(info.group, info.version, info.plural)
        if resource is None or info.rest or _misplaced(resource, info):
            known = info.group in self.resources.group_versions()
            raise NotFound(NO_SUCH_RESOURCE, cause=f"{info.path} is not served", details={} if known else None)
        subresource = resource.subresource(info.subresource) if info.subresource else None
        if info.subresource and subresource is None:
            raise NotFound(
                NO_SUCH_RESOURCE,
                cause=f"{resource.plural} has no subresource {info.subresource} here",
                details={},
            )
        if resource.namespaced and not info.namespace and info.name:
            raise NotFound(NO_SUCH_RESOURCE, cause=f"{resource.plural} are in namespaces", details={})
        nameless = not info.name and info.verb in {"update", "patch"}
        if nameless or (resource.namespaced and not info.namespace and info.verb not in {"list", "watch"}):
            raise MethodNotAllowed("the server does not allow this method on the requested resource", details={})
        verbs = subresource.verbs if subresource else resource.verbs
        if info.verb not in verbs:
            raise MethodNotAllowed("the server does not allow this method on the requested resource", details={})
        return Asked(info, resource, subresource)

    # Reading.

    def get(self, asked: Asked, query: Mapping[str, str] | None = None) -> Stored:
        check_not_future(self.registry.store, query or {})
        stored = self.registry.stored(asked.target._replace(subresource=""))
        stored = stored._replace(raw=presented(asked.resource, stored.raw, stored.version))
        if asked.subresource is not None and asked.subresource.name == "scale":
            return stored._replace(raw=msgspec.json.encode(scale.shown(asked.resource, decoded(stored))))
        return stored

    def list(self, asked: Asked, query: Mapping[str, str]) -> Page:
        selection = Selection.of(query, asked.resource)
        return page(self.registry.store, asked.resource, asked.target.namespace, query, selection)

    def watch(self, asked: Asked, query: Mapping[str, str]) -> Watch:
        selection = Selection.of(query, asked.resource)
        namespace = asked.target.namespace
        if asked.info.name and not query.get("fieldSelector"):
            selection = Selection.of({**query, "fieldSelector": f"metadata.name={asked.info.name}"}, asked.resource)
        store, resource = self.registry.store, asked.resource
        return Watch(store, resource, namespace, query, selection, served=lambda: self._still_served(resource))

    def _still_served(self, resource: Resource) -> bool:
        found = self.resources.find(resource.group, resource.version, resource.plural)
        return found is not None and found.custom is resource.custom

    # Writing.

    async def write(self, asked: Asked, call: Call, body: Body, query: Mapping[str, str]) -> Answer:
        """Perform a create, update, patch, delete or deletecollection.

        Raises:
            KubernetesError: as kube-apiserver answers.
        """
        call.duplicates = body.duplicates
        match asked.info.verb:
            case "create":
                return await self._create(asked, call, body.value)
            case "update":
                return await self._update(asked, call, body.value)
            case "patch":
                patch = Patch(body.patch, body.value)
                if asked.subresource is not None and asked.subresource.name == "scale":
                    return Answer(await scale.change(self.registry, call, asked.target, patch))
                self._check_escalating_patch(asked)
                written = await self.registry.patch(call, asked.target, patch)
                return Answer(written.object, 201 if written.created else 200)
            case "delete":
                options = DeleteOptions.of(body.value, query)
                obj, gone = await removal.delete(self.registry, call, asked.target, options)
                return Answer(removal.answer(asked.target, obj, gone=gone))
        return await self._delete_collection(asked, call, body.value, query)

    async def _create(self, asked: Asked, call: Call, body: Object) -> Answer:
        resource, target = asked.resource, asked.target
        if asked.subresource is not None:
            return Answer(await self._subresources.create(call, target, asked.subresource, body), 201)
        if resource.virtual:
            return Answer(await self._virtual(asked, call, body), 201)
        return Answer(await self.registry.create(call, target, body), 201)

    async def _virtual(self, asked: Asked, call: Call, body: Object) -> Object:
        resource = asked.resource
        shape = Subresource("", (), resource.kind, resource.group, resource.version)
        obj = body_of(call, shape, body)
        metadata.place(obj, resource, asked.target.namespace)
        if resource.kind == "Binding":
            pods = self.resources.named("pods")
            target = Target(pods, asked.target.namespace, obj["metadata"].get("name", ""), "binding")
            binding = pods.subresource("binding")
            assert binding is not None
            return await self._subresources.create(call, target, binding, obj)
        if resource.kind in _TRACKED:
            kind, now = self.registry.kinds.type(resource), timestamp(self.registry.now())
            obj = track(None, {**obj, "status": {}}, kind, manager=call.manager, now=now)
        answer = await self._reviews.answer(resource.kind, call.user, obj)
        return {"kind": resource.kind, "apiVersion": resource.api_version, **answer}

    async def _update(self, asked: Asked, call: Call, body: Object) -> Answer:
        if asked.subresource is not None and asked.subresource.name == "finalize":
            return Answer(await self._subresources.finalize(call, asked.target, body))
        if asked.subresource is not None and asked.subresource.name == "scale":
            return Answer(await scale.change(self.registry, call, asked.target, body))
        written = await self.registry.update(call, asked.target, body)
        return Answer(written.object, 201 if written.created else 200)

    def _check_escalating_patch(self, asked: Asked) -> None:
        if asked.subresource is not None and asked.subresource.name != "status":
            raise BadRequest(f"{asked.resource.plural}/{asked.subresource.name} cannot be patched")

    async def _delete_collection(self, asked: Asked, call: Call, body: Object, query: Mapping[str, str]) -> Answer:
        options = DeleteOptions.of(body, query)
        found = self.list(asked, query)
        items = [decoded(stored) for stored in found.items]
        deleted = await removal.delete_collection(self.registry, call, asked.target, items, options)
        resource = asked.resource
        value: dict[str, Any] = {"kind": resource.list_kind, "apiVersion": resource.api_version}
        if not resource.custom:
            deleted = [{key: each[key] for key in each if key not in {"kind", "apiVersion"}} for each in deleted]
        return Answer({**value, "metadata": found.metadata(), "items": deleted})

    def require(self, user: User, info: RequestInfo) -> None:
        """Raises Forbidden when the user may not make the request."""
        self.authorizer.require(user, info.attributes())
