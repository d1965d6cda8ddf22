import contextlib
import datetime as dt
from urllib.parse import unquote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from iambridge.core import sigv4
from iambridge.errors import RequestNotAuthenticated

KEYS = sigv4.Credentials("ASIAIOSFODNN7EXAMPLE", "secret", "token/+=")
URL = "https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"


def test_presigned_caller_identity_equals_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our presigned URL is the one that botocore makes, parameter for parameter."""
    now = dt.datetime(2026, 11, 24, 0, 30, 12, tzinfo=dt.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now.replace(tzinfo=None))
    request = AWSRequest(method="GET", url=URL, headers={"x-k8s-aws-id": "demo"})
    SigV4QueryAuth(BotocoreCredentials("ASIAIOSFODNN7EXAMPLE", "secret", "token/+="), "sts", "us-west-2", 60).add_auth(
        request
    )
    ours = sigv4.presign(
        KEYS,
        method="GET",
        url=URL,
        region="us-west-2",
        service="sts",
        headers={"x-k8s-aws-id": "demo"},
        expires=60,
        now=now,
    )
    assert sorted(urlsplit(ours).query.split("&")) == sorted(urlsplit(request.url).query.split("&"))


@pytest.mark.parametrize("path", ["/a//b/../c", "/tags/arn%3Aaws%3Aeks%3Ar%3A1%3Acluster%2Fx", "/c/arn%3Ax%2Fy%2Fz/p"])
def test_signed_headers_equal_botocores(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Our Authorization header is the one that botocore makes, and what it signs is proven by the decoded path."""
    now = dt.datetime(2026, 11, 24, 0, 30, 12, tzinfo=dt.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now.replace(tzinfo=None))
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = AWSRequest(method="POST", url=f"https://host.example:4566{path}", data=body, headers=headers)
    SigV4Auth(BotocoreCredentials("ASIAIOSFODNN7EXAMPLE", "secret", "token/+="), "sts", "us-west-2").add_auth(request)
    ours = sigv4.sign(
        KEYS, method="POST", url=f"https://host.example:4566{path}", region="us-west-2", service="sts", headers=headers,
        body=body, now=now,
    )  # fmt: skip
    assert ours["authorization"] == request.headers["Authorization"]
    sent = [("host", "host.example:4566"), *headers.items(), *ours.items()]
    claims = sigv4.parse(query="", headers=sent)
    assert claims is not None
    for served, proven in ((unquote(path), True), (unquote(path) + "x", False)):
        verdict = contextlib.nullcontext() if proven else pytest.raises(RequestNotAuthenticated)
        with verdict:
            sigv4.verify(claims, "secret", method="POST", path=served, query="", headers=sent, body=body, now=now)


@pytest.mark.parametrize("service", ["sts", "s3"])
def test_sign_then_verify(service: str) -> None:
    """What sign adds, verify proves; default ports are left out of the host, as HTTP clients do."""
    now = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    url = "https://host.example:443/a%20b/c?x=1&x=0&y"
    added = sigv4.sign(
        KEYS, method="PUT", url=url, region="r", service=service, headers={"a": "1"}, body=b"hi", now=now
    )
    headers = [("host", "host.example"), ("a", "1"), *added.items()]
    parts = urlsplit(url)
    claims = sigv4.parse(query=parts.query, headers=headers)
    assert claims is not None
    proved = sigv4.verify(
        claims,
        "secret",
        method="PUT",
        path=unquote(parts.path),
        query=parts.query,
        headers=headers,
        body=b"hi",
        now=now,
    )
    assert proved.content == b"hi"
