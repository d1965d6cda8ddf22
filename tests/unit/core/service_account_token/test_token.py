"""PyJWT as the oracle for what we sign and verify; the forgery corpus as case files."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.core.service_account_token import (
    BoundObject,
    SigningKey,
    UnverifiedToken,
    VerificationKey,
    check_audience,
    check_times,
    issue,
    jwks,
    parse_jwks,
    projected_claims,
    verify,
)
from iambridge.core.service_account_token import token as token_module
from iambridge.errors import AwsError, ExpiredTokenException, InvalidIdentityToken

CASES = Path(__file__).parents[3] / "cases/tokens"
RSA, EC = SigningKey.generate("RS256"), SigningKey.generate("ES256")
NOW = 1_800_000_000
CLAIMS: dict[str, Any] = projected_claims(
    issuer="https://issuer.example", namespace="ns", service_account=BoundObject("sa", "u"), audiences=["sts.amazonaws.com"],
    now=NOW, seconds=600, jti="j", pod=BoundObject("p", "pu"), node=BoundObject("n", "nu"),
)  # fmt: skip


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def judged(token: str, keys: tuple[VerificationKey, ...] = (RSA.public, EC.public)) -> None:
    """Everything that STS asks of a token."""
    claims = verify(UnverifiedToken.parse(token), keys)
    check_times(claims, NOW)
    check_audience(claims, ("sts.amazonaws.com",))
    assert claims.issuer == "https://issuer.example"
    assert claims.subject == "system:serviceaccount:ns:sa"


def signed(header: str, payload: str, key: SigningKey = RSA) -> str:
    head, body = b64(header), b64(payload)
    return f"{head}.{body}.{b64(key.signature(f'{head}.{body}'.encode()))}"


@pytest.mark.parametrize("key", [RSA, EC], ids=lambda key: str(key.alg))
def test_pyjwt_verifies_what_we_issue(key: SigningKey) -> None:
    """PyJWT accepts our tokens with the key that our JWKS publishes."""
    token = issue(CLAIMS, key)
    published = jwt.PyJWKSet.from_dict(jwks([RSA.public, EC.public]))[key.kid]
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    assert (
        jwt.decode(token, published.key, algorithms=[key.alg], audience="sts.amazonaws.com", options=options) == CLAIMS
    )
    assert jwt.get_unverified_header(token) == {"alg": key.alg, "kid": key.kid}
    judged(token)


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_we_verify_what_pyjwt_signs(alg: str) -> None:
    """Each of the six algorithms verifies with a key of its own, and with no other."""
    curves: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    private: Any = RSA.key if alg.startswith("RS") else ec.generate_private_key(curves[alg])
    token = jwt.encode(CLAIMS, private, algorithm=alg, headers={"kid": "k"})
    own = VerificationKey.of(private.public_key(), kid="k", alg=alg)
    judged(token, parse_jwks(json.dumps(jwks([own])).encode()))
    others = [VerificationKey.of(rsa.generate_private_key(65537, 2048).public_key(), kid="k", alg="RS256")]
    if alg != "RS256" and alg.startswith("RS"):
        others.append(VerificationKey.of(RSA.key.public_key(), kid="k", alg="RS256"))
    for other in others:
        with pytest.raises(InvalidIdentityToken, match="could not be validated"):
            judged(token, (other,))


@given(position=st.integers(0), bit=st.integers(0, 6))
@settings(max_examples=200)
def test_no_changed_bit_is_accepted(position: int, bit: int) -> None:
    """A token with one bit changed anywhere is refused in AWS's words and no other way."""
    token = bytearray(TOKEN.encode())
    token[position % len(token)] ^= 1 << bit
    with pytest.raises(AwsError):
        judged(token.decode("latin-1"))


TOKEN = issue(CLAIMS, EC)


