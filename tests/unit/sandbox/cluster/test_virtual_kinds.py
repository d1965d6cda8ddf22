"""Reviews say what a request would meet, in kube-apiserver's words."""

import asyncio
from typing import Any

import pytest

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.rbac import Attributes, Policy, User, authorize
from iambridge.errors import BadRequest, Invalid
from iambridge.sandbox.cluster import virtual_kinds
from iambridge.sandbox.cluster.authentication import Authentication, StaticTokens

NOW = 1_800_000_000
JANE = User("jane", ("devs", "system:authenticated"), "u-1", {"example.com/scope": ("view",)})


def _named(kind: str, name: str, **rest: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, **rest}


def _binding(name: str, role: str, kind: str, subject: str) -> dict[str, Any]:
    return _named(
        "ClusterRoleBinding",
        name,
        roleRef={"kind": "ClusterRole", "name": role},
        subjects=[{"kind": kind, "name": subject}],
    )


READER = _named(
    "ClusterRole",
    "reader",
    rules=[
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
        {"nonResourceURLs": ["/healthz", "/version/*"], "verbs": ["get"]},
    ],
)
POLICY = Policy.of(
    [], [], [READER], [_binding("readers", "reader", "Group", "devs"), _binding("lost", "gone", "User", "lost")]
)
PODS = {"namespace": "default", "verb": "list", "resource": "pods"}
ALLOWED = {
    "allowed": True,
    "reason": 'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to Group "devs"',
}


def _decide(user: User, attributes: Attributes) -> Decision:
    return authorize(user, attributes, POLICY)


