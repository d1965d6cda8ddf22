"""Tokens are made by our own presigner and by botocore's, then bent one way at a time."""

import base64
import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core import sigv4
from iambridge.core.authenticator_token import HostRules, PresignedCallerIdentity, admissible, encode, still_admissible
from iambridge.core.decision import Reason

NOW = dt.datetime(2026, 11, 24, 0, 30, 12, tzinfo=dt.UTC)
HOSTS = HostRules.of("aws", extra=["127.0.0.1:4566"])
URL = sigv4.presign(
    sigv4.Credentials("ASIAIOSFODNN7EXAMPLE", "secret", "to/k+en=="),
    method="GET",
    url="https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
    region="eu-west-1",
    service="sts",
    headers={"x-k8s-aws-id": "demo"},
    expires=60,
    now=NOW,
)


def judged(url: str, now: dt.datetime = NOW, hosts: HostRules = HOSTS) -> PresignedCallerIdentity | Reason:
    return admissible(encode(url), now=now, hosts=hosts)


def refused(token: str, now: dt.datetime = NOW) -> str:
    found = admissible(token, now=now, hosts=HOSTS)
    assert isinstance(found, Reason)
    assert not found.held
    return found.code


def test_the_call_is_rebuilt_from_validated_fields() -> None:
    """An admissible token's call is the same call, spelled by us, with the cluster id that the server adds."""
    found = judged(URL)
    assert isinstance(found, PresignedCallerIdentity)
    assert parse_qs(urlsplit(found.url).query) == parse_qs(urlsplit(URL).query)
    assert found.url.startswith("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&")
    assert found.headers("demo") == {"x-k8s-aws-id": "demo", "accept": "application/json"}
    assert (found.access_key_id, found.region, found.expires) == ("ASIAIOSFODNN7EXAMPLE", "eu-west-1", 60)
    assert found.expires_at == NOW + dt.timedelta(minutes=15)


def test_botocores_token_is_admissible() -> None:
    """What `aws eks get-token` makes is admissible."""
    url = "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest(method="GET", url=url, headers={"x-k8s-aws-id": "demo"})
    SigV4QueryAuth(BotocoreCredentials("AKIAIOSFODNN7EXAMPLE", "secret"), "sts", "us-east-1", 60).add_auth(request)
    assert isinstance(judged(request.url, dt.datetime.now(dt.UTC)), PresignedCallerIdentity)


@pytest.mark.parametrize(
    ("bent", "code"),
    [
        (lambda t: t + "A" * 4096, "token-too-large"),
        (lambda t: t.replace("v1", "V1"), "token-prefix"),
        (lambda t: t.removeprefix("k8s-aws-v1."), "token-prefix"),
        (lambda t: t + "=", "token-encoding"),
        (lambda t: t[:40] + "\r\n" + t[40:], "token-encoding"),
        (lambda t: t[:40] + "+" + t[41:], "token-encoding"),
        (lambda t: encode("x")[:-1] + chr(ord(encode("x")[-1]) + 1), "token-encoding"),
        (lambda t: encode("https://ü"), "token-url"),
        (lambda t: encode("https://a b/"), "token-url"),
        (lambda t: encode("https://[::1"), "token-url"),
    ],
)  # fmt: skip
def test_one_spelling_only(bent: object, code: str) -> None:
    """The token's text has one spelling: size, prefix, alphabet, padding and stray bits are exact."""
    assert callable(bent)
    assert refused(bent(encode(URL))) == code


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("https://", "http://", "token-scheme"),
        ("https://", "HTTPS://", "token-scheme"),
        ("https://", "https://user@", "token-url"),
        ("https://", "https://user:secret@", "token-url"),
        ("X-Amz-Signature", "x#X-Amz-Signature", "token-url"),
        ("sts.eu-west-1", "sts.not-a-region", "token-host"),
        ("sts.eu-west-1", "sts.s3", "token-host"),
        ("sts.eu-west-1", "STS.eu-west-1", "token-host"),
        ("amazonaws.com/", "amazonaws.com:443/", "token-host"),
        ("amazonaws.com/", "amazonaws.com.evil.example/", "token-host"),
        ("amazonaws.com/", "amazonaws.com./", "token-host"),
        ("amazonaws.com/?", "amazonaws.com?", "token-path"),
        ("amazonaws.com/?", "amazonaws.com//?", "token-path"),
        ("amazonaws.com/?", "amazonaws.com/x?", "token-path"),
        ("Action=GetCallerIdentity", "Action=GetSessionToken", "query-value"),
        ("Action=GetCallerIdentity", "Action=getcalleridentity", "query-value"),
        ("Action=GetCallerIdentity", "Action=", "query-missing"),
        ("Action=", "action=", "query-unknown"),
        ("Action=", "%41ction=", "query-unknown"),
        ("&Version=", "&Action=GetCallerIdentity&Version=", "query-duplicate"),
        ("&Version=", "&action=AssumeRole&Version=", "query-duplicate"),
        ("&X-Amz-Date", "&x-amz-credential=AKIAX&X-Amz-Date", "query-duplicate"),
        ("Version=2011-06-15", "Version=2010-01-01", "query-value"),
        ("&Version=2011-06-15", "", "query-missing"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "query-value"),
        ("&X-Amz-Date", "&Extra=1&X-Amz-Date", "query-unknown"),
        ("&X-Amz-Date", "&&X-Amz-Date", "query-malformed"),
        ("&X-Amz-Date", "&x;y=1&X-Amz-Date", "query-malformed"),
        ("X-Amz-Expires=60", "X-Amz-Expires=%zz", "query-malformed"),
        ("X-Amz-Expires=60", "X-Amz-Expires=%ff", "query-malformed"),
        ("host%3Bx-k8s-aws-id", "host", "cluster-id-unsigned"),
        ("host%3Bx-k8s-aws-id", "x-k8s-aws-id", "signed-headers"),
        ("host%3Bx-k8s-aws-id", "accept%3Bhost%3Bx-k8s-aws-id", "signed-headers"),
        *((f"X-Amz-Expires={60}", f"X-Amz-Expires={bad}", "expires-range") for bad in ("901", "-1", "%2B60", "060", "6e1", "60.0", "%2060", "0x3c", "9999")),
        ("20261124T003012Z&", "20261124T003012.5Z&", "date-malformed"),
        ("20261124T003012Z&", "2026-11-24T00:30:12Z&", "date-malformed"),
        ("20261124T003012Z&", "20261340T003012Z&", "date-malformed"),
        ("20261124T003012Z&", "20261123T235959Z&", "credential-date"),
        ("sts%2Faws4_request", "s3%2Faws4_request", "credential-malformed"),
        ("ASIAIOSFODNN7EXAMPLE%2F", "%2F", "credential-malformed"),
        ("to%2Fk%2Ben", "to%0Aken", "session-token-malformed"),
        ("to%2Fk%2Ben", "to+ken", "session-token-malformed"),
        ("X-Amz-Signature=", "X-Amz-Signature=0", "signature-malformed"),
    ],
)  # fmt: skip
def test_every_part_of_the_url_is_exact(old: str, new: str, code: str) -> None:
    """A change of scheme, host, path, a name or a value is refused by the check that owns it."""
    assert old in URL
    assert refused(encode(URL.replace(old, new, 1))) == code


