"""What a client does: sign a request, or presign its URL."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from iambridge.core.sigv4.canonical import (
    ALGORITHM,
    EMPTY_SHA256,
    TERMINATOR,
    UNSIGNED_PAYLOAD,
    Credentials,
    by_name,
    canonical_headers,
    canonical_query,
    is_s3,
    sent_path,
    signature,
    signing_key,
    string_to_sign,
)


def presign(
    credentials: Credentials,
    *,
    method: str,
    url: str,
    region: str,
    service: str,
    headers: Mapping[str, str],
    expires: int,
    now: dt.datetime,
) -> str:
    """The whole URL with its signature. `headers` must be sent with it; `host` is signed always.

    The payload is S3's UNSIGNED-PAYLOAD, elsewhere the empty one. `expires` is in seconds.
    """
    timestamp = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{timestamp[:8]}/{region}/{service}/{TERMINATOR}"
    sent = _with_host(url, headers)
    parameters = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(expires),
        "X-Amz-Security-Token": credentials.session_token,
        "X-Amz-SignedHeaders": ";".join(sorted(sent)),
    }
    added = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in parameters.items() if value)
    parts = urlsplit(url)
    query = f"{parts.query}&{added}" if parts.query else added
    payload_hash = UNSIGNED_PAYLOAD if is_s3(service) else EMPTY_SHA256
    proof = _signature(
        credentials, method=method, path=parts.path, query=query, headers=sent, payload_hash=payload_hash, scope=scope,
        timestamp=timestamp,
    )  # fmt: skip
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}&X-Amz-Signature={proof}"


def sign(
    credentials: Credentials,
    *,
    method: str,
    url: str,
    region: str,
    service: str,
    headers: Mapping[str, str],
    body: bytes,
    now: dt.datetime,
) -> dict[str, str]:
    """The headers to add to `headers`, all of which are signed together with `host`."""
    timestamp = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{timestamp[:8]}/{region}/{service}/{TERMINATOR}"
    payload_hash = hashlib.sha256(body).hexdigest()
    added = {"x-amz-date": timestamp}
    if is_s3(service):
        added["x-amz-content-sha256"] = payload_hash
    if credentials.session_token:
        added["x-amz-security-token"] = credentials.session_token
    sent = _with_host(url, {**headers, **added})
    parts = urlsplit(url)
    proof = _signature(
        credentials, method=method, path=parts.path, query=parts.query, headers=sent, payload_hash=payload_hash,
        scope=scope, timestamp=timestamp,
    )  # fmt: skip
    added["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={';'.join(sorted(sent))}, Signature={proof}"
    )
    return added


def _with_host(url: str, headers: Mapping[str, str]) -> dict[str, str]:
    sent = {name.lower(): value for name, value in headers.items()}
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    host = parts.netloc.rpartition("@")[2]
    sent.setdefault("host", host.rpartition(":")[0] if parts.port is not None and parts.port == default else host)
    return sent


def _signature(
    credentials: Credentials,
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload_hash: str,
    scope: str,
    timestamp: str,
) -> str:
    date, region, service, _ = scope.split("/")
    signed = sorted(headers)
    lines = canonical_headers(by_name(headers.items()), signed)
    assert lines is not None
    text = string_to_sign(
        method=method,
        path=sent_path(path, s3=is_s3(service)),
        query=canonical_query(query),
        headers=lines,
        signed=";".join(signed),
        payload_hash=payload_hash,
        date=timestamp,
        scope=scope,
    )
    return signature(signing_key(credentials.secret_access_key, date, region, service), text)
