"""What a request claims about its signature: read strictly, proved by `verify`."""

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from iambridge.core.sigv4.canonical import ALGORITHM, TERMINATOR, ByName, SentHeaders, by_name, is_s3, query_pairs
from iambridge.errors import AuthenticationFault, RequestNotAuthenticated

_AUTHORIZATION_PART = re.compile(r"(Credential|SignedHeaders|Signature)=([^\s,=]+(?:/[^\s,]*)?)")
_SIGNED_HEADERS = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_QUERY_NAMES = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
_SINGLE = {name.lower() for name in (*_QUERY_NAMES, "X-Amz-Expires", "X-Amz-Security-Token")}
_MAX_EXPIRES = 604_800


class SignedRequest(NamedTuple):
    """A signature's claims. `expires` is X-Amz-Expires in seconds, of a presigned request only."""

    access_key_id: str
    date: dt.datetime
    timestamp: str
    scope_date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    presigned: bool
    expires: int | None
    session_token: str

    @property
    def scope(self) -> str:
        return f"{self.scope_date}/{self.region}/{self.service}/{TERMINATOR}"

    def __repr__(self) -> str:
        """Without the signature and the session token."""
        return f"SignedRequest({self.access_key_id!r}, {self.scope!r}, {self.timestamp!r})"


def parse(*, query: str, headers: SentHeaders) -> SignedRequest | None:
    """The claims of a signed request (Authorization header or presigned query), or None when it carries neither.

    Raises:
        RequestNotAuthenticated: anything malformed, said twice, or signed by another algorithm.
    """
    sent = headers if isinstance(headers, dict) else by_name(headers)
    authorizations = sent.get("authorization", ())
    presigned = "x-amz-" in query.lower() and _presigned_names(query)
    if presigned and authorizations:
        raise _incomplete("a request carries one signature: an Authorization header or a presigned query, not both")
    if presigned:
        return _from_query(dict(query_pairs(query)))
    if not authorizations:
        return None
    if len(authorizations) > 1:
        raise _incomplete("a request carries one Authorization header")
    return _from_header(authorizations[0], sent)


def _presigned_names(query: str) -> bool:
    """Whether the query claims a signature.

    Raises:
        RequestNotAuthenticated: an authentication parameter twice, in any mixture of case.
    """
    seen: dict[str, str] = {}
    for name, _ in query_pairs(query):
        lower = name.lower()
        if lower in _SINGLE:
            if lower in seen:
                raise _incomplete(f"the query parameter `{name}` is given twice")
            seen[lower] = name
    for lower, name in seen.items():
        if name not in _QUERY_NAMES and name not in {"X-Amz-Expires", "X-Amz-Security-Token"}:
            raise _incomplete(f"the query parameter `{name}` is spelled differently from AWS's `{lower.title()}`")
    return "X-Amz-Signature" in seen.values() or "X-Amz-Algorithm" in seen.values()


def _from_query(values: dict[str, str]) -> SignedRequest:
    missing = [name for name in _QUERY_NAMES if not values.get(name)]
    if missing:
        raise _incomplete(" ".join(f"AWS query-string parameters must include '{name}'." for name in missing))
    if values["X-Amz-Algorithm"] != ALGORITHM:
        raise _unsupported(values["X-Amz-Algorithm"])
    access_key_id, scope_date, region, service = _credential(values["X-Amz-Credential"])
    return SignedRequest(
        access_key_id=access_key_id,
        date=_timestamp(values["X-Amz-Date"]),
        timestamp=values["X-Amz-Date"],
        scope_date=scope_date,
        region=region,
        service=service,
        signed_headers=_signed_headers(values["X-Amz-SignedHeaders"]),
        signature=_signature(values["X-Amz-Signature"]),
        presigned=True,
        expires=_expires(values.get("X-Amz-Expires"), s3=is_s3(service)),
        session_token=values.get("X-Amz-Security-Token", ""),
    )


