"""TokenRequest issues what the issuer's keys prove, bound to what is there."""

from collections.abc import Callable
from typing import Any

import pytest

from iambridge.core.service_account_token import SigningKey, UnverifiedToken, verify
from iambridge.errors import BadRequest, Conflict, Invalid, KubernetesError, NotFound
from iambridge.sandbox.cluster.token_request import TokenRequests

ISSUER = "https://127.0.0.1:8443"
NOW = 1_800_000_000
KEY = SigningKey.generate("ES256")


def _object(name: str, uid: str, **rest: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid}, **rest}


OBJECTS = {
    ("serviceaccounts", "default", "web"): _object("web", "sa-1"),
    ("pods", "default", "web-0"): _object("web-0", "p-1", spec={"serviceAccountName": "web", "nodeName": "n"}),
    ("pods", "default", "lost"): _object("lost", "p-2", spec={"serviceAccountName": "web", "nodeName": "gone"}),
    ("pods", "default", "new"): _object("new", "p-4", spec={"serviceAccountName": "web"}),
    ("pods", "default", "other"): _object("other", "p-3", spec={"serviceAccountName": "default"}),
    ("secrets", "default", "s"): _object("s", "s-1"),
    ("nodes", "", "n"): _object("n", "n-1"),
}


def _requests(before_signing: Callable[[int], None] = lambda _: None) -> TokenRequests:
    return TokenRequests(
        issuer=ISSUER,
        key=KEY,
        api_audiences=(ISSUER,),
        lookup=lambda *key: OBJECTS.get(key),
        now=lambda: NOW + 0.9,
        new_id=lambda: "jti-1",
        before_signing=before_signing,
    )


def _created(**spec: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    answer = _requests().create("default", "web", {"spec": spec})
    claims = verify(UnverifiedToken.parse(answer["status"]["token"]), [KEY.public]).claims
    return answer, dict(claims)


def _ref(kind: str, name: str, uid: str = "", api_version: str = "v1") -> dict[str, str]:
    return {"kind": kind, "apiVersion": api_version, "name": name, "uid": uid}


def test_an_empty_spec_has_kubernetes_defaults() -> None:
    """An hour, for the API server's audience, bound to nothing but the service account."""
    answer, claims = _created()
    assert answer["metadata"] == {
        "name": "web",
        "namespace": "default",
        "uid": "sa-1",
        "creationTimestamp": "2027-01-15T08:00:00Z",
    }
    assert answer["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": None}
    assert answer["status"]["expirationTimestamp"] == "2027-01-15T09:00:00Z"
    assert claims == {
        "aud": [ISSUER],
        "exp": NOW + 3600,
        "iat": NOW,
        "iss": ISSUER,
        "jti": "jti-1",
        "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "web", "uid": "sa-1"}},
        "nbf": NOW,
        "sub": "system:serviceaccount:default:web",
    }


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (_ref("Pod", "web-0", "p-1"), {"pod": {"name": "web-0", "uid": "p-1"}, "node": {"name": "n", "uid": "n-1"}}),
        (_ref("Pod", "lost"), {"pod": {"name": "lost", "uid": "p-2"}, "node": {"name": "gone"}}),
        (_ref("Secret", "s"), {"secret": {"name": "s", "uid": "s-1"}}),
        (_ref("Node", "n"), {"node": {"name": "n", "uid": "n-1"}}),
    ],
)
def test_a_bound_token_names_what_it_is_bound_to(reference: dict[str, str], expected: dict[str, Any]) -> None:
    """The private claims hold the bound object with its uid, and a pod's node."""
    _, claims = _created(boundObjectRef=reference, audiences=["sts.amazonaws.com"])
    assert {key: claims["kubernetes.io"][key] for key in expected} == expected
    assert claims["aud"] == ["sts.amazonaws.com"]


def test_a_pod_without_a_node_has_no_node_claim() -> None:
    """A pod that is not scheduled yet binds its token to itself alone."""
    _, claims = _created(boundObjectRef=_ref("Pod", "new"))
    assert "node" not in claims["kubernetes.io"]