def _access(spec: dict[str, Any], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    review = {"kind": "SubjectAccessReview", "metadata": metadata or {}, "spec": spec}
    status: dict[str, Any] = virtual_kinds.subject_access_review(review, _decide)["status"]
    return status


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"resourceAttributes": PODS}, ALLOWED),
        ({"resourceAttributes": {**PODS, "subresource": "log"}}, ALLOWED),
        ({"resourceAttributes": {**PODS, "subresource": "exec"}}, {"allowed": False}),
        ({"resourceAttributes": {**PODS, "group": "apps"}}, {"allowed": False}),
        ({"nonResourceAttributes": {"path": "/version/x", "verb": "get"}}, ALLOWED),
        ({"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}, {"allowed": False}),
        ({"nonResourceAttributes": {"verb": "get"}}, {"allowed": False}),
    ],
)
def test_access_is_what_the_authoriser_decides(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    """SubjectAccessReview, the local one and the caller's own give one answer with RBAC's reason."""
    assert _access({"user": "jane", "groups": ["devs"], **asked}) == expected
    own = virtual_kinds.self_subject_access_review({"spec": asked}, JANE, _decide)
    assert own["status"] == expected
    if "resourceAttributes" in asked:
        review = {"metadata": {"namespace": "default"}, "spec": {"groups": ["devs"], **asked}}
        assert virtual_kinds.local_subject_access_review(review, _decide)["status"] == expected


def test_a_service_account_is_named_as_kubernetes_names_it() -> None:
    """The reason of a binding to a ServiceAccount shows name and namespace, the namespace last."""
    subjects = [{"kind": "ServiceAccount", "name": "web", "namespace": "default"}]
    role = {"kind": "ClusterRole", "name": "reader"}
    binding = {"metadata": {"name": "b", "namespace": "default"}, "roleRef": role, "subjects": subjects}
    policy = Policy.of([], [binding], [READER], [])
    web = User("system:serviceaccount:default:web")
    review = virtual_kinds.self_subject_access_review(
        {"spec": {"resourceAttributes": PODS}}, web, lambda user, asked: authorize(user, asked, policy)
    )
    assert review["status"]["reason"] == (
        'RBAC: allowed by RoleBinding "b/default" of ClusterRole "reader" to ServiceAccount "web/default"'
    )


def test_a_missing_role_is_the_reason_of_a_denial() -> None:
    """A binding to a role that is gone is told, as kube-apiserver tells it."""
    assert _access({"user": "lost", "resourceAttributes": PODS}) == {
        "allowed": False,
        "reason": 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found',
    }


def test_an_explicit_denial_is_denied_and_not_only_not_allowed() -> None:
    """An authoriser that says no is told apart from one that has no opinion."""

    def deny(user: User, attributes: Attributes) -> Decision:
        return Decision("test", Outcome.EXPLICIT_DENY, (Reason("no", "no"),))

    review = virtual_kinds.self_subject_access_review({"spec": {"resourceAttributes": PODS}}, JANE, deny)
    assert review["status"] == {"allowed": False, "denied": True}


@pytest.mark.parametrize(
    ("spec", "metadata", "faults"),
    [
        (
            {"user": "jane"},
            {},
            [
                (
                    "spec: Invalid value: null: exactly one of nonResourceAttributes or "
                    "resourceAttributes must be specified"
                )
            ],
        ),
        (
            {"resourceAttributes": PODS},
            {},
            ['spec.user: Invalid value: "": at least one of user or group must be specified'],
        ),
        (
            {"user": "jane", "resourceAttributes": PODS},
            {"name": "x"},
            ['metadata: Invalid value: {"name":"x"}: must be empty'],
        ),
        (
            {"user": "jane", "resourceAttributes": PODS, "nonResourceAttributes": {"path": "/"}},
            {},
            [
                (
                    'spec: Invalid value: {"Path":"/","Verb":""}: exactly one of nonResourceAttributes or '
                    "resourceAttributes must be specified"
                )
            ],
        ),
    ],
)
def test_a_question_that_is_none_is_invalid(spec: dict[str, Any], metadata: dict[str, Any], faults: list[str]) -> None:
    """One subject and one kind of attributes are needed, and no metadata."""
    with pytest.raises(Invalid) as caught:
        _access(spec, metadata)
    message = f'.authorization.k8s.io "" is invalid: {", ".join(faults)}'
    assert caught.value.message == message


def test_a_local_review_stays_in_its_namespace() -> None:
    """The attributes' namespace must be the object's, and paths have none."""
    spec = {"user": "jane", "resourceAttributes": PODS}
    with pytest.raises(Invalid, match=r"spec\.resourceAttributes\.namespace: .* must match metadata\.namespace"):
        virtual_kinds.local_subject_access_review({"metadata": {"namespace": "x"}, "spec": spec}, _decide)
    path = {"user": "jane", "nonResourceAttributes": {"path": "/"}}
    with pytest.raises(Invalid, match="disallowed on this kind of request"):
        virtual_kinds.local_subject_access_review({"metadata": {"namespace": "x"}, "spec": path}, _decide)
    named = {"metadata": {"namespace": "default", "name": "n"}, "spec": spec}
    with pytest.raises(Invalid, match="must be empty except for namespace"):
        virtual_kinds.local_subject_access_review(named, _decide)


def test_a_rules_review_lists_what_is_held() -> None:
    """Resource rules and paths are listed; a namespace must be named."""
    status = virtual_kinds.self_subject_rules_review({"spec": {"namespace": "default"}}, JANE, POLICY)["status"]
    assert status["incomplete"] is False
    assert status["nonResourceRules"] == [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/version/*"]}]
    assert status["resourceRules"] == [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]}]
    with pytest.raises(BadRequest, match="no namespace on request"):
        virtual_kinds.self_subject_rules_review({"spec": {}}, JANE, POLICY)


def test_whoami_is_the_caller() -> None:
    """SelfSubjectReview shows name, uid, groups and extra as authenticated."""
    review = virtual_kinds.self_subject_review({"kind": "SelfSubjectReview"}, JANE, NOW)
    assert review["metadata"] == {"creationTimestamp": "2027-01-15T08:00:00Z"}
    assert review["status"]["userInfo"] == {
        "username": "jane",
        "uid": "u-1",
        "groups": ["devs", "system:authenticated"],
        "extra": {"example.com/scope": ["view"]},
    }


def _reviewed(**spec: Any) -> dict[str, Any]:
    authentication = Authentication([StaticTokens({"t": ("jane", ("devs",))})], ("api",))
    answer = asyncio.run(virtual_kinds.token_review({"kind": "TokenReview", "spec": spec}, authentication))
    status: dict[str, Any] = answer["status"]
    return status


def test_a_token_review_says_who_and_for_what() -> None:
    """A good token gives user and audiences; a bad one, or one for other audiences, gives no user and an error."""
    user = {"username": "jane", "groups": ["devs", "system:authenticated"]}
    assert _reviewed(token="t") == {"authenticated": True, "user": user, "audiences": ["api"]}
    assert _reviewed(token="t", audiences=["x", "api"])["audiences"] == ["api"]
    refused = {"user": {}, "error": "invalid bearer token"}
    assert _reviewed(token="other") == refused
    assert _reviewed(token="t", audiences=["x"]) == refused
    assert _reviewed(token=" ") == refused
    with pytest.raises(BadRequest, match="token is required for TokenReview in authentication"):
        _reviewed(token="")
