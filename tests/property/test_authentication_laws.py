"""Laws of the embedded cluster's authentication: garbage is nobody, and nobody gains by asking."""

import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.service_account_token import BoundObject, Proofs, SigningKey, issue, projected_claims
from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.authenticated import Answer, AuthenticatedToken
from iambridge.sandbox.cluster.authentication import bearer_token
from iambridge.sandbox.cluster.impersonation import impersonation
from iambridge.sandbox.cluster.service_account_authentication import authenticate_service_account
from iambridge.wire.http import Headers

ISSUER = "https://127.0.0.1:8443"
NOW = 1_800_000_000
KEY = SigningKey.generate("ES256")
PROOFS = Proofs()
TOKEN = issue(
    projected_claims(
        issuer=ISSUER,
        namespace="default",
        service_account=BoundObject("web", "sa-1"),
        audiences=[ISSUER],
        now=NOW,
        seconds=600,
        jti="j",
    ),
    KEY,
)
_BASE64URL = string.ascii_letters + string.digits + "-_"
# the last character of a part may hold bits that say nothing: it is left alone
_PLACES = [place for place, letter in enumerate(TOKEN[:-1]) if letter != "." and TOKEN[place + 1] != "."]
_NAMES = st.text(string.ascii_lowercase + ":", max_size=8)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "uid", "pod"]), inner),
    max_leaves=5,
)


def _judge(token: str) -> Answer:
    def lookup(resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        return {"metadata": {"uid": "sa-1"}} if (namespace, name) == ("default", "web") else None

    return authenticate_service_account(
        token, (ISSUER,), issuer=ISSUER, keys=[KEY.public], proofs=PROOFS, lookup=lookup, now=NOW
    )


def test_the_token_itself_is_good() -> None:
    """The laws below start from a token that is accepted."""
    assert isinstance(_judge(TOKEN), AuthenticatedToken)


@given(st.sampled_from(_PLACES), st.sampled_from(_BASE64URL))
def test_no_changed_letter_is_accepted(place: int, letter: str) -> None:
    """Whatever letter of header, claims or signature is another, the token is nobody's."""
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    assert isinstance(_judge(changed), AuthenticatedToken) is (changed == TOKEN)


@given(st.text(max_size=60))
def test_garbage_is_no_token_of_ours(token: str) -> None:
    """Any text gives an answer that is no user, and never an exception."""
    assert _judge(token) is None


@given(_JSON)
def test_signed_garbage_names_no_service_account(private: Any) -> None:
    """Even under our signature, private claims of any shape give a reason and never an exception."""
    claims = {"iss": ISSUER, "aud": [ISSUER], "iat": NOW, "exp": NOW + 60, "sub": "s", "kubernetes.io": private}
    assert not isinstance(_judge(issue(claims, KEY)), AuthenticatedToken)


@given(st.text(max_size=30))
def test_a_bearer_token_has_no_blank(header: str) -> None:
    """What is taken for a token is one word of the header."""
    token = bearer_token(header)
    assert " " not in token
    assert token in header


@given(_NAMES, st.lists(_NAMES, max_size=3), st.lists(st.tuples(_NAMES, _NAMES), max_size=3), _NAMES)
def test_nothing_is_impersonated_unasked(user: str, groups: list[str], extras: list[tuple[str, str]], uid: str) -> None:
    """Every name, group, extra value and uid of the new user is either authorised or Kubernetes' own consequence."""
    headers = [("Impersonate-User", user)] if user else []
    headers += [("Impersonate-Group", group) for group in groups]
    headers += [(f"Impersonate-Extra-{key}", value) for key, value in extras]
    headers += [("Impersonate-Uid", uid)] if uid else []
    try:
        found = impersonation(Headers(headers))
    except BadRequest:
        assert not user
        return
    if found is None:
        assert not headers
        return
    asked = {(each.resource, each.subresource, each.name) for each in found.attributes}
    assert all(each.verb == "impersonate" for each in found.attributes)
    assert found.user.name == user
    implied = {"system:authenticated", "system:unauthenticated"}
    if found.attributes[0].resource == "serviceaccounts":
        implied |= {"system:serviceaccounts", f"system:serviceaccounts:{found.attributes[0].namespace}"}
    else:
        assert ("users", "", user) in asked
    assert all(("groups", "", group) in asked for group in found.user.groups if group not in implied)
    assert all(("userextras", key, value) in asked for key, values in found.user.extra.items() for value in values)
    assert not found.user.uid or ("uids", "", found.user.uid) in asked
