"""Creates, changes and deletes objects: patch, default, admit, validate, track fields, store.

Source: apiserver endpoints/handlers (create.go, update.go, patch.go) and pkg/registry/generic/registry/store.go.
"""

import copy
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from iambridge.core.rbac import Attributes
from iambridge.errors import BadRequest, Conflict, KubernetesError
from iambridge.sandbox.cluster import body_checks, metadata
from iambridge.sandbox.cluster.admission_chain import AdmissionChain, Operation
from iambridge.sandbox.cluster.authorization import GROUP as RBAC_GROUP
from iambridge.sandbox.cluster.authorization import Authorizer
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.deletion import finished
from iambridge.sandbox.cluster.kinds import Kinds, read, storable
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects import apply as server_side
from iambridge.sandbox.cluster.objects import field_error, json_patch, merge_patch, strategic_merge
from iambridge.sandbox.cluster.objects.conform import strict_error
from iambridge.sandbox.cluster.resources import Resource
from iambridge.sandbox.cluster.store import Key, Store, Stored
from iambridge.sandbox.cluster.timestamps import timestamp

_ATTEMPTS = 6
_NAME_ATTEMPTS = 8


class Target(NamedTuple):
    """What a request is about; `name` is empty for a collection."""

    resource: Resource
    namespace: str
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        return Key(self.resource.stored_name, self.namespace if self.resource.namespaced else "", self.name)


class Patch(NamedTuple):
    """`kind` is json, merge, strategic or apply."""

    kind: str
    body: Any


class Written(NamedTuple):
    object: Object
    created: bool = False


Change = Callable[[Object], Awaitable[Object]]


class View(NamedTuple):
    """What a subresource shows of an object, and how a change of that is put back: admission judges what is shown."""

    show: Callable[[Object], Object]
    put: Callable[[Object, Object], Object]


_WHOLE = View(lambda obj: obj, lambda _, shown: shown)


