"""Whether a body is what the URL says: its kind and its name. Source: apiserver endpoints/handlers (rest.go)."""

from collections.abc import Mapping
from typing import Any

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster import documents
from iambridge.sandbox.cluster.objects.types import UnknownKind, type_of
from iambridge.sandbox.cluster.resources import Resource


def other_kind(version: str, kind: str, group: str, wanted: str) -> BadRequest:
    """A body of another kind than the one that was asked for, in Go's words."""
    try:
        type_of(version, kind)
    except UnknownKind:
        why = f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
    else:
        package = group.partition(".")[0] or "core"
        why = f"converting ({version.rpartition('/')[2]}.{kind}) to ({package}.{wanted}): unknown conversion"
    short = version.rpartition("/")[2]
    return BadRequest(f'{kind} in version "{short}" cannot be handled as a {wanted}: {why}', why=why)


def typed(resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` with its kind, which it may leave out.

    Raises:
        BadRequest: it says another kind than the URL's, or none in words.
    """
    found = documents.typed_object(body)
    version, kind = found.get("apiVersion") or resource.api_version, found.get("kind") or resource.kind
    if (version, kind) != (resource.api_version, resource.kind):
        raise other_kind(version, kind, resource.group, resource.kind)
    return {"apiVersion": resource.api_version, "kind": resource.kind, **found}


def check_name(obj: Mapping[str, Any], name: str) -> None:
    """Raises BadRequest for an object without a name, or with another than the URL's."""
    if not obj["metadata"].get("name"):
        raise nameless(name)
    if obj["metadata"]["name"] != name:
        raise name_differs(obj, name)


def nameless(name: str) -> BadRequest:
    return BadRequest(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")


def name_differs(obj: Mapping[str, Any], name: str) -> BadRequest:
    return BadRequest(
        f"the name of the object ({obj['metadata'].get('name', '')}) does not match the name on the URL ({name})"
    )