@given(st.text(max_size=60) | st.binary(max_size=60).map(b64))
def test_garbage_is_refused(text: str) -> None:
    """Whatever is sent as a token, or as a part of one, is refused without another exception."""
    head, body, _ = TOKEN.split(".")
    for token in (text, f"{text}.{body}.{text}", f"{head}.{text}.{text}", f"{head}.{body}.{text}"):
        with pytest.raises(InvalidIdentityToken):
            judged(token)


def corpus() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}-{case['name']}")
        for file in sorted(CASES.glob("*.json"))
        for case in json.loads(file.read_text())["cases"]
    ]


def forged(case: dict[str, Any]) -> str:
    """The token of a case: parts are texts, in which `$NAME` stands for a value of this run."""
    values = {
        "$KID": RSA.kid, "$EC_KID": EC.kid, "$NOW": str(NOW), "$EXP": str(NOW + 600), "$CLAIMS": json.dumps(CLAIMS),
        "$INNER": json.dumps(CLAIMS)[1:-1], "$PUBLIC_JWK": json.dumps(jwks([ATTACKER.public])["keys"][0]), "$ATTACKER_KID": ATTACKER.kid,
    }  # fmt: skip

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    header, payload = filled(case["header"]), filled(case.get("payload", "$CLAIMS"))
    head, body = b64(header), b64(payload)
    if case.get("twice"):
        head, body = b64(head), b64(body)
    text = f"{head}.{body}".encode()
    match case.get("sign", "issuer"):
        case "none":
            proof = b""
        case "hmac-public-pem":
            pem = RSA.key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            import hmac

            proof = hmac.digest(pem, text, "sha256")
        case "attacker":
            proof = ATTACKER.signature(text)
        case "issuer-ec":
            proof = EC.signature(text)
        case "zeros":
            proof = bytes(64)
        case _:
            proof = RSA.signature(text)
    return f"{case.get('prefix', '')}{head}.{body}.{b64(proof)}{case.get('suffix', '')}"


ATTACKER = SigningKey.generate("RS256")


@pytest.mark.parametrize("case", corpus())
def test_forgeries_are_refused(case: dict[str, Any]) -> None:
    """No token of the corpus is accepted, and none makes another exception than AWS's."""
    with pytest.raises(AwsError) as caught:
        judged(forged(case))
    assert caught.value.code == case.get("code", "InvalidIdentityToken")


def test_the_corpus_differs_from_a_good_token_by_its_fault_alone() -> None:
    """A token made as the corpus makes them, without a fault, is accepted: the refusals are not accidents."""
    judged(forged({"header": '{"alg":"RS256","kid":"$KID"}'}))
    judged(forged({"header": '{"alg":"ES256","kid":"$EC_KID","typ":"JWT"}', "sign": "issuer-ec"}))
    judged(
        forged({"header": '{"alg":"RS256","kid":"$KID","jku":"https://evil.example/","x5u":"https://evil.example/"}'})
    )


@pytest.mark.parametrize(
    ("changes", "now", "error"),
    [
        ({}, NOW + 599, None),
        ({}, NOW + 600, ExpiredTokenException),
        ({"nbf": NOW + 60}, NOW, None),
        ({"nbf": NOW + 61}, NOW, InvalidIdentityToken),
        ({"iat": NOW + 61}, NOW, InvalidIdentityToken),
        ({"exp": None}, NOW, InvalidIdentityToken),
        ({"iat": None}, NOW, InvalidIdentityToken),
    ],
)
def test_times(changes: dict[str, Any], now: int, error: type[AwsError] | None) -> None:
    """`exp` has no tolerance, `nbf` and `iat` have 60 seconds, and `exp` and `iat` must be there."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    proved = verify(UnverifiedToken.parse(issue(claims, EC)), [EC.public])
    if error is None:
        check_times(proved, now)
    else:
        with pytest.raises(error):
            check_times(proved, now)


def test_a_token_without_kid_needs_the_only_key() -> None:
    """Without a key id the only published key counts; with several, none does."""
    token = signed('{"alg":"RS256"}', json.dumps(CLAIMS))
    judged(token, (RSA.public,))
    with pytest.raises(InvalidIdentityToken):
        judged(token)


def test_a_key_id_that_is_not_published_is_a_key_that_could_not_be_retrieved() -> None:
    """STS's words for it, seen in aws/amazon-eks-pod-identity-webhook issue 12; a wrong signature has others."""
    with pytest.raises(InvalidIdentityToken, match="Couldn't retrieve verification key") as caught:
        judged(issue(CLAIMS, ATTACKER))
    assert "not among" in caught.value.cause
    with pytest.raises(InvalidIdentityToken, match="could not be validated"):
        judged(TOKEN.rpartition(".")[0] + "." + b64(bytes(256)))


