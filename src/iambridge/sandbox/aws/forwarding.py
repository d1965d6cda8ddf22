"""What moto gets of a request that was proven and allowed: all but what was for the gateway alone. Pure."""

import zlib

from iambridge.core.sigv4 import SignedRequest
from iambridge.errors import ValidationError
from iambridge.sandbox.aws import rest_routes
from iambridge.sandbox.aws.operations import Call
from iambridge.wire.http import Request

# hop-by-hop or proven here: moto gets neither the signature nor a header that it would route by
_NOT_FORWARDED = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "expect",
        "transfer-encoding",
        "x-amz-content-sha256",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-trailer",
        "x-moto-account-id",
    }
)
_QUERY_AUTHENTICATION = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token")
)
_MOST_INFLATED = 64 * 1024 * 1024


def headers(request: Request, call: Call, instead: tuple[tuple[str, str], ...] = ()) -> list[tuple[str, str]]:
    """The headers of a request as moto shall read them, `instead` in place of its own of those names."""
    left_out = _NOT_FORWARDED | {name for name, _ in instead} if instead else _NOT_FORWARDED
    found = [
        _without_chunked(name, value, inflated=call.service.prefix != "s3")
        for name, value in request.headers.items
        if name.lower() not in left_out
    ]
    found += instead
    if call.protocol == "rest-xml":
        found = [_not_a_form(name, value) for name, value in found]
    if call.protocol not in {"json", "cbor"}:
        found = [(name, value) for name, value in found if name.lower() != "x-amz-target"]
    return [(name, value) for name, value in found if value]


def path(request: Request, call: Call) -> str:
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


def _without_chunked(name: str, value: str, *, inflated: bool) -> tuple[str, str]:
    if name.lower() != "content-encoding":
        return name, value
    if value.strip().lower() == "gzip" and inflated:
        return name, ""
    return name, ",".join(part for part in value.split(",") if part.strip().lower() != "aws-chunked")


def _not_a_form(name: str, value: str) -> tuple[str, str]:
    """Flask would read a body of this type as form fields and leave moto none; `curl -d` sends it unasked."""
    if name.lower() == "content-type" and value.startswith("application/x-www-form-urlencoded"):
        return name, "binary/octet-stream"
    return name, value
