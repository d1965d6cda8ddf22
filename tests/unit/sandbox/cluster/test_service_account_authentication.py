"""A service account token is as good as its signature, its audience, its times and the objects it names."""

from collections.abc import Mapping
from typing import Any

import pytest

from iambridge.core.decision import Reason
from iambridge.core.service_account_token import BoundObject, Proofs, SigningKey, issue, projected_claims
from iambridge.sandbox.cluster.authenticated import AuthenticatedToken
from iambridge.sandbox.cluster.service_account_authentication import authenticate_service_account

ISSUER = "https://127.0.0.1:8443"
NOW = 1_800_000_000  # 2027-01-15T08:00:00Z
KEY, OTHER_KEY = SigningKey.generate("ES256"), SigningKey.generate("ES256")
PROOFS = Proofs()
ACCOUNT = BoundObject("web", "sa-1")
POD, NODE, SECRET = BoundObject("web-0", "p-1"), BoundObject("n", "n-1"), BoundObject("s", "s-1")
Key = tuple[str, str, str]
ACCOUNT_KEY, POD_KEY = ("serviceaccounts", "default", "web"), ("pods", "default", "web-0")
NODE_KEY, SECRET_KEY = ("nodes", "", "n"), ("secrets", "default", "s")
LIVE: Mapping[Key, dict[str, str]] = {
    ACCOUNT_KEY: {"uid": "sa-1"},
    POD_KEY: {"uid": "p-1"},
    NODE_KEY: {"uid": "n-1"},
    SECRET_KEY: {"uid": "s-1"},
}


def _token(key: SigningKey = KEY, **claims: Any) -> str:
    given: dict[str, Any] = {"issuer": ISSUER, "audiences": [ISSUER], "now": NOW, "seconds": 600, "jti": "j-1"}
    return issue(projected_claims(namespace="default", service_account=ACCOUNT, **(given | claims)), key)


def _judge(
    token: str, *, live: Mapping[Key, dict[str, str]] = LIVE, now: float = NOW, audiences: tuple[str, ...] = (ISSUER,)
) -> AuthenticatedToken | Reason | None:
    def lookup(*key: str) -> dict[str, Any] | None:
        metadata = live.get((key[0], key[1], key[2]))
        return None if metadata is None else {"metadata": metadata}

    return authenticate_service_account(
        token, audiences, issuer=ISSUER, keys=[KEY.public], proofs=PROOFS, lookup=lookup, now=now
    )


def _text(answer: AuthenticatedToken | Reason | None) -> str:
    assert isinstance(answer, Reason)
    return answer.text


def test_a_good_token_is_its_service_account() -> None:
    """Username, groups, uid and extra are Kubernetes' own; `system:authenticated` is added by Authentication."""
    answer = _judge(_token(pod=POD, node=NODE))
    assert isinstance(answer, AuthenticatedToken)
    user = answer.user
    assert (user.name, user.uid) == ("system:serviceaccount:default:web", "sa-1")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:default")
    assert user.extra == {
        "authentication.kubernetes.io/credential-id": ("JTI=j-1",),
        "authentication.kubernetes.io/node-name": ("n",),
        "authentication.kubernetes.io/node-uid": ("n-1",),
        "authentication.kubernetes.io/pod-name": ("web-0",),
        "authentication.kubernetes.io/pod-uid": ("p-1",),
    }


@pytest.mark.parametrize("token", ["opaque", "a.b.c", _token(issuer="https://elsewhere")])
def test_what_is_not_the_issuers_is_left_to_others(token: str) -> None:
    """No token of this issuer is no refusal: another authenticator may know it."""
    assert _judge(token) is None


def test_a_signature_of_another_key_is_refused() -> None:
    """A token that names the issuer proves nothing without the issuer's key."""
    forged = _token(OTHER_KEY)
    assert "key id is not among" in _text(_judge(forged))
    swapped = f"{_token().rpartition('.')[0]}.{forged.rpartition('.')[2]}"
    assert "signature does not fit" in _text(_judge(swapped))


def test_the_audience_must_be_one_that_is_asked_for() -> None:
    """A token for STS is not good for the API server; one common audience is enough."""
    token = _token(audiences=["sts.amazonaws.com", "b"])
    assert _text(_judge(token)) == (
        f'token audiences ["sts.amazonaws.com" "b"] is invalid for the target audiences ["{ISSUER}"]'
    )
    answer = _judge(token, audiences=("a", "b"))
    assert isinstance(answer, AuthenticatedToken)
    assert answer.audiences == ("sts.amazonaws.com", "b")


@pytest.mark.parametrize(
    ("now", "refused"),
    [
        (NOW + 660, ""),
        (NOW + 661, "service account token has expired"),
        (NOW - 60, ""),
        (NOW - 61, "service account token is not valid yet"),
    ],
)
def test_times_have_a_minute_of_leeway(now: int, refused: str) -> None:
    """As go-jose judges for kube-apiserver: 60 s past `exp`, and 60 s before `nbf`."""
    answer = _judge(_token(), now=now)
    assert isinstance(answer, AuthenticatedToken) if not refused else _text(answer) == refused


@pytest.mark.parametrize(
    ("bound", "key", "uid_words"),
    [
        ({}, ACCOUNT_KEY, "service account UID (new) does not match claim (sa-1)"),
        ({"pod": POD}, POD_KEY, "pod UID (new) does not match service account pod ref claim (p-1)"),
        ({"secret": SECRET}, SECRET_KEY, "secret UID (new) does not match service account secret ref claim (s-1)"),
        ({"node": NODE}, NODE_KEY, "node UID (new) does not match service account node ref claim (n-1)"),
    ],
)
def test_what_is_bound_must_be_there(bound: dict[str, BoundObject], key: Key, uid_words: str) -> None:
    """Gone, another by the same name, or deleted for over 60 s: the token is refused."""
    token = _token(KEY, **bound)
    own = LIVE[key]
    gone = {known: metadata for known, metadata in LIVE.items() if known != key}
    account = key == ACCOUNT_KEY
    invalidated = "service account token has been invalidated"
    assert _text(_judge(token, live=gone)) == ('serviceaccount "web" not found' if account else invalidated)
    assert _text(_judge(token, live=gone | {key: {"uid": "new"}})) == uid_words
    deleted = gone | {key: own | {"deletionTimestamp": "2027-01-15T08:00:00Z"}}
    assert isinstance(_judge(token, live=deleted, now=NOW + 60), AuthenticatedToken)
    words = "service account default/web has been deleted" if account else invalidated
    assert _text(_judge(token, live=deleted, now=NOW + 61)) == words


def test_a_pods_node_is_told_and_not_checked() -> None:
    """A pod-bound token outlives its Node object, as in Kubernetes."""
    live = {known: metadata for known, metadata in LIVE.items() if known != NODE_KEY}
    assert isinstance(_judge(_token(pod=POD, node=NODE), live=live), AuthenticatedToken)


def test_a_token_without_private_claims_is_refused() -> None:
    """An ID token of our key that names no service account is nobody."""
    token = issue({"iss": ISSUER, "aud": [ISSUER], "iat": NOW, "exp": NOW + 60, "sub": "x"}, KEY)
    assert "could not be validated" in _text(_judge(token))