def test_the_cause_tells_what_was_compared() -> None:
    """No key id among several keys, another algorithm than the key's, a wrong signature, and a line end after all."""
    unnamed = signed('{"alg":"RS256"}', json.dumps(CLAIMS))
    other = signed(json.dumps({"alg": "RS384", "kid": RSA.kid}), json.dumps(CLAIMS))
    for token, keys, cause in (
        (unnamed, (RSA.public, EC.public), "the token names no key id, and the issuer publishes 2 keys"),
        (unnamed, (), "the token names no key id, and the issuer publishes 0 keys"),
        (other, (RSA.public,), "the token is signed with `RS384`, and the issuer's key of that id is for `RS256`"),
        (
            other.replace(
                b64(json.dumps({"alg": "RS384", "kid": RSA.kid})), b64(json.dumps({"alg": "ES256", "kid": "x"}))
            ),
            (VerificationKey("x", "", RSA.public.key),),
            "the token is signed with `ES256`, and the issuer's key of that id is for `RS256, RS384 or RS512`",
        ),
        (
            issue(CLAIMS, RSA).rpartition(".")[0] + "." + b64(bytes(256)),
            (RSA.public,),
            "the signature does not fit the issuer's key of that id with `RS256`",
        ),
        (
            f"{TOKEN}\n",
            (RSA.public,),
            "a part of the token is unreadable: not base64url without padding, and there is white space around it",
        ),
    ):
        with pytest.raises(InvalidIdentityToken) as caught:
            judged(token, keys)
        assert caught.value.cause == cause


def test_refusals_never_repeat_the_token() -> None:
    """Neither message nor cause of a refusal holds a part of the token."""
    for token in (TOKEN + "x", "secret-material", TOKEN.replace(".", "..")):
        with pytest.raises(InvalidIdentityToken) as caught:
            judged(token)
        assert TOKEN.split(".")[1] not in caught.value.message + caught.value.cause
        assert "secret-material" not in caught.value.message + caught.value.cause
    parsed = UnverifiedToken.parse(TOKEN)
    assert TOKEN.split(".")[2] not in repr(parsed)
    shown = repr(verify(parsed, (RSA.public, EC.public)))
    assert "system:serviceaccount:ns:sa" in shown
    assert "kubernetes.io" not in shown


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.floats(), st.text(max_size=3), st.sampled_from([253402300799, 253402300800, "\x7f"]),
    st.lists(st.one_of(st.text(max_size=2), st.integers(), st.none()), max_size=3), st.dictionaries(st.text(max_size=1), st.integers()),
)  # fmt: skip
NAMES = st.sampled_from(["iss", "sub", "azp", "jti", "nonce", "exp", "nbf", "iat", "aud", "other"])


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_the_quick_look_at_claims_is_the_thorough_one(claims: dict[str, Any]) -> None:
    """What is passed at a glance is exactly what is found to be without fault one by one."""
    faultless = True
    try:
        token_module._refuse_claims(claims)
    except InvalidIdentityToken:
        faultless = False
    assert token_module._well_formed(claims) is faultless
