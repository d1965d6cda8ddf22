"""What a request's path and method mean. Source: apiserver pkg/endpoints/request/requestinfo.go."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from iambridge.core.rbac import Attributes
from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.codec import boolean

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """`plural` is empty for a path that names no resource: then `path` is what is asked for."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()

    def attributes(self) -> Attributes:
        if not self.plural:
            return Attributes(self.verb, path=self.path)
        return Attributes(self.verb, self.group, self.plural, self.subresource, self.namespace, self.name)


def query_of(text: str) -> dict[str, str]:
    """Query parameters, the first value of each, as Go's url.Values.Get has them.

    Raises:
        BadRequest: not a query.
    """
    found: dict[str, str] = {}
    try:
        for key, value in parse_qsl(text, keep_blank_values=True, max_num_fields=100, errors="strict"):
            found.setdefault(key, value)
    except ValueError as error:
        raise BadRequest(f"the query cannot be read: {error}") from None
    return found


def understand(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    verb = _VERBS.get(method, method.lower())
    parts = [part for part in path.split("/") if part]
    plain = RequestInfo(verb if method not in _VERBS else method.lower(), path)
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return plain
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        # namespaces/NAME/status and /finalize are the namespace's own
        if len(rest) > 2 and rest[2] not in {"status", "finalize"}:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if not name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    if verb in {"list", "get"} and method == "GET" and boolean(query, "watch") and not name:
        verb = "watch"
        name = _selected_name(query)
    elif verb in {"list", "deletecollection"}:
        name = _selected_name(query)
    return RequestInfo(verb, path, group, version, namespace, rest[0], name, subresource, tuple(rest[3:]))


def _selected_name(query: Mapping[str, str]) -> str:
    """The name of a list that selects one object: RBAC's resourceNames apply to it."""
    for term in query.get("fieldSelector", "").split(","):
        key, _, value = term.replace("==", "=").partition("=")
        if key == "metadata.name" and value:
            return value
    return ""