class Registry:
    """`now` gives seconds since the epoch."""

    def __init__(
        self, store: Store, kinds: Kinds, admission: AdmissionChain, authorizer: Authorizer, now: Callable[[], float]
    ) -> None:
        self._authorizer = authorizer
        self.store = store
        self.kinds = kinds
        self.admission = admission
        self.now = now

    def live(self, target: Target) -> Object:
        """The object as it is now.

        Raises:
            NotFound: it is not there.
        """
        return read(target.resource, self.stored(target))

    def stored(self, target: Target) -> Stored:
        found = self.store.get(target.key)
        if found is None:
            raise metadata.not_found(target.resource, target.name)
        return found

    # Create.

    async def create(self, call: Call, target: Target, body: Object) -> Object:
        """Store a new object.

        Raises:
            KubernetesError: AlreadyExists, BadRequest, Forbidden, Invalid, ... as kube-apiserver answers.
        """
        resource = target.resource
        obj = self.conformed(call, resource, body)
        if obj["metadata"].get("resourceVersion"):
            raise BadRequest("resourceVersion should not be set on objects to be created")
        metadata.place(obj, resource, target.namespace)
        if target.name and obj["metadata"].setdefault("name", target.name) != target.name:
            raise body_checks.name_differs(obj, target.name)
        generated = not obj["metadata"].get("name") and bool(obj["metadata"].get("generateName"))
        for attempt in range(_NAME_ATTEMPTS):
            try:
                return await self._create(call, target, copy.deepcopy(obj))
            except Conflict:
                if not generated or attempt == _NAME_ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    async def _create(self, call: Call, target: Target, obj: Object, *, tracked: bool = False) -> Object:
        resource = target.resource
        strategy = self.kinds.strategy(resource)
        metadata.name_it(obj)
        target = target._replace(name=obj["metadata"].get("name", ""))
        if resource.terminating:
            why = "create not allowed while custom resource definition is terminating"
            raise metadata.forbidden(resource, target.name, why)
        now = timestamp(self.now())
        kind = self.kinds.type(resource)
        metadata.forget(obj)
        obj = strategy.default(obj)
        if not tracked:
            obj = server_side.track(None, obj, kind, manager=call.manager, now=now, reset=strategy.reset())
        operation = Operation("CREATE", call, target, obj, None)
        obj = self.conformed(None, resource, await self.admission.mutate(operation), nulls=tracked)
        obj = strategy.prepare_create(obj)
        metadata.begin(obj, now)
        obj = strategy.default(strategy.after_uid(obj))
        self._refuse_invalid(target, strategy.validate_create(obj) + self.admission.faults(operation._replace(obj=obj)))
        call.warnings += strategy.warnings(obj)
        self._refuse_escalation(call, target, obj, None)
        await self.admission.validate(operation._replace(obj=obj))
        there = self.store.get(target.key)
        if there is not None:
            raise metadata.already_exists(resource, target.name, decoded(there))
        if call.dry_run:
            return metadata.ordered(obj, resource, 0) | {
                "apiVersion": resource.api_version,
                "metadata": obj["metadata"],
            }
        try:
            written = await self.store.write(target.key, 0, "ADDED", _encoder(obj, resource))
        except Conflict:
            raise metadata.already_exists(resource, target.name) from None
        return read(resource, written)

    # Update and patch.

    async def update(self, call: Call, target: Target, body: Object) -> Written:
        """Replace an object, or create it where the kind allows it."""
        resource = target.resource
        new = self.conformed(call, resource, body)
        body_checks.check_name(new, target.name)
        metadata.place(new, resource, target.namespace)
        version = new["metadata"].get("resourceVersion", "")
        if self.store.get(target.key) is None and resource.update_creates and not target.subresource:
            if version:
                raise metadata.not_found(resource, target.name)
            self._require_create(call, target)
            return Written(await self.create(call, target, body), created=True)
        self.stored(target)
        if not version and not resource.update_blind:
            cause = field_error.bad_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise field_error.invalid(resource.group, resource.plural, target.name, [cause])
        uid = new["metadata"].get("uid", "")

        async def replace(live: Object) -> Object:
            metadata.check_uid(resource, target.name, uid, live)
            return copy.deepcopy(new)

        return Written(await self.change(call, target, replace))

    async def patch(self, call: Call, target: Target, patch: Patch) -> Written:
        """Change an object by one of the four kinds of patch; an apply creates it when it is not there."""
        if patch.kind == "apply":
            return await self._apply(call, target, patch.body)

        async def patched(live: Object) -> Object:
            kind = self.kinds.type(target.resource)
            match patch.kind:
                case "json":
                    found = json_patch.apply(live, patch.body)
                case "merge":
                    found = merge_patch.apply(live, patch.body)
                case _:
                    # the patch is of the object's own type, whatever kind it names
                    found = strategic_merge.apply(live, patch.body, kind)
                    found |= {name: live[name] for name in ("apiVersion", "kind")}
            if not found.get("apiVersion"):
                raise body_checks.nameless(target.name)  # what kube-apiserver says of it
            try:
                new = self.conformed(call, target.resource, found)
            except BadRequest as error:
                raise unfit(patch, found, error) from None
            body_checks.check_name(new, target.name)
            metadata.place(new, target.resource, target.namespace)
            metadata.keep_uid(target.resource, target.name, new, live)
            return new

        return Written(await self.change(call, target, patched))

    async def _apply(self, call: Call, target: Target, body: Object) -> Written:
        resource = target.resource
        applied = dict(body)
        given = f"{applied.get('apiVersion') or '/'}, Kind={applied.get('kind') or ''}"
        if given != f"{resource.api_version}, Kind={resource.kind}":
            raise BadRequest(f"invalid object type: {given if '/' in given.partition(',')[0] else f'/{given}'}")
        strategy, kind = self.kinds.strategy(resource), self.kinds.type(resource)
        server_side.refuse_untyped(applied, kind)
        applied["metadata"] = {**(applied.get("metadata") or {})}
        if not applied["metadata"].get("name") and self.store.get(target.key) is None:
            raise body_checks.nameless(target.name)
        if applied["metadata"].setdefault("name", target.name) != target.name:
            raise body_checks.name_differs(applied, target.name)
        metadata.place(applied, resource, target.namespace)
        self._strict(call, resource, call.duplicates)

        def merged(live: Object | None) -> Object:
            found = server_side.apply(
                live,
                applied,
                kind,
                manager=call.manager,
                force=call.force,
                now=timestamp(self.now()),
                subresource=target.subresource,
                reset=strategy.reset(target.subresource),
            )
            return self.conformed(None, resource, found, nulls=True)

        async def change(live: Object) -> Object:
            new = merged(live)
            metadata.keep_uid(resource, target.name, new, live)
            return new

        if self.store.get(target.key) is None:
            if target.subresource:
                raise metadata.not_found(resource, target.name)
            self._require_create(call, target)
            return Written(await self._create_applied(call, target, merged(None)), created=True)
        return Written(await self.change(call, target, change, tracked=True))

    async def _create_applied(self, call: Call, target: Target, obj: Object) -> Object:
        """As `_create`, with the managedFields that the apply made."""
        uid = obj["metadata"].get("uid")
        if uid:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise metadata.conflict(target.resource, target.name, why)
        obj["metadata"].pop("resourceVersion", None)
        return await self._create(call, target, obj, tracked=True)

    async def change(
        self, call: Call, target: Target, compute: Change, *, tracked: bool = False, view: View = _WHOLE
    ) -> Object:
        """Read, compute, admit, validate and write, again when somebody else wrote meanwhile.

        `tracked`: compute has already brought the managedFields up to date.
        """
        for attempt in range(_ATTEMPTS):
            stored = self.stored(target)
            live = read(target.resource, stored)
            new = await compute(copy.deepcopy(live))
            wanted = new["metadata"].get("resourceVersion", "")
            if wanted not in {"", live["metadata"]["resourceVersion"]}:
                raise metadata.conflict(target.resource, target.name)
            try:
                return await self._replace(call, target, stored, live, new, tracked=tracked, view=view)
            except Conflict as error:
                if error.details or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    async def _replace(
        self, call: Call, target: Target, stored: Stored, live: Object, new: Object, *, tracked: bool, view: View
    ) -> Object:
        resource, subresource = target.resource, target.subresource
        strategy = self.kinds.strategy(resource)
        metadata.carry_over(new, live)
        new = strategy.default(new)
        if not tracked:
            new = server_side.track(
                live,
                new,
                self.kinds.type(resource),
                manager=call.manager,
                now=timestamp(self.now()),
                subresource=subresource,
                reset=strategy.reset(subresource),
            )
        operation = Operation("UPDATE", call, target, view.show(new), view.show(live))
        new = self.conformed(None, resource, view.put(new, await self.admission.mutate(operation)), nulls=tracked)
        metadata.carry_over(new, live)
        new = strategy.default(strategy.prepare_update(new, live, subresource))
        operation = operation._replace(obj=view.show(new))
        faults = strategy.validate_update(new, live, subresource) + self.admission.faults(operation)
        self._refuse_invalid(target, faults)
        if not subresource:
            call.warnings += strategy.warnings(new, live)
        self._refuse_escalation(call, target, new, live)
        await self.admission.validate(operation)
        if metadata.same(new, live):
            return live
        if call.dry_run:
            return {**new, "metadata": {**new["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}}
        try:
            kind = "DELETED" if finished(resource, new) else "MODIFIED"
            written = await self.store.write(target.key, stored.version, kind, _encoder(new, resource))
        except Conflict:
            raise Conflict("the object has been modified") from None
        return read(resource, written)

    async def change_internally(self, call: Call, target: Target, compute: Change) -> Object:
        """Read, compute and write what the server itself decides: no admission and no validation of the kind."""
        for attempt in range(_ATTEMPTS):
            stored = self.stored(target)
            live = read(target.resource, stored)
            new = await compute(copy.deepcopy(live))
            if call.dry_run or metadata.same(new, live):
                return new
            kind = "DELETED" if finished(target.resource, new) else "MODIFIED"
            try:
                encode = _encoder(new, target.resource)
                return read(target.resource, await self.store.write(target.key, stored.version, kind, encode))
            except Conflict as error:
                if error.details or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    # Shared.

    def conformed(self, call: Call | None, resource: Resource, body: Object, *, nulls: bool = False) -> Object:
        """`body` as the kind's type has it; unknown fields are refused, warned of or dropped as the call wants.

        `call` is None where the object comes from the server itself. An applied object's `nulls` are for validation.
        """
        found = self.kinds.conform(resource, body_checks.typed(resource, body), nulls=nulls)
        obj = found.object
        if not isinstance(obj.get("metadata"), dict):
            obj["metadata"] = {}
        if obj["metadata"].get("creationTimestamp", "") is None:
            del obj["metadata"]["creationTimestamp"]
        if call is not None:
            self._strict(call, resource, (*call.duplicates, *found.unknown))
        return obj

    def _strict(self, call: Call, resource: Resource, faults: tuple[str, ...]) -> None:
        if faults and call.validation == "Strict":
            raise strict_error(resource.api_version, resource.kind, faults)
        if call.validation == "Warn":
            call.warnings += faults

    def _require_create(self, call: Call, target: Target) -> None:
        """A PUT or an apply that creates needs the verb `create` besides its own."""
        resource = target.resource
        namespace = target.namespace if resource.namespaced else ""
        asked = Attributes("create", resource.group, resource.plural, "", namespace, target.name)
        self._authorizer.require(call.user, asked)

    def _refuse_escalation(self, call: Call, target: Target, new: Object, old: Object | None) -> None:
        if target.resource.group == RBAC_GROUP:
            self._authorizer.check_escalation(call.user, target.namespace, new, old)

    def _refuse_invalid(self, target: Target, faults: list[field_error.FieldError]) -> None:
        if faults:
            raise field_error.invalid(target.resource.group, target.resource.kind, target.name, faults)


def unfit(patch: Patch, found: Object, error: BadRequest) -> KubernetesError:
    """What a patch made and the kind does not take is 422, with the object that it made, or a strategic patch."""
    strategic = patch.kind == "strategic"
    text = strategic_merge.go_text(patch.body) if strategic else msgspec.json.encode(found).decode()
    fault = field_error.bad_value("patch", text, error.facts.get("why", error.message))
    return field_error.invalid("", "", "", [fault])


def decoded(stored: Stored) -> Object:
    found: Object = msgspec.json.decode(stored.raw)
    return found


def _encoder(obj: Object, resource: Resource) -> Callable[[int], bytes]:
    return lambda version: msgspec.json.encode(metadata.ordered(storable(resource, obj), resource, version))
