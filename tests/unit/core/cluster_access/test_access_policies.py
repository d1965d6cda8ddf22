import pytest

from iambridge.core.cluster_access import AccessPolicy, authorize_by_access_policies
from iambridge.core.cluster_access.access_policies import policy_arn, policy_name
from iambridge.core.rbac import Attributes, Rule, uncovered
from iambridge.sandbox.cluster.objects import bootstrap_rbac

ADMIN, EDIT, VIEW = (AccessPolicy(f"AmazonEKS{name}Policy") for name in ("Admin", "Edit", "View"))
CLUSTER_ADMIN = AccessPolicy("AmazonEKSClusterAdminPolicy")
ADMIN_VIEW = AccessPolicy("AmazonEKSAdminViewPolicy")


def test_each_policy_holds_what_the_lesser_one_does() -> None:
    """As the user guide's tables do: view, edit, admin, cluster-admin."""
    for lesser, greater in ((VIEW, EDIT), (EDIT, ADMIN), (ADMIN, CLUSTER_ADMIN), (VIEW, ADMIN_VIEW)):
        assert uncovered(greater.rules, lesser.rules) == ()
        assert uncovered(lesser.rules, greater.rules) != ()


@pytest.mark.parametrize(
    ("policy", "labels"), [(VIEW, ("view",)), (EDIT, ("view", "edit")), (ADMIN, ("view", "edit", "admin"))]
)
def test_a_policy_stays_within_the_cluster_role_it_is_alike(policy: AccessPolicy, labels: tuple[str, ...]) -> None:
    """Kubernetes' own view, edit and admin cover every rule of it."""
    wanted = [f"system:aggregate-to-{label}" for label in labels]
    rules = [
        Rule.of(rule)
        for role in bootstrap_rbac.cluster_roles()
        if role["metadata"]["name"] in wanted
        for rule in role["rules"]
    ]
    assert len(rules) > 5
    assert uncovered(rules, policy.rules) == ()


@pytest.mark.parametrize(
    ("policy", "attributes", "allowed"),
    [
        (VIEW, Attributes("list", "", "pods", namespace="a"), True),
        (VIEW, Attributes("list", "", "pods"), True),
        (VIEW, Attributes("list", "", "secrets", namespace="a"), False),
        (ADMIN_VIEW, Attributes("list", "", "secrets", namespace="a"), True),
        (ADMIN_VIEW, Attributes("delete", "", "secrets", namespace="a"), False),
        (EDIT, Attributes("create", "", "pods", "exec", namespace="a"), True),
        (EDIT, Attributes("create", "example.org", "widgets", namespace="a"), False),
        (EDIT, Attributes("create", "", "serviceaccounts", "token", namespace="a"), False),
        (ADMIN, Attributes("create", "rbac.authorization.k8s.io", "rolebindings", namespace="a"), True),
        (ADMIN, Attributes("bind", "rbac.authorization.k8s.io", "clusterroles"), False),
        (CLUSTER_ADMIN, Attributes("*", "*", "*"), True),
        (CLUSTER_ADMIN, Attributes("get", path="/metrics"), True),
        (ADMIN, Attributes("get", path="/metrics"), False),
        (AccessPolicy("AmazonEKSAdminPolicy", ("a", "dev-*")), Attributes("list", "", "pods", namespace="dev-1"), True),
        (AccessPolicy("AmazonEKSAdminPolicy", ("a", "dev-*")), Attributes("list", "", "pods", namespace="b"), False),
        (AccessPolicy("AmazonEKSAdminPolicy", ("a",)), Attributes("list", "", "pods"), False),
        (AccessPolicy("AmazonEKSClusterAdminPolicy", ("a",)), Attributes("*", "*", "*"), False),
        (AccessPolicy("AmazonEKSViewPolicy", ("a.b",)), Attributes("list", "", "pods", namespace="axb"), False),
    ],
)
def test_what_a_policy_grants_where(policy: AccessPolicy, attributes: Attributes, *, allowed: bool) -> None:
    assert authorize_by_access_policies([policy], attributes).allowed is allowed


def test_a_policy_that_is_not_modelled_leaves_it_open() -> None:
    """Its reason says so by code, so that nobody takes the denial for one."""
    decision = authorize_by_access_policies([AccessPolicy("AmazonEKSNewPolicy")], Attributes("get", "", "pods"))
    assert [reason.code for reason in decision.reasons] == ["policy-not-modelled"]


def test_names_and_arns() -> None:
    assert policy_name(policy_arn("AmazonEKSViewPolicy", "aws-cn")) == "AmazonEKSViewPolicy"
    assert policy_name("AmazonEKSViewPolicy") == "AmazonEKSViewPolicy"
