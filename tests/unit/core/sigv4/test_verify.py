"""botocore signs, we verify: headers, presigned URLs, S3's rules and the others'."""

import datetime as dt
import hashlib
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.core import sigv4
from iambridge.errors import AuthenticationFault, RequestNotAuthenticated

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = BotocoreCredentials("AKIAIOSFODNN7EXAMPLE", SECRET)
SESSION = BotocoreCredentials("ASIAIOSFODNN7EXAMPLE", SECRET, "sealed/session+token==")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), max_size=12)
HEADER_VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)


def served(request: Any, body: bytes = b"") -> dict[str, Any]:
    """The values that our socket end makes of a request that a client sends."""
    parts = urlsplit(request.url)
    headers = [(str(name), str(value)) for name, value in request.headers.items()]
    if not any(name.lower() == "host" for name, _ in headers):
        headers.append(("host", parts.netloc))
    return {
        "method": request.method,
        "path": unquote(parts.path, errors="surrogateescape"),
        "query": parts.query,
        "headers": headers,
        "body": body,
    }


def signed(
    auth: Any, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> dict[str, Any]:
    request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
    auth.add_auth(request)
    prepared = request.prepare()
    return served(prepared, body)


def verify(values: dict[str, Any], secret: str = SECRET, now: dt.datetime | None = None) -> sigv4.VerifiedPayload:
    claims = sigv4.parse(query=values["query"], headers=values["headers"])
    assert claims is not None
    return sigv4.verify(claims, secret, now=now or dt.datetime.now(dt.UTC), **values)


def fault(values: dict[str, Any], **arguments: Any) -> AuthenticationFault:
    with pytest.raises(RequestNotAuthenticated) as caught:
        verify(values, **arguments)
    return caught.value.kind


SIGNERS: dict[tuple[str, str], Any] = {
    ("s3", "query"): S3SigV4QueryAuth,
    ("s3", "header"): S3SigV4Auth,
    ("sts", "query"): SigV4QueryAuth,
    ("sts", "header"): SigV4Auth,
}


@given(
    url_parts=st.tuples(
        st.lists(TEXT.filter(lambda t: t not in {".", ".."} and "/" not in t), max_size=3),
        st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=4),
    ),
    body=st.binary(max_size=40),
    extra=HEADER_VALUE,
    signer=st.sampled_from(sorted(SIGNERS)),
    keys=st.sampled_from([KEYS, SESSION]),
    target=st.integers(0, 3),
)
@settings(max_examples=150)
def test_what_botocore_signs_is_proved_and_a_changed_request_is_not(
    *,
    url_parts: tuple[list[str], list[tuple[str, str]]],
    body: bytes,
    extra: str,
    signer: tuple[str, str],
    keys: BotocoreCredentials,
    target: int,
) -> None:
    """Every request that botocore signs verifies, and after a change of any signed part it does not."""
    path, query = url_parts
    names = dict(query)
    encoded = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in sorted(names.items()))
    if any(name.lower().startswith("x-amz-") for name in names):
        return
    url = "https://host.example:4566/" + "/".join(quote(p, safe="~") for p in path)
    url += f"?{encoded}" if encoded else ""
    service, place = signer
    body = b"" if place == "query" else body
    method = "GET" if place == "query" else "PUT"
    values = signed(SIGNERS[signer](keys, service, "us-east-1"), method, url, body, {"x-amz-meta-a": extra})
    assert verify(values).content == body

    changed = dict(values)
    if target == 0 and body:
        changed["body"] = bytes([body[0] ^ 1]) + body[1:]
    elif target == 1:
        changed["path"] = values["path"] + "x"
    elif target == 2:
        changed["headers"] = [(n, v + "x" if n.lower() == "x-amz-meta-a" else v) for n, v in values["headers"]]
    else:
        changed["query"] = (values["query"] + "&" if values["query"] else "") + "more=1"
    assert fault(changed) in {AuthenticationFault.MISMATCH, AuthenticationFault.PAYLOAD_MISMATCH}
    assert fault(values, secret=SECRET + "x") is AuthenticationFault.MISMATCH


