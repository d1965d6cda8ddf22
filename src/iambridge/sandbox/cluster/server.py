"""The API server's HTTP side: one request in, one response out.

Source: apiserver pkg/server/config.go DefaultBuildHandlerChain for the order of the filters.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.rbac import User
from iambridge.errors import (
    BadRequest,
    Forbidden,
    InternalError,
    KubernetesError,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
)
from iambridge.ports import DecisionLog
from iambridge.sandbox.cluster import codec, go_words, tables
from iambridge.sandbox.cluster.api import Api, Asked
from iambridge.sandbox.cluster.authentication import Authentication, impersonated
from iambridge.sandbox.cluster.authorization import forbidden
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.codec import Accepted, Body
from iambridge.sandbox.cluster.columns import SCALE, columns_of
from iambridge.sandbox.cluster.listing import ExpiredPage
from iambridge.sandbox.cluster.nonresource import NonResource
from iambridge.sandbox.cluster.parameters import check_parameters
from iambridge.sandbox.cluster.paths import RequestInfo, query_of, understand
from iambridge.sandbox.cluster.pod_logs import PodLogs
from iambridge.sandbox.cluster.registry import decoded
from iambridge.sandbox.cluster.rendering import list_body, watch_lines
from iambridge.wire.http import Request, Response

_log = logging.getLogger(__name__)

_NOT_FOUND = Response(404, (("content-type", "text/plain; charset=utf-8"),), b"404 page not found\n")
_WRITES = {"create", "update", "patch", "delete", "deletecollection"}


class ApiServer:
    """`now` gives seconds since the epoch."""

    def __init__(
        self,
        api: Api,
        authentication: Authentication,
        non_resource: NonResource,
        logs: PodLogs,
        *,
        log: DecisionLog,
        now: Callable[[], float],
    ) -> None:
        self._api = api
        self._authentication = authentication
        self._non_resource = non_resource
        self._logs = logs
        self._log = log
        self._now = now

    async def app(self, request: Request) -> Response:
        request_id = str(uuid.uuid4())
        accept = request.headers.get("accept")
        try:
            response = await self._answer(request, request_id)
        except KubernetesError as error:
            response = codec.refusal(error, accept)
        except Exception:  # noqa: BLE001 - a bug must still be answered in the API's own shape
            _log.exception("a bug in %s %s, request %s", request.method, request.path, request_id)
            fault = InternalError("Internal error occurred: see the server's log", fix=f"look for request {request_id}")
            response = codec.refusal(fault, accept)
        return Response(response.status, (*response.headers, ("audit-id", request_id)), response.body)

    async def _answer(self, request: Request, request_id: str) -> Response:
        query = query_of(request.query)
        info = understand(request.method, request.path, query)
        try:
            user = await self._authentication.user_of(request.headers)
        except Unauthorized as error:
            self._log.record(_unauthenticated(error), request_id=request_id, method=request.method, path=request.path)
            raise
        user = impersonated(user, request.headers, self._api.authorizer)
        self._authorise(user, info, request_id)
        if not info.plural:
            return self._non_resource.answer(request, query)
        try:
            asked = self._api.find(info)
        except NotFound as error:
            return codec.refusal(error, request.headers.get("accept")) if error.has_details else _NOT_FOUND
        if request.method == "HEAD":
            raise MethodNotAllowed("the server does not allow this method on the requested resource", details={})
        check_parameters(query)
        response = await self._perform(request, asked, user, query)
        warning = asked.resource.custom.warning if asked.resource.custom is not None else ""
        if not warning:
            return response
        return Response(response.status, (*response.headers, *codec.warning_headers([warning])), response.body)

    def _authorise(self, user: User, info: RequestInfo, request_id: str) -> None:
        attributes = info.attributes()
        decision = self._api.authorizer.decide(user, attributes)
        if decision.allowed:
            return
        self._log.record(
            decision,
            request_id=request_id,
            user=user.name,
            verb=attributes.verb,
            resource=attributes.resource or attributes.path,
            namespace=attributes.namespace,
            name=attributes.name,
        )
        refusal: Forbidden = forbidden(user, attributes, decision)
        raise refusal

    async def _perform(self, request: Request, asked: Asked, user: User, query: Mapping[str, str]) -> Response:
        accept = request.headers.get("accept")
        verb = asked.info.verb
        if verb == "get" and asked.subresource is not None and asked.subresource.name == "log":
            return await self._logs.answer(decoded(self._api.get(asked)), query)
        if verb in _WRITES:
            return await self._write(request, asked, user, query)
        accepted = codec.negotiate(accept, kinds=tables.KINDS)
        if verb == "watch":
            return self._watch(asked, query, accepted)
        if verb == "list":
            return self._list(asked, query, accepted)
        stored = self._api.get(asked, query)
        if not accepted.kind and accepted.media == codec.JSON and "pretty" not in query:
            return Response(200, (("content-type", codec.JSON),), stored.raw + b"\n")
        return self._object(asked, decoded(stored), accepted, query)

    def _object(
        self,
        asked: Asked,
        value: Mapping[str, Any],
        accepted: Accepted,
        query: Mapping[str, str],
        *,
        code: int = 200,
        headers: codec.Headers = (),
    ) -> Response:
        pretty = codec.boolean(query, "pretty")
        same_kind = value.get("kind") == asked.resource.kind
        is_scale = asked.subresource is not None and asked.subresource.name == "scale" and value.get("kind") == "Scale"
        if accepted.kind == "Table" and (same_kind or is_scale):
            value = tables.table(
                SCALE if is_scale else columns_of(asked.resource),
                [value],
                metadata={"resourceVersion": value["metadata"].get("resourceVersion", "")},
                now=self._now(),
                include=query.get("includeObject", ""),
                version=accepted.version,
            )
        elif accepted.kind == "PartialObjectMetadata" and same_kind:
            value = tables.partial(value, accepted.version)
        elif accepted.kind:
            accepted = Accepted(accepted.media)
        return codec.answer(value, accepted, code=code, headers=headers, pretty=pretty)

    def _list(self, asked: Asked, query: Mapping[str, str], accepted: Accepted) -> Response:
        try:
            found = self._api.list(asked, query)
        except ExpiredPage as error:
            status = codec.status_of(error)
            status["metadata"] = {"continue": error.token}
            return codec.answer(status, Accepted(), code=410)
        body = list_body(asked.resource, found, accepted, query, self._now())
        return Response(200, (("content-type", accepted.content_type),), body)

    def _watch(self, asked: Asked, query: Mapping[str, str], accepted: Accepted) -> Response:
        watch = self._api.watch(asked, query)
        lines = watch_lines(watch, asked.resource, accepted, query, now=self._now, clock=time.monotonic)
        headers = (("content-type", accepted.content_type), ("cache-control", "no-cache, private"))
        return Response(200, headers, lines)

    async def _write(self, request: Request, asked: Asked, user: User, query: Mapping[str, str]) -> Response:
        accepted = codec.negotiate(request.headers.get("accept"), kinds=tables.KINDS)
        body = self._body(request, asked)
        call = Call.of(user, query, request.headers.get("user-agent"), verb=asked.info.verb, patch=body.patch)
        answer = await self._api.write(asked, call, body, query)
        headers = codec.warning_headers(call.warnings)
        return self._object(asked, answer.value, accepted, query, code=answer.code, headers=headers)

    def _body(self, request: Request, asked: Asked) -> Body:
        content_type = request.headers.get("content-type")
        custom = asked.resource.custom is not None
        if asked.info.verb == "patch":
            return codec.decode_patch(content_type, request.body, custom=custom)
        if asked.info.verb in {"delete", "deletecollection"}:
            return codec.decode(content_type, request.body) if request.body else Body(None)
        try:
            # what /scale takes is Kubernetes' own kind
            return codec.decode(content_type, request.body, custom=custom and asked.info.subresource != "scale")
        except BadRequest as error:
            kind = asked.subresource.kind if asked.subresource and asked.subresource.kind else asked.resource.kind
            message = f"the object provided is unrecognized (must be of type {kind}): {error.message}"
            raise BadRequest(f"{message} ({go_words.summary(request.body)})", fix=error.fix) from None


def _unauthenticated(error: Unauthorized) -> Decision:
    return Decision("authentication", Outcome.IMPLICIT_DENY, (Reason("unknown-token", error.cause),))
