"""A node may do what its own pods need."""

from typing import Any

import pytest

from iambridge.core.rbac import Attributes, User
from iambridge.sandbox.cluster.node_authorization import NodeAuthorizer, node_of, referenced
from iambridge.sandbox.cluster.objects import bootstrap_rbac

NODE = User("system:node:n1", ("system:nodes", "system:authenticated"))
POD: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "nodeName": "n1",
        "serviceAccountName": "seller",
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [
            {"name": "a", "secret": {"secretName": "mounted"}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "ca"}}]}},
        ],
        "containers": [
            {
                "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "keyed", "key": "k"}}}, {"name": "Y"}],
                "envFrom": [{"configMapRef": {"name": "whole"}}],
            }
        ],
    },
}
ELSEWHERE = {**POD, "metadata": {"name": "other", "namespace": "shop"}, "spec": {**POD["spec"], "nodeName": "n2"}}
ROLE = next(role for role in bootstrap_rbac.cluster_roles() if role["metadata"]["name"] == "system:node")
AUTHORIZER = NodeAuthorizer(lambda: [POD, ELSEWHERE], lambda: ROLE)


def test_a_pods_references_are_all_found() -> None:
    """Volumes, projections, environment and pull secrets count."""
    assert referenced(POD, "secrets") == {"mounted", "projected", "keyed", "pull"}
    assert referenced(POD, "configmaps") == {"ca", "whole"}


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        (Attributes("get", "", "secrets", "", "shop", "mounted"), True),
        (Attributes("get", "", "secrets", "", "shop", "another"), False),
        (Attributes("get", "", "secrets", "", "bank", "mounted"), False),
        (Attributes("list", "", "secrets", "", "shop"), False),
        (Attributes("create", "", "serviceaccounts", "token", "shop", "seller"), True),
        (Attributes("create", "", "serviceaccounts", "token", "shop", "buyer"), False),
        (Attributes("patch", "", "nodes", "status", "", "n1"), True),
        (Attributes("patch", "", "nodes", "status", "", "n2"), False),
        (Attributes("patch", "", "pods", "status", "shop", "web"), True),
        (Attributes("patch", "", "pods", "status", "shop", "other"), False),
        (Attributes("delete", "", "pods", "", "shop", "other"), False),
        (Attributes("create", "", "pods", "", "shop"), False),
        (Attributes("watch", "", "pods"), True),
        (Attributes("update", "coordination.k8s.io", "leases", "", "kube-node-lease", "n1"), True),
        (Attributes("update", "coordination.k8s.io", "leases", "", "kube-node-lease", "n2"), False),
        (Attributes("update", "coordination.k8s.io", "leases", "", "shop", "n1"), False),
    ],
)
def test_only_related_objects(attributes: Attributes, allowed: bool) -> None:  # noqa: FBT001 - a case's answer
    """What no pod of the node names is denied, with the reason."""
    decision = AUTHORIZER.decide(NODE, attributes)
    assert decision is not None
    assert decision.allowed is allowed


def test_no_opinion_beyond_the_role_and_for_others() -> None:
    """What `system:node` does not grant, and users that are no nodes, are left to RBAC."""
    assert AUTHORIZER.decide(NODE, Attributes("delete", "", "secrets", "", "shop", "mounted")) is None
    assert AUTHORIZER.decide(User("system:node:n1"), Attributes("get", "", "secrets", "", "shop", "mounted")) is None
    assert node_of(User("ann", ("system:nodes",))) == ""
