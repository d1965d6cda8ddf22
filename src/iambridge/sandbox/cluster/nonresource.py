"""Everything that is not a resource: health, version, discovery, OpenAPI, the issuer's documents."""

from collections.abc import Callable, Mapping

from iambridge.errors import MethodNotAllowed, NotAcceptable, NotFound
from iambridge.sandbox.cluster import codec, discovery
from iambridge.sandbox.cluster.issuer import Issuer
from iambridge.sandbox.cluster.openapi import V2_ASKED, V2_PROTOBUF, OpenApi, swagger, swagger_protobuf
from iambridge.sandbox.cluster.resources import Resources
from iambridge.wire.http import Request, Response

_TEXT = (("content-type", "text/plain; charset=utf-8"),)
_NOT_FOUND = Response(404, _TEXT, b"404 page not found\n")
_HEALTH = ("healthz", "livez", "readyz")


class NonResource:
    """`address` is the host:port of the server; `ready` says whether it has started."""

    def __init__(
        self, resources: Resources, openapi: OpenApi, issuer: Issuer, address: str, ready: Callable[[], bool]
    ) -> None:
        self._resources = resources
        self._openapi = openapi
        self._issuer = issuer
        self._address = address
        self._ready = ready

    def answer(self, request: Request, query: Mapping[str, str]) -> Response:
        """Raises MethodNotAllowed for anything but GET and HEAD, NotFound for a version that is not served."""
        if request.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed("the server does not allow this method on the requested resource", details={})
        parts = tuple(part for part in request.path.split("/") if part)
        if parts and parts[0] in _HEALTH and len(parts) == 1:
            ready = parts[0] != "readyz" or self._ready()
            return Response(200 if ready else 500, _TEXT, b"ok" if ready else b"not ready")
        if parts == ("version",):
            return self._json(request, discovery.version(), query)
        if parts[:1] in {("api",), ("apis",)}:
            return self._discovery(request, parts, query)
        if parts[:2] == ("openapi", "v3"):
            return self._openapi_document(request, "/".join(parts[2:]))
        if parts == ("openapi", "v2"):
            accept = request.headers.get("accept")
            if V2_ASKED in accept or V2_PROTOBUF in accept:
                return Response(200, (("content-type", V2_PROTOBUF),), swagger_protobuf())
            return self._json(request, swagger(), query)
        issued = self._issuer.document(request.path)
        if issued is not None:
            return issued
        if not parts:
            return self._json(request, {"paths": self._paths()}, query)
        return _NOT_FOUND

    def _json(self, request: Request, value: Mapping[str, object], query: Mapping[str, str]) -> Response:
        accepted = codec.negotiate(request.headers.get("accept"))
        return codec.answer(value, accepted, pretty=codec.boolean(query, "pretty"))

    def _paths(self) -> list[str]:
        groups = [
            f"/apis/{name}/{version}" if name else f"/api/{version}"
            for name, versions in self._resources.group_versions().items()
            for version in versions
        ]
        fixed = ["/api", "/apis", *(f"/{name}" for name in _HEALTH), "/openapi/v2", "/openapi/v3", "/version"]
        return sorted([*fixed, *groups, *self._issuer.paths])

    def _discovery(self, request: Request, parts: tuple[str, ...], query: Mapping[str, str]) -> Response:
        resources, served = self._resources, self._resources.group_versions()
        if len(parts) == 1:
            accepted = codec.negotiate(request.headers.get("accept"), kinds=discovery.AGGREGATED)
            if accepted.kind:
                groups = [""] if parts[0] == "api" else discovery.named_groups(resources)
                return codec.answer(discovery.aggregated(resources, groups, accepted.version), accepted)
            if parts[0] == "api":
                return self._json(request, discovery.api_versions(self._address), query)
            return self._json(request, discovery.api_groups(resources), query)
        if parts[0] == "api" and parts[1:] == ("v1",):
            return self._json(request, discovery.api_resources(resources, "", "v1"), query)
        if parts[0] == "apis" and parts[1] in served:
            if len(parts) == 2:
                return self._json(request, discovery.group(resources, parts[1]), query)
            if len(parts) == 3 and parts[2] in served[parts[1]]:
                return self._json(request, discovery.api_resources(resources, parts[1], parts[2]), query)
        if parts[0] == "api" or parts[1] in served:
            raise NotFound("the server could not find the requested resource", details={})
        return _NOT_FOUND

    def _openapi_document(self, request: Request, name: str) -> Response:
        if not name:
            return codec.answer(self._openapi.index(), codec.Accepted())
        document = self._openapi.document(name)
        if document is None:
            return _NOT_FOUND
        accept = request.headers.get("accept")
        if accept and "json" not in accept and "*/*" not in accept:
            raise NotAcceptable("only application/json is given for OpenAPI v3")
        tag = f'"{self._openapi.hash(name)}"'
        headers = (("content-type", codec.JSON), ("etag", tag), ("cache-control", "public, max-age=31536000"))
        if request.headers.get("if-none-match") == tag:
            return Response(304, headers)
        return Response(200, headers, document)