def _from_header(authorization: str, headers: ByName) -> SignedRequest:
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise _unsupported(algorithm)
    parts: dict[str, str] = {}
    for part in rest.split(","):
        found = _AUTHORIZATION_PART.fullmatch(part.strip())
        if found is None or found[1] in parts:
            raise _incomplete("the Authorization header holds something else than Credential, SignedHeaders, Signature")
        parts[found[1]] = found[2]
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if name not in parts]
    if missing:
        raise _incomplete(" ".join(f"Authorization header requires '{name}' parameter." for name in missing))
    access_key_id, scope_date, region, service = _credential(parts["Credential"])
    date, timestamp = _header_date(headers)
    return SignedRequest(
        access_key_id=access_key_id,
        date=date,
        timestamp=timestamp,
        scope_date=scope_date,
        region=region,
        service=service,
        signed_headers=_signed_headers(parts["SignedHeaders"]),
        signature=_signature(parts["Signature"]),
        presigned=False,
        expires=None,
        session_token=_single(headers, "x-amz-security-token"),
    )


def _single(headers: ByName, wanted: str) -> str:
    values = headers.get(wanted, ())
    if len(values) > 1:
        raise _incomplete(f"the header `{wanted}` is given twice")
    return values[0].strip() if values else ""


def _header_date(headers: ByName) -> tuple[dt.datetime, str]:
    stamp = _single(headers, "x-amz-date")
    if stamp:
        return _timestamp(stamp), stamp
    stamp = _single(headers, "date")
    if not stamp:
        raise _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    try:
        date = parsedate_to_datetime(stamp)
    except ValueError:
        return _timestamp(stamp), stamp
    if date.utcoffset() != dt.timedelta(0):
        raise _incomplete("the Date header is not in GMT")
    return date, date.strftime("%Y%m%dT%H%M%SZ")


def _timestamp(text: str) -> dt.datetime:
    if _DATE.fullmatch(text):
        try:
            return dt.datetime.fromisoformat(text)
        except ValueError:
            pass
    raise _incomplete("Date must be in ISO-8601 'basic format': YYYYMMDDTHHMMSSZ.")


def _credential(text: str) -> tuple[str, str, str, str]:
    parts = text.split("/")
    if len(parts) != 5 or not all(parts) or parts[4] != TERMINATOR or not text.isascii():
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request."
        )
    return parts[0], parts[1], parts[2], parts[3]


def _signed_headers(text: str) -> tuple[str, ...]:
    names = tuple(text.split(";"))
    if _SIGNED_HEADERS.fullmatch(text) is None or list(names) != sorted(set(names)):
        raise _incomplete("SignedHeaders must be lower-case header names, sorted, each once, with `;` between")
    return names


def _signature(text: str) -> str:
    if _SIGNATURE.fullmatch(text) is None:
        raise _incomplete("the signature is not 64 lower-case hexadecimal digits")
    return text


def _expires(text: str | None, *, s3: bool) -> int | None:
    """S3 demands 1..604800. Elsewhere it may be absent, and `verify` holds to 15 minutes whatever it says."""
    if text is None and not s3:
        return None
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10:
        raise _invalid_expires("X-Amz-Expires should be a number")
    seconds = int(text)
    if seconds > _MAX_EXPIRES:
        raise _invalid_expires("X-Amz-Expires must be less than a week (in seconds) that is 604800")
    if s3 and seconds < 1:
        raise _invalid_expires("X-Amz-Expires must be between 1 and 604800 seconds")
    return seconds


def _incomplete(message: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.INCOMPLETE, message, fix="sign the request with an AWS SDK, or as Signature Version 4 says"
    )


def _unsupported(algorithm: str) -> RequestNotAuthenticated:
    named = algorithm if len(algorithm) <= 40 and algorithm.isascii() else "another one"
    return RequestNotAuthenticated(
        AuthenticationFault.UNSUPPORTED,
        f"Unsupported AWS 'algorithm': '{named}'.",
        cause=f"the request is signed with `{named}`, and only AWS4-HMAC-SHA256 is verified",
        fix="sign with Signature Version 4 (AWS4-HMAC-SHA256)",
    )


def _invalid_expires(message: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.INVALID_EXPIRES, message, fix="presign again with X-Amz-Expires from 1 to 604800"
    )
