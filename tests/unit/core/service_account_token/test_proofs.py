"""A remembered proof answers as `verify` does, whatever became of the issuer's keys; nothing else is remembered."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.service_account_token import (
    BoundObject,
    Proofs,
    SigningKey,
    UnverifiedToken,
    VerificationKey,
    VerifiedClaims,
    issue,
    jwks,
    parse_jwks,
    projected_claims,
    verify,
)
from iambridge.core.service_account_token import proofs as proofs_module
from iambridge.errors import InvalidIdentityToken

ONE, OTHER = SigningKey.generate("RS256"), SigningKey.generate("ES256")
IMPOSTOR = replace(ONE, key=SigningKey.generate("RS256").key)  # another key under the same id
NAMELESS = replace(ONE, kid="")


def token(key: SigningKey = ONE, jti: str = "j") -> str:
    claims = projected_claims(
        issuer="https://issuer.example", namespace="ns", service_account=BoundObject("sa", "u"), audiences=["aud"],
        now=1_800_000_000, seconds=600, jti=jti,
    )  # fmt: skip
    return issue(claims, key)


def without_kid(key: SigningKey) -> str:
    return token(replace(key, kid=""))


TOKENS = [token(), token(IMPOSTOR), token(OTHER), without_kid(ONE), without_kid(OTHER), token()[:-4] + "AAAA"]
PUBLISHED = [ONE.public, IMPOSTOR.public, OTHER.public, NAMELESS.public, replace(ONE.public, alg="RS512")]


def told(judge: Any) -> object:
    try:
        return judge()
    except InvalidIdentityToken as error:
        return error.message, error.cause


@given(st.lists(st.tuples(st.sampled_from(TOKENS), st.lists(st.sampled_from(PUBLISHED), max_size=3)), max_size=12))
def test_what_is_remembered_changes_no_answer(calls: list[tuple[str, list[VerificationKey]]]) -> None:
    proofs = Proofs()
    for encoded, keys in calls:
        parsed = UnverifiedToken.parse(encoded)
        assert proofs.read(encoded) == parsed
        assert told(lambda: proofs.verify(encoded, parsed, keys)) == told(lambda: verify(parsed, keys))  # noqa: B023


def test_a_proof_is_made_once_and_again_when_the_keys_are_fetched_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that were fetched again are other objects and the same keys."""
    counted: list[UnverifiedToken] = []

    def counting(parsed: UnverifiedToken, keys: Sequence[VerificationKey]) -> VerifiedClaims:
        counted.append(parsed)
        return verify(parsed, keys)

    monkeypatch.setattr(proofs_module, "verify", counting)
    proofs, encoded = Proofs(), token()
    for _ in range(3):
        keys = parse_jwks(json.dumps(jwks([OTHER.public, ONE.public])).encode())
        proofs.verify(encoded, proofs.read(encoded), keys)
    assert len(counted) == 1


def test_a_key_that_was_replaced_under_its_id_proves_nothing_any_more() -> None:
    proofs, encoded = Proofs(), token()
    proofs.verify(encoded, proofs.read(encoded), [ONE.public])
    for keys in ([IMPOSTOR.public], [OTHER.public], []):
        with pytest.raises(InvalidIdentityToken):
            proofs.verify(encoded, proofs.read(encoded), keys)


def test_what_is_remembered_is_bounded_and_was_proved() -> None:
    proofs = Proofs()
    refused = token(IMPOSTOR)
    with pytest.raises(InvalidIdentityToken):
        proofs.verify(refused, proofs.read(refused), [ONE.public])
    long = token(jti="j" * 4096)
    proofs.verify(long, proofs.read(long), [ONE.public])
    assert proofs.read(refused) is not proofs.read(refused)
    assert proofs.read(long) is not proofs.read(long)
    encoded = [token(OTHER, str(number)) for number in range(1030)]
    for one in encoded:
        proofs.verify(one, proofs.read(one), [OTHER.public])
    remembered = [one for one in encoded if proofs.read(one) is proofs.read(one)]
    assert remembered == encoded[-1024:]
