from typing import Any

import pytest

from iambridge.core import rbac
from iambridge.core.rbac import Attributes, Policy, Rule, User
from iambridge.sandbox.cluster.objects import bootstrap_rbac

GROUP = "rbac.authorization.k8s.io"


def role(name: str, *rules: dict[str, Any], namespace: str = "", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {}), **more}, "rules": list(rules)}


def binding(name: str, ref: tuple[str, str], *subjects: dict[str, str], namespace: str = "") -> dict[str, Any]:
    return {**role(name, namespace=namespace), "roleRef": {"kind": ref[0], "name": ref[1]}, "subjects": list(subjects)}


def rule(verbs: str, resources: str = "", groups: str = "", names: str = "", urls: str = "") -> dict[str, Any]:
    if urls:
        return {"verbs": verbs.split(), "nonResourceURLs": urls.split()}
    out: dict[str, Any] = {"verbs": verbs.split(), "apiGroups": groups.split() or [""], "resources": resources.split()}
    return {**out, "resourceNames": names.split()} if names else out


def bound(*rules: dict[str, Any]) -> Policy:
    return Policy.of([], [], [role("r", *rules)], [binding("b", ("ClusterRole", "r"), {"kind": "User", "name": "u"})])


@pytest.mark.parametrize(
    ("granted", "asked", "allowed"),
    [
        (rule("get", "pods"), Attributes("get", resource="pods", namespace="n"), True),
        (rule("get", "pods"), Attributes("list", resource="pods", namespace="n"), False),
        (rule("*", "*", "*"), Attributes("delete", "apps", "deployments", "scale", "n"), True),
        (rule("get", "pods"), Attributes("get", resource="pods", subresource="log"), False),
        (rule("get", "pods/log"), Attributes("get", resource="pods", subresource="log"), True),
        (rule("get", "*/log"), Attributes("get", resource="pods", subresource="log"), True),
        (rule("get", "*/log"), Attributes("get", resource="pods"), False),
        (rule("get", "pods", names="a b"), Attributes("get", resource="pods", name="b"), True),
        (rule("get", "pods", names="a b"), Attributes("get", resource="pods", name="c"), False),
        (rule("list", "pods", names="a"), Attributes("list", resource="pods"), False),
        (rule("get", "pods", "apps"), Attributes("get", resource="pods"), False),
        (rule("get", urls="/healthz /api/*"), Attributes("get", path="/api/v1"), True),
        (rule("get", urls="/healthz"), Attributes("get", path="/healthz/x"), False),
        (rule("*", "*", "*"), Attributes("get", path="/healthz"), False),
        (rule("get", urls="*"), Attributes("get", resource="pods"), False),
    ],
)
def test_rule_matching(granted: dict[str, Any], asked: Attributes, allowed: bool) -> None:  # noqa: FBT001  # a table's column
    """A rule grants exactly its verbs, groups, resources, subresources, names and paths."""
    assert rbac.authorize(User("u"), asked, bound(granted)).allowed is allowed


def test_bindings_reach_their_subjects_and_namespaces_only() -> None:
    """A RoleBinding holds in its namespace, for users, groups and service accounts."""
    subjects = ({"kind": "Group", "name": "g"}, {"kind": "ServiceAccount", "name": "sa"})
    policy = Policy.of(
        [role("r", rule("get", "pods"), namespace="n")], [binding("b", ("Role", "r"), *subjects, namespace="n")], [], []
    )
    asked = Attributes("get", resource="pods", namespace="n")
    decision = rbac.authorize(User("x", ("g",)), asked, policy)
    assert decision.allowed
    assert decision.reasons[0].text == 'RBAC: allowed by RoleBinding "b/n" of Role "r" to Group "g"'
    assert rbac.authorize(User("system:serviceaccount:n:sa"), asked, policy).allowed
    assert not rbac.authorize(User("x", ("g",)), Attributes("get", resource="pods", namespace="m"), policy).allowed
    assert not rbac.authorize(User("x", ("g",)), Attributes("get", resource="pods"), policy).allowed
    assert not rbac.authorize(User("g"), asked, policy).allowed


def test_a_denial_says_what_came_near() -> None:
    """A denial has a reason for each binding of the user, missing roles included, and a fix."""
    bindings = [
        binding("near", ("ClusterRole", "r"), {"kind": "User", "name": "u"}),
        binding("dangling", ("ClusterRole", "gone"), {"kind": "User", "name": "u"}),
    ]
    policy = Policy.of([], [], [role("r", rule("get list", "pods"))], bindings)
    decision = rbac.authorize(User("u"), Attributes("delete", resource="pods", namespace="n"), policy)
    assert [reason.code for reason in decision.reasons] == ["no-rule-matched", "role-not-found"]
    assert decision.reasons[0].facts["differs"] == "verbs"
    assert "verbs [delete]" in decision.fix
    assert rbac.authorize(User("x"), Attributes("get", path="/"), policy).reasons[0].code == "no-binding"


def test_a_role_without_rules_is_named_as_such() -> None:
    decision = rbac.authorize(User("u"), Attributes("get", resource="pods"), bound())
    assert [(reason.code, reason.where) for reason in decision.reasons] == [
        ("role-empty", 'ClusterRoleBinding "b" of ClusterRole "r" to User "u"')
    ]