@given(bit=st.integers(0, 255))
def test_any_flipped_bit_of_the_signature_refuses(bit: int) -> None:
    """A signature with one bit changed proves nothing."""
    values = signed(SigV4Auth(KEYS, "iam", "us-east-1"), "POST", "https://host.example/", b"Action=ListUsers")
    claims = sigv4.parse(query="", headers=values["headers"])
    assert claims is not None
    changed = f"{int(claims.signature, 16) ^ (1 << bit):064x}"
    values["headers"] = [(n, v.replace(claims.signature, changed)) for n, v in values["headers"]]
    assert fault(values) is AuthenticationFault.MISMATCH


@pytest.mark.parametrize(
    ("service", "offset", "expected"),
    [
        ("sts", dt.timedelta(minutes=14, seconds=50), None),
        ("sts", dt.timedelta(minutes=15, seconds=5), AuthenticationFault.EXPIRED_SIGNATURE),
        ("sts", -dt.timedelta(minutes=4, seconds=50), None),
        ("sts", -dt.timedelta(minutes=5, seconds=5), AuthenticationFault.NOT_YET_CURRENT),
        ("s3", -dt.timedelta(minutes=14, seconds=50), None),
        ("s3", -dt.timedelta(minutes=15, seconds=5), AuthenticationFault.NOT_YET_CURRENT),
        ("s3", dt.timedelta(minutes=15, seconds=5), AuthenticationFault.EXPIRED_SIGNATURE),
    ],
)
def test_date_window(service: str, offset: dt.timedelta, expected: AuthenticationFault | None) -> None:
    """A signature counts for 15 minutes after its date, and a little before it."""
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(KEYS, service, "us-east-1")
    values = signed(auth, "GET", "https://host.example/")
    now = dt.datetime.now(dt.UTC) + offset
    if expected is None:
        verify(values, now=now)
    else:
        assert fault(values, now=now) is expected


@pytest.mark.parametrize(
    ("service", "expires", "age", "expected"),
    [
        ("sts", 60, 14 * 60, None),
        ("sts", 604800, 16 * 60, AuthenticationFault.EXPIRED_SIGNATURE),
        ("s3", 60, 50, None),
        ("s3", 60, 61, AuthenticationFault.EXPIRED_PRESIGNED),
        ("s3", 604800, 604_000, None),
        ("s3", 0, 0, AuthenticationFault.INVALID_EXPIRES),
        ("s3", 604801, 0, AuthenticationFault.INVALID_EXPIRES),
        ("s3", -1, 0, AuthenticationFault.INVALID_EXPIRES),
    ],
)
def test_presigned_life(service: str, expires: int, age: int, expected: AuthenticationFault | None) -> None:
    """Presigned S3 lives for X-Amz-Expires (1..604800 s), presigned STS for 15 minutes whatever it says."""
    auth = (S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth)(KEYS, service, "us-east-1", expires=expires)
    values = signed(auth, "GET", "https://host.example/")
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=age)
    if expected is None:
        verify(values, now=now)
    else:
        assert fault(values, now=now) is expected


def test_every_sent_amz_header_must_be_signed() -> None:
    """An x-amz-* header that the signature does not cover refuses the request."""
    values = signed(SigV4Auth(KEYS, "sts", "us-east-1"), "GET", "https://host.example/")
    values["headers"].append(("X-Amz-Target", "other"))
    assert fault(values) is AuthenticationFault.UNSIGNED_HEADERS


def test_host_must_be_signed() -> None:
    """A signature that leaves the host open could be replayed elsewhere, so it is refused."""
    values = signed(SigV4Auth(KEYS, "sts", "us-east-1"), "GET", "https://host.example/")
    values["headers"] = [(n, v.replace("SignedHeaders=host;", "SignedHeaders=")) for n, v in values["headers"]]
    assert fault(values) is AuthenticationFault.UNSIGNED_HEADERS


@pytest.mark.parametrize(
    "addition",
    ["X-Amz-Credential=x", "x-amz-credential=x", "X-AMZ-SIGNATURE=0", "x-amz-date=1", "x-amz-security-token=a"],
)
def test_authentication_parameters_are_given_once(addition: str) -> None:
    """A presigned query with an authentication parameter twice, or in another spelling, is refused."""
    values = signed(SigV4QueryAuth(KEYS, "sts", "us-east-1"), "GET", "https://host.example/?Action=GetCallerIdentity")
    with pytest.raises(RequestNotAuthenticated) as caught:
        sigv4.parse(query=values["query"] + "&" + addition, headers=values["headers"])
    assert caught.value.kind is AuthenticationFault.INCOMPLETE


