"""What moto gets of a request that was proven and allowed: written anew from what was read of it. Pure.

moto has several places to look for an operation and its parameters: each protocol has its own filled, and no other.
"""

import json
import zlib
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, urlencode

from iambridge.core.sigv4 import SignedRequest
from iambridge.errors import ValidationError
from iambridge.sandbox.aws import known_parameters, rest_routes, s3_actions, s3_deletions
from iambridge.sandbox.aws.operations import Call
from iambridge.sandbox.aws.service_models import service_model
from iambridge.wire.http import Request

FORM = "application/x-www-form-urlencoded"
# hop-by-hop or proven here: moto gets neither the signature nor a header that it would route by
_NOT_FORWARDED = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "expect",
        "host",
        "transfer-encoding",
        "x-amz-content-sha256",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-target",
        "x-amz-trailer",
        "x-moto-account-id",
    }
)
_METADATA = "x-amz-meta-"
_QUERY_AUTHENTICATION = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token")
)
_MOST_INFLATED = 64 * 1024 * 1024


class Forwarded(NamedTuple):
    """A request as moto shall read it. `path` and `query` are percent-encoded."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes


def forwarded(request: Request, call: Call, content: bytes, instead: tuple[tuple[str, str], ...] = ()) -> Forwarded:
    """`instead` are headers in place of the request's own of those names.

    Raises:
        ValidationError: a header that counts is given twice.
    """
    replaced = {name.lower() for name, _ in instead}
    fields = [(name, value) for name, value in _headers(request, call) if name.lower() not in replaced]
    fields += instead
    names = [name.lower() for name, _ in fields if not name.lower().startswith(_METADATA)]
    if len(names) != len(set(names)):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValidationError(f"A header is given twice: {', '.join(twice)[:128]}")
    fields.append(("host", request.headers.get("host")))
    if call.protocol in {"query", "ec2"}:
        body = urlencode(call.flat, quote_via=quote).encode()
        return Forwarded("POST", "/", "", [*fields, ("content-type", FORM)], body)
    if call.protocol in {"json", "cbor"}:
        model = service_model(call.service.model).metadata
        fields.append(("content-type", f"application/x-amz-json-{model.json_version}"))
        fields.append(("x-amz-target", f"{model.target_prefix}.{call.operation}"))
        return Forwarded("POST", "/", "", fields, json.dumps(call.document).encode())
    if call.protocol == "rest-json" and known_parameters.document_shape(call.service.model, call.operation):
        fields.append(("content-type", "application/json"))
        content = json.dumps(call.document).encode() if content else b""
    elif call.service.prefix == "s3" and call.operation == "DeleteObjects":
        content = s3_deletions.document(content)
    return Forwarded(request.method, quote(_path(request, call), safe="/~"), _query(call), fields, content)


def _headers(request: Request, call: Call) -> Iterator[tuple[str, str]]:
    """The headers that hold parameters of the operation; of S3, which keeps some as an object's own, all."""
    s3 = call.service.prefix == "s3"
    known = known_parameters.headers(call.service.model, call.operation)
    for name, value in request.headers.items:
        lower = name.lower()
        # WSGI cannot tell `x_amz_acl` from `x-amz-acl`, and nobody signed the former
        if lower in _NOT_FORWARDED or ("_" in name and not lower.startswith(_METADATA)):
            continue
        if not s3 and lower not in known:
            continue
        if lower == "content-encoding":
            value = ",".join(part for part in value.split(",") if part.strip().lower() != "aws-chunked")  # noqa: PLW2901
        if lower == "x-amz-copy-source":
            value = s3_actions.copied(value).header  # noqa: PLW2901
        if value:
            yield name, value


def _query(call: Call) -> str:
    return "&".join(
        f"{quote(name, safe='~')}={quote(value, safe='~')}" if value else quote(name, safe="~")
        for name, value in call.query
    )


def _path(request: Request, call: Call) -> str:
    """The path as moto's routes have it, decoded."""
    if not call.protocol.startswith("rest-") or call.service.prefix == "s3":
        return request.path
    return rest_routes.as_modelled(call.service.model, call.operation, request.path)


def without_signature(query: str) -> str:
    """The query without what a presigned URL adds for authentication."""
    if not query:
        return query
    return "&".join(part for part in query.split("&") if part.partition("=")[0].lower() not in _QUERY_AUTHENTICATION)


def inflated(request: Request, content: bytes, signed: SignedRequest | None) -> bytes:
    """The content that a client compressed, as SDKs do with long metrics. S3 keeps what it is given.

    Raises:
        ValidationError: no gzip, or more than is taken.
    """
    if signed is None or signed.service == "s3" or request.headers.get("content-encoding").strip().lower() != "gzip":
        return content
    inflater = zlib.decompressobj(wbits=31)
    try:
        found = inflater.decompress(content, _MOST_INFLATED)
    except zlib.error as error:
        raise ValidationError("The request body is not valid gzip.") from error
    if not inflater.eof or inflater.unused_data:
        raise ValidationError("The request body is too long, or does not end with its gzip stream.")
    return found