@pytest.mark.parametrize(
    ("asked", "details"),
    [
        (Attributes("get", "batch", "jobs", "status", "n", "j"), {"name": "j", "group": "batch", "kind": "jobs"}),
        (Attributes("list", resource="pods", namespace="n"), {"kind": "pods"}),
    ],
)
def test_forbidden_details(asked: Attributes, details: dict[str, object]) -> None:
    """A 403's details name the object, its group and its resource, and leave out what is empty."""
    assert rbac.forbidden_details(asked) == details


def test_forbidden_words() -> None:
    """A 403 reads as kube-apiserver writes it."""
    user = User("jane")
    assert rbac.forbidden_message(user, Attributes("list", resource="pods", namespace="n")) == (
        'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "n"'
    )
    assert rbac.forbidden_message(user, Attributes("get", "batch", "jobs", "status", "", "j")) == (
        'jobs.batch "j" is forbidden: User "jane" cannot get resource "jobs/status" in API group "batch" at the cluster scope'
    )
    assert rbac.forbidden_message(user, Attributes("get", path="/x")) == 'forbidden: User "jane" cannot get path "/x"'


def test_nobody_grants_what_they_do_not_hold() -> None:
    """The missing permissions are listed, compacted by resource; what is held passes."""
    policy = bound(rule("get list", "pods", names=""), rule("get", "secrets", names="s"), rule("get", urls="/api/*"))
    user = User("u", ("g",))
    assert (
        rbac.escalation(
            user, "", [rule("get", "pods"), rule("get", "pods", names="x"), rule("get", urls="/api/v1")], policy
        )
        == ""
    )
    text = rbac.escalation(user, "", [rule("get delete patch", "pods"), rule("get", "secrets")], policy)
    assert text == (
        'user "u" (groups=["g"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "patch"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )
    assert rbac.uncovered([Rule.of(rule("*", "*", "*"))], [Rule.of(rule("*", "*", "*"))]) == ()


def test_rules_review_says_what_authorize_does() -> None:
    """SelfSubjectRulesReview lists the rules that reach the user and admits to missing roles."""
    policy = Policy.of(
        [],
        [],
        [role("r", rule("get", "pods"), rule("get", urls="/x"))],
        [
            binding("b", ("ClusterRole", "r"), {"kind": "User", "name": "u"}),
            binding("c", ("ClusterRole", "gone"), {"kind": "User", "name": "u"}),
        ],
    )
    assert rbac.rules_for(User("u"), "n", policy).status() == {
        "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}],
        "incomplete": True,
        "evaluationError": 'clusterrole.rbac.authorization.k8s.io "gone" not found',
    }


def test_a_complete_rules_review_has_no_error_and_a_role_binding_gives_no_paths() -> None:
    """A RoleBinding grants what it can in its namespace: a rule of paths alone is left out."""
    bindings = [binding("b", ("ClusterRole", "r"), {"kind": "User", "name": "u"}, namespace="n")]
    policy = Policy.of([], bindings, [role("r", rule("get", "pods"), rule("get", urls="/x"))], [])
    assert rbac.rules_for(User("u"), "n", policy).status() == {
        "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
        "nonResourceRules": [],
        "incomplete": False,
    }


def test_aggregation_takes_selected_roles_once_and_never_itself() -> None:
    """Rules in the order of the roles' names, each once; a role without an aggregationRule has none to be given."""
    shared, own = rule("get", "pods"), rule("list", "nodes")
    labelled: dict[str, Any] = {"labels": {"to": "view"}}
    roles = [role("b", shared, own, **labelled), role("a", shared, **labelled), role("c", rule("get", "secrets"))]
    view = {**role("view", rule("*", "*", "*"), **labelled),
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "view"}}]}}  # fmt: skip
    assert rbac.aggregated_rules(view, [view, *roles]) == [shared, own]
    assert rbac.aggregated_rules({**view, "aggregationRule": {"clusterRoleSelectors": None}}, roles) == []
    assert rbac.aggregated_rules(roles[0], roles) is None


def test_bootstrap_policy_works_once_aggregated() -> None:
    """The bootstrap roles make masters omnipotent, let everyone discover, and aggregate view into edit and admin."""
    roles = bootstrap_rbac.cluster_roles()
    for one in sorted(roles, key=lambda found: found["metadata"]["name"], reverse=True):
        one["rules"] = rbac.aggregated_rules(one, roles) if one.get("aggregationRule") else one.get("rules")
    for one in roles:
        one["rules"] = rbac.aggregated_rules(one, roles) if one.get("aggregationRule") else one.get("rules")
    policy = Policy.of(
        bootstrap_rbac.roles(), bootstrap_rbac.role_bindings(), roles, bootstrap_rbac.cluster_role_bindings()
    )
    everyone = ("system:authenticated",)
    assert rbac.authorize(User("a", ("system:masters",)), Attributes("delete", "x", "y"), policy).allowed
    assert rbac.authorize(User("a", everyone), Attributes("get", path="/openapi/v3"), policy).allowed
    assert rbac.authorize(
        User("a", everyone), Attributes("create", "authorization.k8s.io", "selfsubjectaccessreviews"), policy
    ).allowed
    assert not rbac.authorize(User("a", everyone), Attributes("list", resource="pods", namespace="n"), policy).allowed
    # nodes have the node authorizer, not a binding
    nodes = User("n", ("system:nodes",))
    assert not rbac.authorize(nodes, Attributes("get", resource="pods", namespace="n"), policy).allowed
    verbs = {one["metadata"]["name"]: one["rules"] for one in roles}
    assert verbs["view"]
    assert all(found in verbs["admin"] for found in verbs["view"])
