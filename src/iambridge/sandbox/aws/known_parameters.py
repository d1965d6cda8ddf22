"""The parameters that an operation has, by its model. AWS ignores any other; so must whoever decides and whoever acts.

What is left here is all that is decided on and all that moto gets. Pure.
Sources: Smithy "AWS query protocol", "AWS EC2 query protocol", "AWS restJson1 protocol" (httpPayload).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from iambridge.errors import ValidationError
from iambridge.sandbox.aws.service_models import Member, Operation, service_model

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_ALWAYS = frozenset({"Action", "Version"})
_RAW = frozenset({"blob", "string"})
_DEEPEST = 128


def of_form(model_name: str, operation: Operation, flat: Mapping[str, str]) -> dict[str, str]:
    """Those of a Query or EC2 form that are spelled as the protocol spells them: no other list form, no other case."""
    model = service_model(model_name)
    protocols = {model.metadata.protocol, *model.metadata.protocols}
    top = operation.input.shape if operation.input else ""
    if not protocols & {"ec2", "query"}:
        # SQS's model has forgotten how the Query protocol spelled its lists
        names = _body_members(model_name, top) if top else {}
        return {key: value for key, value in flat.items() if "." in key or key in names or key in _ALWAYS}
    ec2 = "ec2" in protocols
    return {
        key: value
        for key, value in flat.items()
        if key in _ALWAYS or (top and _spelled(model_name, top, key.split("."), empty=not value, ec2=ec2))
    }


def of_query(model_name: str, operation: Operation, parameters: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Those of a REST call's query. A presigned URL may carry the headers of S3 in it."""
    known = _query_names(model_name, operation.name)
    hoisted = headers(model_name, operation.name)
    return {
        key: values
        for key, values in parameters.items()
        if key in known or (key.lower().startswith("x-amz-") and key.lower() in hoisted)
    }


def of_document(model_name: str, operation: Operation, document: dict[str, Any]) -> dict[str, Any]:
    """Those of a JSON or CBOR document, at every depth.

    Raises:
        ValidationError: it is nested too deeply, or holds a list or map where the model has neither.
    """
    shape = document_shape(model_name, operation.name)
    found = _within(model_name, shape, document, _DEEPEST) if shape else {}
    return found if isinstance(found, dict) else {}


@cache
def document_shape(model_name: str, operation_name: str) -> str:
    """The shape of the operation's JSON document; empty when its body is none, as a function's input is."""
    shapes, operation = service_model(model_name).shapes, service_model(model_name).operations[operation_name]
    if operation.input is None:
        return ""
    shape = shapes[operation.input.shape]
    if not shape.payload:
        return operation.input.shape
    payload = shape.members[shape.payload].shape
    return "" if shapes[payload].type in _RAW else payload


@cache
def headers(model_name: str, operation_name: str) -> frozenset[str]:
    """The headers, in lower case, that hold parameters of the operation."""
    return frozenset(name.lower() for name in _located(model_name, operation_name, "header"))


@cache
def query_lists(model_name: str, operation_name: str) -> frozenset[str]:
    """The parameters of the query that may be given more than once."""
    return frozenset(_located(model_name, operation_name, "querystring", kind="list"))


@cache
def _query_names(model_name: str, operation_name: str) -> frozenset[str]:
    uri = service_model(model_name).operations[operation_name].http.request_uri
    literals = {part.partition("=")[0] for part in uri.partition("?")[2].split("&")}
    return frozenset(literals | _located(model_name, operation_name, "querystring"))


def _located(model_name: str, operation_name: str, location: str, *, kind: str = "") -> set[str]:
    model = service_model(model_name)
    found = model.operations[operation_name].input
    members = model.shapes[found.shape].members if found else {}
    return {
        member.location_name or name
        for name, member in members.items()
        if member.location == location and kind in {"", model.shapes[member.shape].type}
    }


@cache
def _body_members(model_name: str, shape_name: str) -> dict[str, Member]:
    members = service_model(model_name).shapes[shape_name].members
    return {m.location_name or name: m for name, m in members.items() if not m.location}


@cache
def _form_members(model_name: str, shape_name: str, *, ec2: bool) -> dict[str, Member]:
    shapes = service_model(model_name).shapes
    found = {}
    for name, member in shapes[shape_name].members.items():
        wire = member.location_name or name
        shape = shapes[member.shape]
        if ec2:
            wire = member.query_name or (wire[:1].upper() + wire[1:])
        elif shape.flattened and shape.member is not None and shape.member.location_name:
            wire = shape.member.location_name
        found[wire] = member
    return found


def _spelled(model_name: str, shape_name: str, parts: Sequence[str], *, empty: bool, ec2: bool) -> bool:
    """Whether the segments of a form's key lead to a value of the shape. `empty` may also stand for a whole list."""
    shape = service_model(model_name).shapes[shape_name]
    if shape.type == "structure":
        member = _form_members(model_name, shape_name, ec2=ec2).get(parts[0]) if parts else None
        return member is not None and _spelled(model_name, member.shape, parts[1:], empty=empty, ec2=ec2)
    if shape.member is not None:
        if not parts:
            return empty
        if not ec2 and not shape.flattened:
            if parts[0] != (shape.member.location_name or "member"):
                return False
            parts = parts[1:]
        return _numbered(parts) and _spelled(model_name, shape.member.shape, parts[1:], empty=empty, ec2=ec2)
    if shape.key is not None and shape.value is not None:
        if not shape.flattened:
            if parts[:1] != ["entry"]:
                return False
            parts = parts[1:]
        if not _numbered(parts) or len(parts) < 2:
            return False
        sides = {shape.key.location_name or "key": shape.key, shape.value.location_name or "value": shape.value}
        side = sides.get(parts[1])
        return side is not None and _spelled(model_name, side.shape, parts[2:], empty=empty, ec2=ec2)
    return not parts


def _numbered(parts: Sequence[str]) -> bool:
    return bool(parts) and _NUMBER.fullmatch(parts[0]) is not None


def _within(model_name: str, shape_name: str, value: Any, deepest: int) -> Any:
    if not deepest:
        raise ValidationError("The request body is nested too deeply.")
    shape = service_model(model_name).shapes[shape_name]
    if isinstance(value, dict) and shape.type == "structure" and not shape.document:
        members = _body_members(model_name, shape_name)
        return {
            key: _within(model_name, members[key].shape, item, deepest - 1)
            for key, item in value.items()
            if key in members
        }
    if isinstance(value, dict) and shape.value is not None:
        return {key: _within(model_name, shape.value.shape, item, deepest - 1) for key, item in value.items()}
    if isinstance(value, list) and shape.member is not None:
        return [_within(model_name, shape.member.shape, item, deepest - 1) for item in value]
    if isinstance(value, dict | list) and not shape.document:
        raise ValidationError(f"A {shape.type} was expected where the request body holds something else.")
    return value
