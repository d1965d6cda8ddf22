"""Proves a signature: scope, date, signed headers, payload and the signature itself."""

import datetime as dt
import hashlib
import hmac
from typing import NamedTuple

from iambridge.core.sigv4.canonical import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    ByName,
    SentHeaders,
    by_name,
    canonical_headers,
    canonical_paths,
    canonical_query,
    is_s3,
    query_pairs,
    signature,
    signing_key,
    string_to_sign,
)
from iambridge.core.sigv4.chunked import STREAMING_PAYLOADS, ChunkSeed, decode_chunks
from iambridge.core.sigv4.request import SignedRequest
from iambridge.errors import AuthenticationFault, RequestNotAuthenticated

_WINDOW = dt.timedelta(minutes=15)
_FUTURE = dt.timedelta(minutes=5)

MISMATCH_MESSAGE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class VerifiedPayload(NamedTuple):
    """The body as the service shall see it: `aws-chunked` framing removed, its trailers proved.

    `signed` is False for S3's UNSIGNED-PAYLOAD forms, where only TLS covers the content.
    """

    content: bytes
    trailers: tuple[tuple[str, str], ...] = ()
    signed: bool = True


def verify(
    request: SignedRequest,
    secret_access_key: str,
    *,
    method: str,
    path: str,
    query: str,
    headers: SentHeaders,
    body: bytes,
    now: dt.datetime,
    service: str = "",
    region: str = "",
) -> VerifiedPayload:
    """Prove `request` with the key it names.

    `path` is percent-decoded once and `query` raw. `service` and `region`, when given, are what the scope must name.

    Raises:
        RequestNotAuthenticated: with the fault of the first check that failed.
    """
    sent = headers if isinstance(headers, dict) else by_name(headers)
    _check_scope(request, service, region)
    _check_date(request, now)
    _check_signed_headers(request, sent)
    payload_hash = _payload_hash(request, sent, query, body)
    key = signing_key(secret_access_key, request.scope_date, request.region, request.service)
    lines = canonical_headers(sent, request.signed_headers)
    if lines is None:
        raise _mismatch("a header that SignedHeaders names was not sent")
    proved = False
    for candidate in canonical_paths(path, s3=is_s3(request.service)):
        text = string_to_sign(
            method=method,
            path=candidate,
            query=canonical_query(query, without="X-Amz-Signature" if request.presigned else ""),
            headers=lines,
            signed=";".join(request.signed_headers),
            payload_hash=payload_hash,
            date=request.timestamp,
            scope=request.scope,
        )
        proved = hmac.compare_digest(signature(key, text), request.signature) or proved
    if not proved:
        raise _mismatch("the signature was made with another secret key, or over another request")
    if payload_hash in STREAMING_PAYLOADS:
        seed = ChunkSeed(key, request.timestamp, request.scope, request.signature, payload_hash)
        content, trailers = decode_chunks(body, seed, sent)
        return VerifiedPayload(content, trailers, signed=not payload_hash.startswith("STREAMING-UNSIGNED"))
    return VerifiedPayload(body, signed=payload_hash != UNSIGNED_PAYLOAD)


def _check_scope(request: SignedRequest, service: str, region: str) -> None:
    if request.scope_date != request.timestamp[:8]:
        raise _wrong_scope(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{request.scope_date}' != '{request.timestamp[:8]}', from '{request.timestamp}'."
        )
    if service and request.service != service:
        raise _wrong_scope(f"Credential should be scoped to correct service: '{service}'. ")
    if region and request.region != region:
        raise _wrong_scope("Credential should be scoped to a valid region. ", expected=region, scope=request.region)


def _check_date(request: SignedRequest, now: dt.datetime) -> None:
    s3 = is_s3(request.service)
    ahead = _WINDOW if s3 else _FUTURE
    clock = now.astimezone(dt.UTC)
    if request.date > clock + ahead:
        raise RequestNotAuthenticated(
            AuthenticationFault.NOT_YET_CURRENT,
            f"Signature not yet current: {request.timestamp} is still later than {_basic(clock + ahead)} "
            f"({_basic(clock)} + {int(ahead.total_seconds()) // 60} min.)",
            fix="set the client's clock",
        )
    if s3 and request.presigned:
        assert request.expires is not None
        if clock >= request.date + dt.timedelta(seconds=request.expires):
            raise RequestNotAuthenticated(
                AuthenticationFault.EXPIRED_PRESIGNED,
                "Request has expired",
                cause=f"presigned at {request.timestamp} for {request.expires} s, and it is {_basic(clock)}",
                fix="presign again, for longer if need be",
            )
        return
    if request.date < clock - _WINDOW:
        raise RequestNotAuthenticated(
            AuthenticationFault.EXPIRED_SIGNATURE,
            f"Signature expired: {request.timestamp} is now earlier than {_basic(clock - _WINDOW)} "
            f"({_basic(clock)} - 15 min.)",
            fix="sign again, and set the client's clock if it is wrong",
        )


def _check_signed_headers(request: SignedRequest, sent: ByName) -> None:
    """`host` and every `x-amz-*` header that was sent must be covered by the signature."""
    signed = request.signed_headers
    if "host" not in signed:
        raise RequestNotAuthenticated(
            AuthenticationFault.UNSIGNED_HEADERS,
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            fix="sign the Host header",
        )
    bare = sorted([name for name in sent if name.startswith("x-amz-") and name not in signed])
    if bare:
        raise RequestNotAuthenticated(
            AuthenticationFault.UNSIGNED_HEADERS,
            "There were headers present in the request which were not signed",
            cause=f"sent but not signed: {', '.join(f'`{name}`' for name in bare[:10])}",
            fix="sign every x-amz-* header that you send",
            headers=", ".join(bare[:10]),
        )


def _payload_hash(request: SignedRequest, sent: ByName, query: str, body: bytes) -> str:
    """What the canonical request must hold as its payload, after it was compared with the body."""
    declared = {value.strip() for value in sent.get("x-amz-content-sha256", ())}
    if request.presigned:
        declared |= {value for name, value in query_pairs(query) if name.lower() == "x-amz-content-sha256"}
    if len(declared) > 1:
        raise _payload_mismatch("x-amz-content-sha256 is given twice, with two values")
    stated = declared.pop() if declared else ""
    actual = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
    if not is_s3(request.service):
        if stated and stated != actual:
            raise _payload_mismatch("x-amz-content-sha256 is not the body's SHA-256, and only S3 takes other values")
        return actual
    if not stated:
        if request.presigned:
            return UNSIGNED_PAYLOAD
        raise RequestNotAuthenticated(
            AuthenticationFault.MALFORMED_PAYLOAD,
            "Missing required header for this request: x-amz-content-sha256",
            fix="send x-amz-content-sha256 and sign it",
        )
    if stated in {UNSIGNED_PAYLOAD, actual} or stated in STREAMING_PAYLOADS:
        return stated
    if stated.startswith("STREAMING-"):
        raise RequestNotAuthenticated(
            AuthenticationFault.MALFORMED_PAYLOAD,
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
            fix="use one of the named values",
        )
    raise _payload_mismatch("the body is not the one that was signed")


def _basic(moment: dt.datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _mismatch(cause: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.MISMATCH,
        MISMATCH_MESSAGE,
        cause=cause,
        fix="check the secret access key, and that nothing between client and server changes the request",
    )


def _wrong_scope(message: str, **facts: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.WRONG_SCOPE, message, fix="sign for the region and service that you call", **facts
    )


def _payload_mismatch(cause: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.PAYLOAD_MISMATCH,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        cause=cause,
        fix="sign the body that you send",
    )
