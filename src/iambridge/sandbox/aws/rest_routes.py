"""Which operation a REST request is: method, path and query against a service model. Pure.

Source: Smithy "HTTP bindings": a literal in the query of a URI must be in the request; labels match one segment, or
with `+` the rest. An ARN is one segment to the client, which escapes its slashes; here the path is decoded.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from iambridge.sandbox.aws.service_models import Operation, ServiceModel, service_model

_LABEL = re.compile(r"\{(\w+)(\+?)\}")
# never meant by a client that names none of their parameters
_SHADOWED = frozenset({"ListDirectoryBuckets", "GetBucketLifecycle", "PutBucketLifecycle"}) | {
    "GetBucketNotification",
    "PutBucketNotification",
}


class Route(NamedTuple):
    """`literals` must be in the query with these values (empty: any); the needed ones are required members.

    `keys` are all that the query must have; `plain` is how long the path is without its labels.
    """

    operation: Operation
    pattern: re.Pattern[str]
    literals: dict[str, str]
    needed_query: tuple[str, ...]
    needed_headers: tuple[str, ...]
    keys: frozenset[str]
    plain: int


class Match(NamedTuple):
    operation: Operation
    labels: dict[str, str]


@cache
def routes(model_name: str) -> dict[str, tuple[Route, ...]]:
    """By method, the most demanding first."""
    model = service_model(model_name)
    table: dict[str, list[Route]] = {}
    for operation in model.operations.values():
        if operation.name not in _SHADOWED:
            table.setdefault(operation.http.method, []).append(_route(model_name, model, operation))
    return {
        method: tuple(
            sorted(
                found,
                key=lambda r: (len(r.literals), len(r.needed_query), len(r.needed_headers), -r.pattern.groups, r.plain),
                reverse=True,
            )
        )
        for method, found in table.items()
    }


@cache
def subresources(model_name: str) -> frozenset[str]:
    """Every query key that alone selects an operation of the service."""
    return frozenset(
        key
        for found in routes(model_name).values()
        for route in found
        for key, value in route.literals.items()
        if not value
    )


def match(model_name: str, *, method: str, path: str, query: Mapping[str, str], headers: Sequence[str]) -> Match | None:
    """The operation that a request names. `path` is decoded; `headers` are lower-case names."""
    given = query.keys()
    for route in routes(model_name).get(method, ()):
        # most of a service's routes go by a key of the query that is not there
        if not (
            route.keys <= given
            and all(not value or query[key] == value for key, value in route.literals.items())
            and all(name in headers for name in route.needed_headers)
        ):
            continue
        found = route.pattern.fullmatch(path)
        if found is not None:
            return Match(route.operation, found.groupdict())
    return None


def _route(model_name: str, model: ServiceModel, operation: Operation) -> Route:
    path, _, literal = operation.http.request_uri.partition("?")
    pattern = _LABEL.sub(lambda m: f"(?P<{m[1]}>{_label(m[1], rest=bool(m[2]))})", _escaped(path))
    literals = dict(part.partition("=")[::2] for part in literal.split("&") if part)
    query: list[str] = []
    headers: list[str] = []
    if operation.input is not None:
        shape = model.shapes[operation.input.shape]
        for name in shape.required:
            member = shape.members[name]
            if member.location == "querystring":
                query.append(member.location_name or name)
            elif member.location == "header":
                headers.append((member.location_name or name).lower())
    return Route(
        operation,
        re.compile(_slash_or_none(model_name, path, pattern), re.DOTALL),
        literals,
        tuple(query),
        tuple(headers),
        frozenset((*literals, *query)),
        len(_LABEL.sub("", path)),
    )


def _slash_or_none(model_name: str, path: str, pattern: str) -> str:
    """A last slash may be there or not: the SDK for Go leaves out what boto3's models write.

    S3 takes it after a bucket alone; to a key it belongs.
    """
    if model_name == "s3":
        return pattern + "/?" if path == "/{Bucket}" else pattern
    literal = not path.rstrip("/").endswith("}")
    return pattern.removesuffix("/") + "/?" if path != "/" and (literal or path.endswith("/")) else pattern


def as_modelled(model_name: str, operation: str, path: str) -> str:
    """The path of a request with a last slash as in the model, by which moto goes in some services."""
    uri = service_model(model_name).operations[operation].http.request_uri.partition("?")[0]
    if uri.endswith("/"):
        return path if path.endswith("/") else f"{path}/"
    return path.removesuffix("/") if not uri.endswith("}") else path


def _label(name: str, *, rest: bool) -> str:
    if rest:
        return ".+"
    return "(?:arn:.+|[^/]+)" if name.lower().endswith(("arn", "resource", "resourceid")) else "[^/]+"


def _escaped(path: str) -> str:
    return "".join(part if _LABEL.fullmatch(part) else re.escape(part) for part in re.split(r"(\{\w+\+?\})", path))