def test_header_and_query_signature_together_are_refused() -> None:
    """A request carries one signature."""
    values = signed(SigV4QueryAuth(KEYS, "sts", "us-east-1"), "GET", "https://host.example/")
    with pytest.raises(RequestNotAuthenticated, match="one signature"):
        sigv4.parse(query=values["query"], headers=[*values["headers"], ("Authorization", "AWS4-HMAC-SHA256 x")])


def test_unsigned_is_none() -> None:
    """A request without any signature is unsigned, which is not an error here."""
    assert sigv4.parse(query="list-type=2", headers=[("host", "h")]) is None


@pytest.mark.parametrize(
    ("authorization", "kind"),
    [
        ("Bearer abc", AuthenticationFault.UNSUPPORTED),
        ("AWS AKIAIOSFODNN7EXAMPLE:sig", AuthenticationFault.UNSUPPORTED),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", AuthenticationFault.UNSUPPORTED),
        ("AWS4-HMAC-SHA256", AuthenticationFault.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=AKIA/20260101/r/s/aws4_request, SignedHeaders=host", AuthenticationFault.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=AKIA/20260101/r/s, SignedHeaders=host, Signature=" + "0" * 64, AuthenticationFault.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=AKIA/20260101/r/s/aws4_request, SignedHeaders=host, Signature=zz", AuthenticationFault.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=AKIA/20260101/r/s/aws4_request, SignedHeaders=host;host, Signature=" + "0" * 64, AuthenticationFault.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=A/1/r/s/aws4_request, Credential=A/1/r/s/aws4_request, SignedHeaders=host, Signature=" + "0" * 64, AuthenticationFault.INCOMPLETE),
    ],
)  # fmt: skip
def test_malformed_authorization_is_refused(authorization: str, kind: AuthenticationFault) -> None:
    """An Authorization header that is not exactly Signature Version 4's is refused by what is wrong with it."""
    with pytest.raises(RequestNotAuthenticated) as caught:
        sigv4.parse(query="", headers=[("authorization", authorization), ("x-amz-date", "20260101T000000Z")])
    assert caught.value.kind is kind


def test_scope_must_name_the_service_and_region_asked() -> None:
    """A signature for another service or region does not count here."""
    values = signed(SigV4Auth(KEYS, "sts", "eu-west-1"), "GET", "https://host.example/")
    claims = sigv4.parse(query="", headers=values["headers"])
    assert claims is not None
    for service, region in (("iam", ""), ("", "us-east-1")):
        with pytest.raises(RequestNotAuthenticated) as caught:
            sigv4.verify(claims, SECRET, now=dt.datetime.now(dt.UTC), service=service, region=region, **values)
        assert caught.value.kind is AuthenticationFault.WRONG_SCOPE


def test_payload_hash_header_must_be_the_bodys() -> None:
    """A stated payload hash that is not the body's is refused; only S3 may state none."""
    for service, stated in (("sts", "UNSIGNED-PAYLOAD"), ("sts", "0" * 64), ("s3", "0" * 64)):
        values = signed(
            SigV4Auth(KEYS, service, "r"), "PUT", "https://host.example/b", b"x", {"X-Amz-Content-SHA256": stated}
        )
        assert fault(values) is AuthenticationFault.PAYLOAD_MISMATCH
    values = signed(
        SigV4Auth(KEYS, "s3", "r"), "PUT", "https://host.example/b", b"x", {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    )
    assert not verify(values).signed
    values = signed(SigV4Auth(KEYS, "s3", "r"), "PUT", "https://host.example/b", b"x")
    assert fault(values) is AuthenticationFault.MALFORMED_PAYLOAD


def test_an_unescaped_colon_in_the_path_counts_as_the_same_path() -> None:
    """A client that sends `:` bare signs one spelling, one that escapes it another: both prove the path they sent."""
    for path in ("/tags/arn:aws:eks:x", "/tags/arn%3Aaws%3Aeks%3Ax"):
        verify(signed(SigV4Auth(KEYS, "eks", "r"), "GET", "https://host.example" + path))


def test_signed_percent_is_not_another_path() -> None:
    """A signature over `/a%2Fb` proves nothing about `/a%252Fb`."""
    values = signed(SigV4Auth(KEYS, "eks", "r"), "GET", "https://host.example/a%2Fb")
    values["path"] = "/a%2Fb"
    assert fault(values) is AuthenticationFault.MISMATCH


def test_two_host_headers_with_two_values_refuse() -> None:
    """Two differing hosts cannot both be the one that was signed."""
    values = signed(SigV4Auth(KEYS, "sts", "r"), "GET", "https://host.example/")
    values["headers"].append(("Host", "other.example"))
    assert fault(values) is AuthenticationFault.MISMATCH


def test_secrets_stay_out_of_repr() -> None:
    """Neither keys nor signatures show when a value is printed."""
    values = signed(SigV4Auth(SESSION, "sts", "r"), "GET", "https://host.example/")
    claims = sigv4.parse(query="", headers=values["headers"])
    assert claims is not None
    shown = repr(claims) + repr(sigv4.Credentials("AKIA", SECRET, "token-secret"))
    assert claims.signature not in shown
    assert SECRET not in shown
    assert "token-secret" not in shown


def test_empty_body_hash_is_the_hash_of_nothing() -> None:
    """The constant for an empty payload is SHA-256 of nothing."""
    from iambridge.core.sigv4.canonical import EMPTY_SHA256

    assert hashlib.sha256(b"").hexdigest() == EMPTY_SHA256


def header_signed(**changes: str) -> dict[str, Any]:
    """A good STS request with some headers changed, or left out when empty."""
    values = signed(SigV4Auth(KEYS, "sts", "us-east-1"), "GET", "https://sts.amazonaws.com/")
    headers = {name.lower(): value for name, value in values["headers"]} | changes
    return {**values, "headers": [(name, value) for name, value in headers.items() if value]}


def test_a_date_header_stands_in_for_x_amz_date() -> None:
    """In the format of RFC 9110 and in GMT, or in ISO 8601; the signature is over the same moment."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    for date in (now.strftime("%a, %d %b %Y %H:%M:%S GMT"), stamp):
        keys = sigv4.Credentials(KEYS.access_key, SECRET)
        added = sigv4.sign(
            keys, method="GET", url="https://sts.amazonaws.com/", region="us-east-1", service="sts", headers={}, body=b"", now=now
        )  # fmt: skip
        claims = sigv4.parse(query="", headers=[("date", date), ("authorization", added["authorization"])])
        assert claims is not None
        assert (claims.timestamp, claims.date) == (stamp, now)


@pytest.mark.parametrize(
    "changes",
    [
        {"x-amz-date": ""}, {"x-amz-date": "", "date": "Tue, 24 Nov 2026 10:00:00 +0100"}, {"x-amz-date": "", "date": "yesterday"},
        {"x-amz-date": "20261340T000000Z"}, {"x-amz-date": "2026-11-24T00:00:00Z"},
    ],
)  # fmt: skip
def test_a_date_that_is_none_is_incomplete(changes: dict[str, str]) -> None:
    """No date, one not in GMT, one that no calendar has, or one in another form."""
    assert fault(header_signed(**changes)) is AuthenticationFault.INCOMPLETE


def test_what_may_be_said_once_is_refused_twice() -> None:
    """Two Authorization headers, two dates, two session tokens, two different payload hashes."""
    values = header_signed()
    for name in ("authorization", "x-amz-date", "x-amz-security-token"):
        value = dict(values["headers"]).get(name, "token")
        twice = {
            **values,
            "headers": [*values["headers"], (name, value), *([(name, value)] if name.endswith("token") else [])],
        }
        assert fault(twice) is AuthenticationFault.INCOMPLETE
    hashes = [("x-amz-content-sha256", "0" * 64), ("x-amz-content-sha256", "1" * 64)]
    signed_hashes = [
        (name, value.replace("SignedHeaders=", "SignedHeaders=").replace("host;", "host;x-amz-content-sha256;"))
        for name, value in values["headers"]
    ]
    assert fault({**values, "headers": [*signed_hashes, *hashes]}) is AuthenticationFault.PAYLOAD_MISMATCH


def test_a_presigned_url_that_lacks_a_parameter_or_names_another_algorithm_is_refused() -> None:
    """Each parameter is needed, spelled as AWS spells it; SigV4A is another algorithm."""
    url = signed(SigV4QueryAuth(KEYS, "sts", "us-east-1"), "GET", "https://sts.amazonaws.com/?Action=GetCallerIdentity")
    for part in url["query"].split("&"):
        name = part.partition("=")[0]
        if name.startswith("X-Amz-") and name != "X-Amz-Expires":
            without = "&".join(one for one in url["query"].split("&") if one != part)
            assert fault({**url, "query": without}) is AuthenticationFault.INCOMPLETE
            assert fault({**url, "query": url["query"].replace(name, name.lower())}) is AuthenticationFault.INCOMPLETE
    # not needed but on S3, and signed like any other
    endless = "&".join(part for part in url["query"].split("&") if not part.startswith("X-Amz-Expires="))
    assert fault({**url, "query": endless}) is AuthenticationFault.MISMATCH
    other = url["query"].replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
    assert fault({**url, "query": other}) is AuthenticationFault.UNSUPPORTED
    no_number = url["query"].replace("X-Amz-Expires=3600", "X-Amz-Expires=an+hour")
    assert fault({**url, "query": no_number}) is AuthenticationFault.INVALID_EXPIRES


def test_the_scopes_date_is_the_requests_date() -> None:
    """A credential scope of another day is refused before anything is computed."""
    values = header_signed()
    date = dict(values["headers"])["x-amz-date"][:8]
    headers = [(name, value.replace(f"/{date}/", "/20200101/")) for name, value in values["headers"]]
    assert fault({**values, "headers": headers}) is AuthenticationFault.WRONG_SCOPE


def test_a_signed_header_that_was_not_sent_does_not_match() -> None:
    """SignedHeaders may name only what came."""
    values = header_signed()
    headers = [
        (name, value.replace("SignedHeaders=host", "SignedHeaders=accept;host")) for name, value in values["headers"]
    ]
    assert fault({**values, "headers": headers}) is AuthenticationFault.MISMATCH


def test_s3_needs_the_payloads_hash_in_a_header() -> None:
    """Without x-amz-content-sha256 a header-signed S3 request is refused, and so is a streaming form that is none."""
    values = signed(S3SigV4Auth(KEYS, "s3", "us-east-1"), "PUT", "https://s3.amazonaws.com/b/k", b"body")
    bare = [
        (name, value.replace("x-amz-content-sha256;", "")) for name, value in values["headers"] if name.lower() != "x-amz-content-sha256"
    ]  # fmt: skip
    assert fault({**values, "headers": bare}) is AuthenticationFault.MALFORMED_PAYLOAD
    stream = [
        (name, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD" if name.lower() == "x-amz-content-sha256" else value)
        for name, value in values["headers"]
    ]
    assert fault({**values, "headers": stream}) is AuthenticationFault.MALFORMED_PAYLOAD


@pytest.mark.parametrize(
    ("path", "canonical"),
    [("/../a", "/a"), ("/a/../b", "/b"), ("/a/./b/", "/a/b/"), ("//a//b", "/a/b"), ("/..", "/"), ("/a/..", "/")],
)
def test_paths_are_normalised_but_for_s3(path: str, canonical: str) -> None:
    """RFC 3986 section 5.2.4; S3 takes a key as it is spelled."""
    from iambridge.core.sigv4.canonical import canonical_paths

    assert canonical_paths(path, s3=False)[0] == canonical
    assert canonical_paths(path, s3=True) == (path,)


def test_an_empty_part_of_a_query_means_nothing() -> None:
    """`&&` is no parameter."""
    values = signed(
        SigV4QueryAuth(KEYS, "sts", "us-east-1"), "GET", "https://sts.amazonaws.com/?Action=GetCallerIdentity"
    )
    verify({**values, "query": f"&{values['query']}&&"})


def test_white_space_in_a_header_counts_once() -> None:
    """Trimmed, and runs of it made one space, in one value and in several."""
    from iambridge.core.sigv4.canonical import by_name, canonical_headers

    sent = by_name([("X-A", "  a   b\t c "), ("x-b", "1"), ("X-B", " 2  3 "), ("Host", "h"), ("host", "h")])
    assert canonical_headers(sent, ("host", "x-a", "x-b")) == "host:h\nx-a:a b c\nx-b:1,2 3\n"
    assert canonical_headers(sent, ("x-c",)) is None
