import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.authenticator_token import CallerIdentity, caller_identity
from iambridge.core.decision import Reason

ROLE = "arn:aws:sts::111122223333:assumed-role/reader/i-0123456789abcdef0"


def answer(arn: object, user_id: object, account: object = "111122223333") -> CallerIdentity | Reason:
    result = {"Arn": arn, "UserId": user_id, "Account": account}
    body = {"GetCallerIdentityResponse": {"GetCallerIdentityResult": result, "ResponseMetadata": {"RequestId": "1"}}}
    return caller_identity(json.dumps(body).encode(), access_key_id="AKIAIOSFODNN7EXAMPLE")


@pytest.mark.parametrize(
    ("arn", "user_id", "canonical", "unique", "session"),
    [
        (ROLE, "AROAEXAMPLE:i-0123456789abcdef0", "arn:aws:iam::111122223333:role/reader", "AROAEXAMPLE", "i-0123456789abcdef0"),
        ("arn:aws:iam::111122223333:user/a/alice", "AIDAEXAMPLE", "arn:aws:iam::111122223333:user/a/alice", "AIDAEXAMPLE", ""),
        ("arn:aws:iam::111122223333:root", "111122223333", "arn:aws:iam::111122223333:root", "111122223333", ""),
        ("arn:aws:sts::111122223333:federated-user/bob", "111122223333:bob", "arn:aws:sts::111122223333:federated-user/bob", "111122223333:bob", ""),
    ],
)  # fmt: skip
def test_identities(arn: str, user_id: str, canonical: str, unique: str, session: str) -> None:
    """User, role session, root and federated user come out with their canonical ARN, id and session name."""
    assert answer(arn, user_id) == CallerIdentity(
        "111122223333", arn, canonical, unique, session, "AKIAIOSFODNN7EXAMPLE"
    )


@pytest.mark.parametrize(
    ("arn", "user_id", "account", "code"),
    [
        (ROLE, "AROAEXAMPLE", "111122223333", "user-id-malformed"),
        (ROLE, "AROAEXAMPLE:other", "111122223333", "user-id-malformed"),
        (ROLE, "AROAEXAMPLE:a:b", "111122223333", "user-id-malformed"),
        (ROLE, ":i-0123456789abcdef0", "111122223333", "user-id-malformed"),
        (ROLE, "AROAEXAMPLE:i-0123456789abcdef0", "444455556666", "account-disagrees"),
        (ROLE, "AROAEXAMPLE:i-0123456789abcdef0", 111122223333, "sts-response-malformed"),
        ("arn:aws:iam::111122223333:user/alice", "", "111122223333", "user-id-malformed"),
        ("arn:aws:iam::111122223333:group/devs", "AGPA", "111122223333", "arn-not-an-identity"),
        (None, "AIDA", "111122223333", "sts-response-malformed"),
        (ROLE, "AROAEXAMPLE:i-0123456789abcdef0", "", "sts-response-malformed"),
        (ROLE, "AROAEXAMPLE:i-0123456789abcdef0", "11112222333", "sts-response-malformed"),
    ],
)
def test_disagreements_are_refused(arn: object, user_id: object, account: object, code: str) -> None:
    """An answer that contradicts itself names nobody."""
    found = answer(arn, user_id, account)
    assert isinstance(found, Reason)
    assert found.code == code


@given(st.binary(max_size=100))
def test_garbage_is_a_refusal(body: bytes) -> None:
    """Any bytes are judged, none raises."""
    assert isinstance(caller_identity(body, access_key_id="A"), Reason)


@pytest.mark.parametrize("body", [b"", b"{", b"<GetCallerIdentityResponse/>", b'"\xff"', b"[]", b"{}"])
def test_another_answer_is_refused_as_malformed(body: bytes) -> None:
    """The XML of an STS that was not asked for JSON, half an answer, text that is no UTF-8."""
    found = caller_identity(body, access_key_id="A")
    assert isinstance(found, Reason)
    assert found.code == "sts-response-malformed"


def test_a_large_or_deep_answer_is_refused() -> None:
    """The answer's size and depth are bounded."""
    for body in (b" " * 70_000, b"[" * 60_000):
        assert isinstance(caller_identity(body, access_key_id="A"), Reason)
