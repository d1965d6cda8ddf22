"""The canonical request, the string to sign and the signing key.

A served path arrives percent-decoded once (`wire.http.Request.path`), a query raw.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
_MOST_SEGMENTS = 8
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

# One `name=value` that encoding again would not change: no `+`, no lower-case escapes, no escaped unreserved byte.
_CANONICAL_PAIR = re.compile(
    r"(?:[A-Za-z0-9\-_.~]|%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF]))+"
    r"=(?:[A-Za-z0-9\-_.~]|%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF]))*"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair, with a session token when it is temporary. `repr` shows the access key id only."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def is_s3(service: str) -> bool:
    """Whether S3's own rules hold: the path encoded once and not normalised, unsigned payloads allowed."""
    return service in {"s3", "s3-object-lambda", "s3-outposts", "s3express"}


@lru_cache(maxsize=4096)
def signing_key(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    """The key of one day (`YYYYMMDD`), region and service."""
    key = hmac.digest(b"AWS4" + secret_access_key.encode(), date.encode(), "sha256")
    for part in (region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def query_pairs(raw_query: str) -> list[tuple[str, str]]:
    """Each `name=value` decoded. `+` is a space, as every service reads it; a name without `=` has an empty value.

    Bytes that are not UTF-8 stay distinct (surrogateescape), so that two different queries never look the same.
    """
    pairs = []
    for part in raw_query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def canonical_query(raw_query: str, *, without: str = "") -> str:
    """Sorted by encoded name, then encoded value. `without` names one parameter to leave out."""
    encoded = []
    for part in raw_query.split("&"):
        if not part:
            continue
        pair = part
        if _CANONICAL_PAIR.fullmatch(part) is None:
            name, _, value = part.partition("=")
            pair = f"{_encoded(_decoded(name))}={_encoded(_decoded(value))}"
        if not without or pair[: len(without) + 1] != without + "=":
            encoded.append(pair)
    if len(encoded) > 1:
        encoded.sort(key=lambda pair: pair.split("=", 1))
    return "&".join(encoded)


def canonical_paths(path: str, *, s3: bool) -> tuple[str, ...]:
    """The canonical URIs that a client may have signed for a served, once decoded path.

    S3 encodes once. Other services encode the path as sent once more; a client may have sent `:` or `@` with or without
    an escape, which decoding hides, so both spellings of the same path count. A `%` in the decoded path has one
    spelling only. An ARN in a path is one segment to the client, which escapes its slashes.
    """
    if path == "/":
        return ("/",)
    if s3:
        return (_encoded(path or "/", "/"),)
    once = _encoded(_normalised(path), "/")
    twice = _encoded(once, "/")
    found = (twice,) if once == twice or "%" in path else (twice, once)
    return (*found, *_with_arn(_normalised(path))) if "/arn:" in path else found


def _with_arn(path: str) -> Iterator[str]:
    """The path with the first slash of its ARN escaped, with the first two, and so on: where it ends is not said."""
    head, _, tail = path.partition("/arn:")
    segments = f"arn:{tail}".split("/")[:_MOST_SEGMENTS]
    for end in range(2, len(segments) + 1):
        arn, rest = "/".join(segments[:end]), segments[end:]
        sent = "/".join([_encoded(head, "/"), _encoded(arn), *map(_encoded, rest)])
        yield _encoded(sent, "/")


def sent_path(path: str, *, s3: bool) -> str:
    """The canonical URI of a request to be sent, from its path as it stands in the URL: a `%2F` in it is no slash."""
    return _encoded(unquote(path, errors="surrogateescape") or "/", "/") if s3 else _encoded(_normalised(path), "/")


ByName = dict[str, list[str]]
"""Header names in lower case -> their values in the order received."""

SentHeaders = Sequence[tuple[str, str]] | ByName
"""Headers as they came, or by name already."""


def by_name(headers: Iterable[tuple[str, str]]) -> ByName:
    """Headers as they are asked for, many times over."""
    sent = tuple(headers)
    values: ByName = {name.lower(): [value] for name, value in sent}
    if len(values) != len(sent):  # a name twice
        values = {}
        for name, value in sent:
            values.setdefault(name.lower(), []).append(value)
    return values


def canonical_headers(headers: ByName, signed: Sequence[str]) -> str | None:
    """`name:value` lines of the signed headers, or None when a signed one was not sent."""
    lines = []
    for name in signed:
        found = headers.get(name)
        if found is None:
            return None
        if len(found) == 1:
            value = found[0]
            lines.append(f"{name}:{' '.join(value.split()) if ' ' in value or not value.isprintable() else value}\n")
            continue
        trimmed = [" ".join(value.split()) for value in found]
        lines.append(f"{name}:{','.join(sorted(set(trimmed)) if name == 'host' else trimmed)}\n")
    return "".join(lines)


def string_to_sign(
    *, method: str, path: str, query: str, headers: str, signed: str, payload_hash: str, date: str, scope: str
) -> str:
    """All parts canonical; `date` is `YYYYMMDDTHHMMSSZ`, `scope` is `date/region/service/aws4_request`."""
    request = f"{method}\n{path}\n{query}\n{headers}\n{signed}\n{payload_hash}"
    digest = hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{date}\n{scope}\n{digest}"


def signature(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def _decoded(text: str) -> str:
    raw = text.replace("+", " ").encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def _encoded(text: str, safe: str = "") -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=safe + "~")


def _normalised(path: str) -> str:
    """RFC 3986 section 5.2.4 without empty segments, a trailing slash kept."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    trailing = "/" if kept and not segments[-1] else ""
    return "/" + "/".join(kept) + trailing
