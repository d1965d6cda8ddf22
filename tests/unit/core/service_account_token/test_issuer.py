import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.service_account_token import (
    SigningKey,
    VerificationKey,
    discovery_document,
    jwks,
    parse_discovery_document,
    parse_jwks,
    read_jwks,
)
from iambridge.errors import InvalidIdentityToken

RSA, EC = SigningKey.generate("RS256"), SigningKey.generate("ES256")
GOOD: dict[str, Any] = jwks([RSA.public])["keys"][0]
SMALL = jwks([VerificationKey("", "", rsa.generate_private_key(65537, 1024).public_key())])["keys"][0]["n"]
ISSUER = "https://issuer.example/cluster"


def test_published_keys_are_read_back() -> None:
    """A JWKS holds use, kty, kid and alg of each key, and parses to the same keys."""
    document = jwks([RSA.public, EC.public])
    assert [sorted(key) for key in document["keys"]] == [
        ["alg", "e", "kid", "kty", "n", "use"],
        ["alg", "crv", "kid", "kty", "use", "x", "y"],
    ]
    assert [(key.kid, key.alg) for key in parse_jwks(json.dumps(document).encode())] == [
        (RSA.kid, "RS256"),
        (EC.kid, "ES256"),
    ]


def test_a_signing_key_survives_pem() -> None:
    """A key's id and algorithm follow from the key alone."""
    for key in (RSA, EC):
        again = SigningKey.from_pem(key.to_pem())
        assert (again.kid, again.alg) == (key.kid, key.alg)
        assert "PRIVATE" not in repr(again)


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "OKP"}, {"kty": 1}, {"use": "enc"}, {"alg": "HS256"}, {"alg": "none"}, {"alg": "ES256"},
        {"alg": 1}, {"kid": 1}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"n": "AQAB"}, {"n": 5}, {"n": "*"}, {"n": "A" * 4000},
        {"e": "Ag"}, {"e": ""}, {"kty": "EC"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "alg": "ES256", "x": "A" * 43, "y": "A" * 43},
    ],
)  # fmt: skip
def test_keys_that_must_not_verify_are_left_out(changes: dict[str, Any]) -> None:
    """A key of another type, use or algorithm, or a broken one, verifies nothing and spoils no other."""
    found = read_jwks({"keys": [{**GOOD, **changes}, jwks([EC.public])["keys"][0]]})
    assert [key.kid for key in found.keys] == [EC.kid]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"use": "enc"}, "its `use` or `key_ops` is not to verify signatures"),
        ({"n": GOOD["n"] + "="}, "its `n` is unreadable: not base64url without padding"),
        ({"n": None}, "its `n` is not a base64url number of a sensible size"),
        ({"n": SMALL}, "an RSA key has 2048 to 8192 bits and algorithm RS256, RS384 or RS512"),
        ({"alg": "PS256"}, "an RSA key has 2048 to 8192 bits and algorithm RS256, RS384 or RS512"),
        ({"alg": 5}, "its `alg` is not a string"),
        ({"kty": "OKP"}, "its `kty` is neither RSA nor EC"),
        ({"kty": "EC", "crv": "secp256k1"}, "its `crv` is none of P-256, P-384, P-521"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "its `x` and `y` have not 32 bytes each"),
    ],
)
def test_why_a_key_is_left_out_is_told_by_its_id(changes: dict[str, Any], why: str) -> None:
    """Whoever looks for the key of that id learns what is wrong with it; one usable key of the same id is enough."""
    assert read_jwks({"keys": [{**GOOD, **changes}]}).left_out == {RSA.kid: why}
    assert read_jwks({"keys": [{**GOOD, **changes}, GOOD]}).left_out == {}


def test_a_key_without_kid_is_left_out_and_one_with_an_empty_kid_is_not() -> None:
    """As STS does: aws/amazon-eks-pod-identity-webhook issue 12."""
    bare = {name: value for name, value in GOOD.items() if name != "kid"}
    assert read_jwks({"keys": [bare]}).left_out == {"": "it has no `kid`, or one that is not a string"}
    assert [key.kid for key in parse_jwks({"keys": [{**bare, "kid": ""}]})] == [""]
    beside = read_jwks({"keys": [bare, GOOD]})
    assert ([key.kid for key in beside.keys], beside.left_out) == ([RSA.kid], {})


@pytest.mark.parametrize(
    "document",
    [
        b"", b"[]", b"{}", b'{"keys":1}', b'{"keys":["x"]}', b'{"keys":[],"keys":[]}', b"[" * 100_000, b" " * 600_000,
        json.dumps({"keys": [GOOD] * 101}).encode(), json.dumps({"keys": [GOOD] * 1000}).encode(),
    ],
    ids=range(10),
)  # fmt: skip
def test_unusable_key_sets_are_refused(document: bytes) -> None:
    """What is no key set, too large, or over 100 keys of a type is refused in AWS's words."""
    with pytest.raises(InvalidIdentityToken, match="Couldn't retrieve verification key"):
        parse_jwks(document)


@given(
    st.binary(max_size=80)
    | st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["keys", "kty", "n", "e", "crv"]), x),
    ).map(lambda v: json.dumps(v).encode())
)
def test_garbage_is_refused_or_empty(document: bytes) -> None:
    """Any bytes give keys or AWS's error."""
    with contextlib.suppress(InvalidIdentityToken):
        assert parse_jwks(document) == ()


def test_discovery_document_is_kubernetes_own() -> None:
    """The document has kube-apiserver's five members, and names its keys."""
    document = discovery_document(ISSUER, ISSUER + "/openid/v1/jwks", ["RS256", "ES256", "RS256"])
    assert document == {
        "issuer": ISSUER,
        "jwks_uri": ISSUER + "/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    }
    assert parse_discovery_document(json.dumps(document).encode(), ISSUER) == ISSUER + "/openid/v1/jwks"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ISSUER + "/"}, {"issuer": None}, {"jwks_uri": None}, {"jwks_uri": "http://issuer.example/k"}, {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user@issuer.example/k"}, {"jwks_uri": "https://issuer.example/k#x"}, {"jwks_uri": "https:///k"},
        {"jwks_uri": "https://issuer.example/a b"}, {"jwks_uri": "https://issuer.example\\@evil.example/"}, {"jwks_uri": "https://x:99999/"},
        {"jwks_uri": "HTTPS//x"}, {"jwks_uri": "https://ex\u00e4mple/"},
    ],
)  # fmt: skip
def test_discovery_documents_that_lead_elsewhere_are_refused(changes: dict[str, Any]) -> None:
    """Another issuer's document, and key addresses that are not plain https, are not followed."""
    document = {**discovery_document(ISSUER, ISSUER + "/k", ["RS256"]), **changes}
    with pytest.raises(InvalidIdentityToken):
        parse_discovery_document(json.dumps(document).encode(), ISSUER)