@pytest.mark.parametrize(
    ("age", "code"),
    [
        (dt.timedelta(minutes=15), ""),
        (dt.timedelta(minutes=15, seconds=1), "token-expired"),
        (-dt.timedelta(minutes=5), ""),
        (-dt.timedelta(minutes=5, seconds=1), "token-not-yet-current"),
    ],
)
def test_a_token_lives_15_minutes_from_its_date(age: dt.timedelta, code: str) -> None:
    """X-Amz-Date and the clock bound the token's life, whatever X-Amz-Expires says."""
    found = judged(URL, NOW + age)
    assert (found.code if isinstance(found, Reason) else "") == code


def test_operators_host_is_allowed_with_its_port_only() -> None:
    """An extra host counts with the port it was given with, and no other."""
    own = URL.replace("sts.eu-west-1.amazonaws.com", "127.0.0.1:4566")
    assert isinstance(judged(own), PresignedCallerIdentity)
    assert isinstance(judged(own.replace(":4566", ":4567")), Reason)
    assert isinstance(judged(own, hosts=HostRules.of("aws")), Reason)
    assert isinstance(judged(URL, hosts=HostRules.only(["127.0.0.1:4566"])), Reason)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_garbage_is_a_refusal(text: str) -> None:
    """Any text is judged, none raises."""
    assert isinstance(admissible("k8s-aws-v1." + text, now=NOW, hosts=HOSTS), Reason)
    assert isinstance(judged("https://sts.amazonaws.com/?" + text), Reason)


def test_secrets_stay_out_of_repr_and_reasons() -> None:
    """Neither session token nor signature shows when a value or a refusal is printed."""
    found = judged(URL)
    assert isinstance(found, PresignedCallerIdentity)
    late = judged(URL, NOW + dt.timedelta(hours=1))
    for shown in (repr(found), repr(late)):
        assert found.signature not in shown
        assert found.session_token not in shown


def test_an_operators_own_host_may_be_spelled_in_any_way_that_a_url_allows() -> None:
    """Whatever host is allowed by its exact spelling is called so, an IPv6 address too."""
    url = URL.replace("sts.eu-west-1.amazonaws.com", "[::1]:4566")
    found = judged(url, hosts=HostRules.only(["[::1]:4566"]))
    assert isinstance(found, PresignedCallerIdentity)
    assert found.host == "[::1]:4566"
    assert found.url.startswith("https://[::1]:4566/?")


def test_a_url_without_a_query_is_no_call() -> None:
    assert refused(encode("https://sts.eu-west-1.amazonaws.com/")) == "query-malformed"


@pytest.mark.parametrize("seconds", [-3600, -301, -300, -60, 0, 1, 899, 900, 901, 3600])
def test_what_was_admissible_is_so_as_long_as_its_age_allows(seconds: int) -> None:
    """Asked again, the short question has the same answer as the whole reading of the token."""
    found = judged(URL)
    assert isinstance(found, PresignedCallerIdentity)
    now = NOW + dt.timedelta(seconds=seconds)
    assert still_admissible(found, now=now) is isinstance(judged(URL, now), PresignedCallerIdentity)