def test_a_pods_api_token_lives_a_year_and_warns_after_its_hour() -> None:
    """3607 s for the API server's audience and a pod is extended; the status tells the hour; nothing else is extended."""
    answer, claims = _created(boundObjectRef=_ref("Pod", "web-0"), expirationSeconds=3607)
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert claims["kubernetes.io"]["warnafter"] == NOW + 3607
    assert answer["status"]["expirationTimestamp"] == "2027-01-15T09:00:07Z"
    for spec in (
        {"expirationSeconds": 3607},
        {"expirationSeconds": 3600, "boundObjectRef": _ref("Pod", "web-0")},
        {"expirationSeconds": 3607, "boundObjectRef": _ref("Pod", "web-0"), "audiences": ["sts.amazonaws.com"]},
    ):
        _, plain = _created(**spec)
        assert plain["exp"] - plain["iat"] == spec["expirationSeconds"]


@pytest.mark.parametrize(("seconds", "good"), [(599, False), (600, True), (2**32, True), (2**32 + 1, False)])
def test_a_life_is_ten_minutes_to_2_to_the_32_seconds(seconds: int, *, good: bool) -> None:
    """Below and above, the request is Invalid with the field named."""
    if good:
        assert _created(expirationSeconds=seconds)[1]["exp"] == NOW + seconds
        return
    with pytest.raises(Invalid) as caught:
        _created(expirationSeconds=seconds)
    words = "less than 10 minutes" if seconds < 600 else "larger than 2^32 seconds"
    assert caught.value.message == (
        f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: {seconds}: '
        f"may not specify a duration {words}"
    )


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        (_ref("Pod", "none"), NotFound, 'pods "none" not found'),
        (
            _ref("Pod", "other"),
            BadRequest,
            'cannot bind token for serviceaccount "web" to pod running with different serviceaccount name.',
        ),
        (_ref("ConfigMap", "c"), BadRequest, "cannot bind token to object of type /v1, Kind=ConfigMap"),
        (_ref("Job", "c", "", "batch/v1"), BadRequest, "cannot bind token to object of type batch/v1, Kind=Job"),
        (
            _ref("Pod", "web-0", "p-0"),
            Conflict,
            (
                'Operation cannot be fulfilled on Pod "web-0": the UID in the bound object reference (p-0) does not match '
                "the UID in record. The object might have been deleted and then recreated"
            ),
        ),
    ],
)
def test_a_binding_that_does_not_hold_is_refused(
    reference: dict[str, str], error: type[KubernetesError], message: str
) -> None:
    """No token for an object that is not there, another's, of another kind, or another by the same name."""
    with pytest.raises(error) as caught:
        _created(boundObjectRef=reference)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("name", "metadata", "error", "message"),
    [
        ("none", {}, NotFound, 'serviceaccounts "none" not found'),
        (
            "web",
            {"name": "x"},
            Invalid,
            (
                'TokenRequest.authentication.k8s.io "web" is invalid: metadata.name: Invalid value: "x": must match the '
                "service account name if specified"
            ),
        ),
        (
            "web",
            {"namespace": "x"},
            Invalid,
            (
                'TokenRequest.authentication.k8s.io "web" is invalid: metadata.namespace: Invalid value: "x": must match the '
                "service account namespace if specified"
            ),
        ),
        (
            "web",
            {"uid": "sa-0"},
            Conflict,
            (
                'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "web": the UID in the token request '
                "(sa-0) does not match the UID of the service account (sa-1)"
            ),
        ),
    ],
)
def test_a_request_is_for_the_service_account_of_its_path(
    name: str, metadata: dict[str, str], error: type[KubernetesError], message: str
) -> None:
    """What the body says of the service account must be true."""
    with pytest.raises(error) as caught:
        _requests().create("default", name, {"metadata": metadata})
    assert caught.value.message == message


@pytest.mark.parametrize("seconds", [600, 3607, 2**32])
def test_the_end_of_a_token_is_told_before_it_is_signed(seconds: int) -> None:
    """What is told is the token's own `exp`, the year of an extended one too; whoever is told may refuse it."""
    spec = {"expirationSeconds": seconds, "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "web-0"}}
    told: list[int] = []
    token = _requests(told.append).create("default", "web", {"spec": spec})["status"]["token"]
    assert told == [UnverifiedToken.parse(token).claims["exp"]]
    assert (told[0] == NOW + 365 * 86_400) is (seconds == 3607)

    def full(_: int) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        _requests(full).create("default", "web", {"spec": spec})
