"""The `aws-chunked` content encoding: a body in chunks, each signed over the one before, with trailers at its end.

Sources: Amazon S3 API Reference "Signature calculations for the Authorization header: transferring payload in multiple
chunks" and "... including trailing headers".
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from iambridge.core.sigv4.canonical import ALGORITHM, EMPTY_SHA256, ByName, signature
from iambridge.errors import AuthenticationFault, RequestNotAuthenticated

_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING_PAYLOADS = frozenset({_SIGNED, _SIGNED_TRAILER, _UNSIGNED_TRAILER})

_CHUNK_HEADER = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER = re.compile(rb"([A-Za-z0-9-]{1,128}):[ \t]*([\x21-\x7e]{0,1024})[ \t]*")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


@dataclass(frozen=True, slots=True)
class ChunkSeed:
    """What the first chunk's signature continues. `payload` is the request's x-amz-content-sha256."""

    key: bytes = field(repr=False)
    timestamp: str
    scope: str
    signature: str = field(repr=False)
    payload: str


def decode_chunks(body: bytes, seed: ChunkSeed, headers: ByName) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The content and the trailers, lower-case names.

    Raises:
        RequestNotAuthenticated: a broken frame, a chunk or trailer whose signature does not follow, a length other than
            x-amz-decoded-content-length, or trailers other than x-amz-trailer announces.
    """
    signed = seed.payload != _UNSIGNED_TRAILER
    previous = seed.signature
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position, position + 128)
        found = _CHUNK_HEADER.fullmatch(body[position:end]) if end >= 0 else None
        if found is None or (found[2] is not None) != signed:
            raise _malformed("a chunk does not start with its size and, when chunks are signed, its signature")
        size = int(found[1], 16)
        data = body[end + 2 : end + 2 + size]
        if len(data) != size:
            raise _malformed("the last chunk is cut short")
        position = end + 2 + size
        if signed:
            previous = _proved(seed, previous, data, found[2].decode())
        if size == 0:
            break
        if body[position : position + 2] != b"\r\n":
            raise _malformed("a chunk does not end where its size says")
        position += 2
        parts.append(data)
    content = b"".join(parts)
    _check_length(content, headers)
    return content, _trailers(body[position:], seed, previous, headers)


def _proved(seed: ChunkSeed, previous: str, data: bytes, stated: str) -> str:
    text = (
        f"{ALGORITHM}-PAYLOAD\n{seed.timestamp}\n{seed.scope}\n{previous}\n{EMPTY_SHA256}\n"
        f"{hashlib.sha256(data).hexdigest()}"
    )
    if not hmac.compare_digest(signature(seed.key, text), stated):
        raise _mismatch("a chunk's signature does not follow from the one before it")
    return stated


def _check_length(content: bytes, headers: ByName) -> None:
    stated = [value.strip() for value in headers.get("x-amz-decoded-content-length", ())]
    if not stated:
        raise _malformed("x-amz-decoded-content-length is missing")
    if stated != [str(len(content))]:
        raise _malformed("the chunks hold another number of bytes than x-amz-decoded-content-length")


def _trailers(rest: bytes, seed: ChunkSeed, previous: str, headers: ByName) -> tuple[tuple[str, str], ...]:
    lines = [line for line in rest.split(b"\r\n") if line]
    trailers: dict[str, str] = {}
    for line in lines:
        # some SDKs end the trailer's value with a bare newline before CRLF, and sign it with one
        found = _TRAILER.fullmatch(line.removesuffix(b"\n"))
        if found is None or found[1].decode().lower() in trailers:
            raise _malformed("a trailer is not a `name:value` line, or is given twice")
        trailers[found[1].decode().lower()] = found[2].decode()
    stated = trailers.pop(_TRAILER_SIGNATURE, "")
    announced = {
        part.strip().lower() for value in headers.get("x-amz-trailer", ()) for part in value.split(",") if part.strip()
    }
    if set(trailers) != announced:
        raise _malformed("the trailers are not those that x-amz-trailer announces")
    if seed.payload == _SIGNED_TRAILER:
        canonical = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"{ALGORITHM}-TRAILER\n{seed.timestamp}\n{seed.scope}\n{previous}\n{digest}"
        if not hmac.compare_digest(signature(seed.key, text), stated):
            raise _mismatch("the trailer's signature does not follow from the last chunk's")
    elif stated:
        raise _malformed("a trailer signature in a body whose trailers are not signed")
    return tuple(trailers.items())


def _mismatch(cause: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.MISMATCH,
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
        cause=cause,
        fix="check that nothing between client and server changes the body",
    )


def _malformed(cause: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.MALFORMED_PAYLOAD,
        "The request body terminated unexpectedly",
        cause=cause,
        fix="send the aws-chunked body whole, as the SDKs do",
    )
