"""The issuer publishes two documents and nothing else."""

import asyncio
import json

import pytest

from iambridge.core.service_account_token import SigningKey, UnverifiedToken, issue, parse_jwks, verify
from iambridge.sandbox.cluster.issuer import Issuer
from iambridge.wire.http import Request, Response

URL = "https://127.0.0.1:8443"
OLD, NEW = SigningKey.generate("ES256"), SigningKey.generate("RS256")
ISSUER = Issuer(URL, [NEW, OLD])


def _ask(path: str, method: str = "GET") -> Response:
    return asyncio.run(ISSUER.app(Request(method, path)))


def _json(path: str) -> dict[str, object]:
    body = _ask(path).body
    assert isinstance(body, bytes)
    document: dict[str, object] = json.loads(body)
    return document


def test_the_discovery_document_names_issuer_keys_and_algorithms() -> None:
    """`issuer` is the URL to the byte, and `jwks_uri` lies below it."""
    document = _json("/.well-known/openid-configuration")
    assert document["issuer"] == URL
    assert document["jwks_uri"] == f"{URL}/openid/v1/jwks"
    assert document["id_token_signing_alg_values_supported"] == ["ES256", "RS256"]


@pytest.mark.parametrize("key", [OLD, NEW])
def test_every_key_that_is_published_verifies(key: SigningKey) -> None:
    """During a rotation tokens of the old and of the new key are both good."""
    keys = parse_jwks(json.dumps(_json("/openid/v1/jwks")).encode())
    token = issue({"iss": URL, "sub": "s", "aud": ["a"], "iat": 1, "exp": 2}, key)
    assert verify(UnverifiedToken.parse(token), keys).issuer == URL


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/.well-known/openid-configuration", "application/json"),
        ("/openid/v1/jwks", "application/jwk-set+json"),
    ],
)
def test_documents_may_be_cached_for_an_hour(path: str, media_type: str) -> None:
    """Media type and Cache-Control are kube-apiserver's; HEAD has the same without a body."""
    expected = (("content-type", media_type), ("cache-control", "public, max-age=3600"))
    assert _ask(path).headers == expected
    head = _ask(path, "HEAD")
    assert (head.status, head.headers, head.body) == (200, expected, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/openid/v1/jwks/", 404), ("POST", "/openid/v1/jwks", 405), ("POST", "/api", 404)],
)
def test_nothing_else_is_served(method: str, path: str, status: int) -> None:
    """Any other path is 404 and any other method 405."""
    assert _ask(path, method).status == status
