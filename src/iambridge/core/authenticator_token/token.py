"""The token's spelling, and every check that needs no network."""

import base64
import datetime as dt
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from iambridge.core.authenticator_token.hosts import HostRules
from iambridge.core.decision import Reason

PREFIX = "k8s-aws-v1."
CLUSTER_ID_HEADER = "x-k8s-aws-id"
LIFETIME = dt.timedelta(minutes=15)

_MAX_CHARACTERS = 4096
_FUTURE = dt.timedelta(minutes=5)
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_STRAY = re.compile(r";|%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[a-z0-9.-]+(?::[0-9]+)?")
_REQUIRED = (
    "Action",
    "Version",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
_OPTIONAL = "X-Amz-Security-Token"
_KNOWN = frozenset({*_REQUIRED, _OPTIONAL})
_FIXED = {"Action": "GetCallerIdentity", "Version": "2011-06-15", "X-Amz-Algorithm": "AWS4-HMAC-SHA256"}
_SHOWN = "%Y-%m-%dT%H:%M:%SZ"
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_PATTERNS = (
    (
        "X-Amz-Credential",
        re.compile(r"[A-Z0-9]{16,128}/[0-9]{8}/[a-z0-9-]{1,64}/sts/aws4_request"),
        "credential-malformed",
        "key/date/region/sts/aws4_request",
    ),
    ("X-Amz-Expires", re.compile(r"0|[1-9][0-9]{0,2}"), "expires-range", "a number from 0 to 900"),
    ("X-Amz-Signature", re.compile(r"[0-9a-f]{64}"), "signature-malformed", "64 lower-case hexadecimal digits"),
    (_OPTIONAL, re.compile(r"[\x21-\x7e]+"), "session-token-malformed", "printable ASCII without spaces"),
)
_MAX_EXPIRES = 900


@dataclass(frozen=True, slots=True)
class PresignedCallerIdentity:
    """A presigned GetCallerIdentity whose every field was validated. Nothing of it is proved before STS has answered.

    `host` is `host[:port]`; `date` is when it was signed; `expires` is X-Amz-Expires in seconds, which STS ignores.
    """

    host: str
    access_key_id: str
    region: str
    timestamp: str
    date: dt.datetime
    expires: int
    signed_headers: tuple[str, ...]
    session_token: str = field(repr=False)
    signature: str = field(repr=False)

    @property
    def url(self) -> str:
        """The URL to call, spelled from the validated fields alone."""
        # what the patterns below admit needs no quoting but for these slashes and this semicolon
        scope = f"{self.access_key_id}%2F{self.timestamp[:8]}%2F{self.region}%2Fsts%2Faws4_request"
        session = f"&{_OPTIONAL}={quote(self.session_token, safe='-_.~')}" if self.session_token else ""
        return (
            f"https://{self.host}/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Credential={scope}&X-Amz-Date={self.timestamp}&X-Amz-Expires={self.expires}{session}"
            f"&X-Amz-SignedHeaders={'%3B'.join(self.signed_headers)}&X-Amz-Signature={self.signature}"
        )

    def headers(self, cluster_id: str) -> dict[str, str]:
        """What must be sent with `url`: the signed cluster id, and the wish for JSON."""
        return {CLUSTER_ID_HEADER: cluster_id, "accept": "application/json"}

    @property
    def expires_at(self) -> dt.datetime:
        """When STS stops to accept it."""
        return self.date + LIFETIME


def encode(presigned_url: str) -> str:
    return PREFIX + base64.urlsafe_b64encode(presigned_url.encode()).rstrip(b"=").decode()


def admissible(token: str, *, now: dt.datetime, hosts: HostRules) -> PresignedCallerIdentity | Reason:
    """The call that the token asks for, or the check that it failed.

    Stricter than aws-iam-authenticator where that has several spellings of one token: base64url is canonical, names are
    spelled as AWS spells them, dates have whole seconds, the host is exact, and userinfo, fragments and signed headers
    that are not sent do not occur. `X-Amz-Expires` is 0..900; the token lives 15 minutes from `X-Amz-Date` whatever it
    says.
    """
    url = _decoded(token)
    if isinstance(url, Reason):
        return url
    host = _host(url, hosts)
    if isinstance(host, Reason):
        return host
    parameters = _parameters(url)
    if isinstance(parameters, Reason):
        return parameters
    return _judged(host, parameters, now)


def _decoded(token: str) -> str | Reason:
    if len(token) > _MAX_CHARACTERS:
        return _refusal("token-too-large", f"the token has {len(token)} characters, and 4096 are read")
    if not token.startswith(PREFIX):
        return _refusal("token-prefix", f"the token does not start with `{PREFIX}`")
    text = token.removeprefix(PREFIX)
    if _BASE64URL.fullmatch(text) is None or len(text) % 4 == 1:
        return _refusal("token-encoding", "the token is not base64url without padding")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    whole = len(raw) // 3  # groups of four characters that have no spare bits
    if base64.urlsafe_b64encode(raw[whole * 3 :]).rstrip(b"=").decode() != text[whole * 4 :]:
        return _refusal("token-encoding", "the token's last character carries stray bits")
    if not raw.isascii() or not (url := raw.decode("ascii")).isprintable() or " " in url:
        return _refusal("token-url", "the token holds something else than a URL")
    return url


def _host(url: str, hosts: HostRules) -> str | Reason:
    head, query, rest = url.partition("/?")
    # As nearly every token is spelled; whatever differs in anything is taken apart below, and told what it differs in.
    host = head.removeprefix("https://")
    if query and hosts.allows(host) and head == f"https://{host}" and _plain(host, rest):
        return host
    try:
        parts = urlsplit(url)
    except ValueError:
        return _refusal("token-url", "the token's URL cannot be read")
    if not url.startswith("https://"):
        return _refusal("token-scheme", "the token's URL is not https")
    if "@" in parts.netloc or "#" in url or "\\" in url:
        return _refusal("token-url", "the token's URL has userinfo, a fragment or a backslash")
    if not hosts.allows(parts.netloc):
        shown = parts.netloc if len(parts.netloc) <= 255 else "a very long name"
        return _refusal("token-host", f"`{shown}` is not an STS endpoint that this server calls", host=shown)
    if parts.path != "/":
        return _refusal("token-path", "the token's URL path is not `/`")
    return parts.netloc


def _plain(host: str, rest: str) -> bool:
    """No operator's own host is read as something else than a host, and nothing ends the query."""
    return "#" not in rest and "\\" not in rest and _HOST.fullmatch(host) is not None


def _unescaped(value: str) -> str:
    """Raises UnicodeDecodeError. `value` has no stray percent sign."""
    if "+" not in value:
        plain = value.replace("%2F", "/").replace("%3B", ";")  # all that AWS's own spelling escapes
        if "%" not in plain:
            return plain
    return unquote(value.replace("+", " "), errors="strict")


def _parameters(url: str) -> dict[str, str] | Reason:
    query = url.partition("?")[2]
    if _STRAY.search(query) is not None:
        return _refusal("query-malformed", "a query parameter is malformed")
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, separator, value = part.partition("=")
        if not separator:
            return _refusal("query-malformed", "a query parameter is malformed")
        if name in found or (name not in _KNOWN and name.lower() in {known.lower() for known in found}):
            return _refusal("query-duplicate", f"the query parameter `{name[:40]}` is given twice")
        if name not in _KNOWN:
            return _refusal("query-unknown", "a query parameter is not one of a presigned GetCallerIdentity")
        if "%" in value or "+" in value:
            try:
                value = _unescaped(value)
            except UnicodeDecodeError:
                return _refusal("query-malformed", "a query parameter is not UTF-8")
        found[name] = value
    missing = [name for name in _REQUIRED if not found.get(name)]
    if missing:
        return _refusal("query-missing", f"the query parameter `{missing[0]}` is missing")
    return found


def _judged(host: str, found: dict[str, str], now: dt.datetime) -> PresignedCallerIdentity | Reason:
    malformed = _malformed_value(found)
    if malformed is not None:
        return malformed
    timestamp = found["X-Amz-Date"]
    date = _date(timestamp)
    if isinstance(date, Reason):
        return date
    access_key_id, day, region = found["X-Amz-Credential"].split("/")[:3]
    if day != timestamp[:8]:
        return _refusal("credential-date", "the date of X-Amz-Credential is not the day of X-Amz-Date")
    refusal = _expired(date, now)
    if refusal is not None:
        return refusal
    return PresignedCallerIdentity(
        host=host,
        access_key_id=access_key_id,
        region=region,
        timestamp=timestamp,
        date=date,
        expires=int(found["X-Amz-Expires"]),
        signed_headers=tuple(found["X-Amz-SignedHeaders"].split(";")),
        session_token=found.get(_OPTIONAL, ""),
        signature=found["X-Amz-Signature"],
    )


def _malformed_value(found: dict[str, str]) -> Reason | None:
    for name, value in _FIXED.items():
        if found[name] != value:
            return _refusal("query-value", f"the query parameter `{name}` is not `{value}`")
    signed = found["X-Amz-SignedHeaders"].split(";")
    if CLUSTER_ID_HEADER not in signed:
        return _refusal("cluster-id-unsigned", f"`{CLUSTER_ID_HEADER}` is not among the signed headers")
    if signed != ["host", CLUSTER_ID_HEADER]:
        return _refusal("signed-headers", f"the signed headers are not exactly `host;{CLUSTER_ID_HEADER}`")
    for name, pattern, code, text in _PATTERNS:
        if name in found and pattern.fullmatch(found[name]) is None:
            return _refusal(code, f"{name} is not {text}")
    if int(found["X-Amz-Expires"]) > _MAX_EXPIRES:
        return _refusal("expires-range", "X-Amz-Expires is not a number from 0 to 900")
    return None


def _date(timestamp: str) -> dt.datetime | Reason:
    try:
        if _TIMESTAMP.fullmatch(timestamp) is not None:
            day, time = (int(timestamp[at : at + width]) for at, width in ((0, 8), (9, 6)))
            year, month = divmod(day // 100, 100)
            hour, minute = divmod(time // 100, 100)
            return dt.datetime(year, month, day % 100, hour, minute, time % 100, tzinfo=dt.UTC)
    except ValueError:
        pass
    return _refusal("date-malformed", "X-Amz-Date is not YYYYMMDDTHHMMSSZ")


def still_admissible(presigned: PresignedCallerIdentity, *, now: dt.datetime) -> bool:
    """Whether a call that was admissible once is so now: of all that is checked only its age changes."""
    return -_FUTURE <= now - presigned.date <= LIFETIME


def _expired(date: dt.datetime, now: dt.datetime) -> Reason | None:
    if -_FUTURE <= now - date <= LIFETIME:
        return None
    signed, clock = date.strftime(_SHOWN), now.astimezone(dt.UTC).strftime(_SHOWN)
    if now > date:
        text = f"the token was signed at {signed} and lives 15 minutes; it is {clock}"
        return _refusal("token-expired", text, date=signed, now=clock)
    text = f"the token was signed at {signed}, in the future; it is {clock}"
    return _refusal("token-not-yet-current", text, date=signed, now=clock)


def _refusal(code: str, text: str, **facts: str) -> Reason:
    return Reason(code, text, where="bearer token", facts=facts)
