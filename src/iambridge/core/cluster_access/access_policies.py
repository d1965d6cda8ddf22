"""EKS access policies as rules: what an access entry may do without any binding that RBAC shows.

Source: EKS User Guide, "Review access policy permissions". A policy that is not listed here is not modelled, and what
it grants is undetermined, never nothing. Scopes: "Associate access policies with access entries".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.rbac import Attributes, Rule

HOP = "eks access policies"
CLUSTER_ADMIN = "AmazonEKSClusterAdminPolicy"
_PATH = "cluster-access-policy/"

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")


def _rule(group: str, verbs: tuple[str, ...], resources: str) -> Rule:
    return Rule(verbs, (group,), tuple(resources.split()))


_VIEW = (
    _rule("", _READ, "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
          "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status"),
    _rule("", _READ, "bindings events limitranges namespaces namespaces/status pods/log pods/status "
          "replicationcontrollers/status resourcequotas resourcequotas/status"),
    _rule("apps", _READ, "controllerrevisions daemonsets daemonsets/status deployments deployments/scale "
          "deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale "
          "statefulsets/status"),
    _rule("autoscaling", _READ, "horizontalpodautoscalers horizontalpodautoscalers/status"),
    _rule("batch", _READ, "cronjobs cronjobs/status jobs jobs/status"),
    _rule("discovery.k8s.io", _READ, "endpointslices"),
    _rule("extensions", _READ, "daemonsets daemonsets/status deployments deployments/scale deployments/status "
          "ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status "
          "replicationcontrollers/scale"),
    _rule("networking.k8s.io", _READ, "ingresses ingresses/status networkpolicies"),
    _rule("policy", _READ, "poddisruptionbudgets poddisruptionbudgets/status"),
)  # fmt: skip
_EDIT = (
    *_VIEW,
    _rule("", _READ, "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    _rule("", _WRITE, "pods pods/attach pods/exec pods/portforward pods/proxy"),
    _rule("", _WRITE, "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale "
          "secrets serviceaccounts services services/proxy"),
    _rule("", ("impersonate",), "serviceaccounts"),
    _rule("apps", _WRITE, "daemonsets deployments deployments/rollback deployments/scale replicasets "
          "replicasets/scale statefulsets statefulsets/scale"),
    _rule("autoscaling", _WRITE, "horizontalpodautoscalers"),
    _rule("batch", _WRITE, "cronjobs jobs"),
    _rule("extensions", _WRITE, "daemonsets deployments deployments/rollback deployments/scale ingresses "
          "networkpolicies replicasets replicasets/scale replicationcontrollers/scale"),
    _rule("networking.k8s.io", _WRITE, "ingresses networkpolicies"),
    _rule("policy", _WRITE, "poddisruptionbudgets"),
)  # fmt: skip
_ADMIN = (
    *_EDIT,
    _rule("authorization.k8s.io", ("create",), "localsubjectaccessreviews"),
    _rule("rbac.authorization.k8s.io", (*_READ, *_WRITE), "rolebindings roles"),
)
_RULES = {
    CLUSTER_ADMIN: (_rule("*", ("*",), "*"), Rule(("*",), non_resource_urls=("*",))),
    "AmazonEKSAdminPolicy": _ADMIN,
    "AmazonEKSEditPolicy": _EDIT,
    "AmazonEKSViewPolicy": _VIEW,
    "AmazonEKSAdminViewPolicy": (_rule("*", _READ, "*"),),
    "AmazonEKSSecretReaderPolicy": (_rule("", _READ, "secrets"),),
}


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """A policy by its name and where it holds: `namespaces` may have `*` in them; without any, the whole cluster."""

    name: str
    namespaces: tuple[str, ...] = ()

    @property
    def modelled(self) -> bool:
        return self.name in _RULES

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Empty for a policy that is not modelled."""
        return _RULES.get(self.name, ())

    def reaches(self, namespace: str) -> bool:
        """Whether it holds in `namespace`; empty stands for all of them, and for what has none."""
        return not self.namespaces or (bool(namespace) and any(_like(one, namespace) for one in self.namespaces))

    def __str__(self) -> str:
        scope = f"namespaces {', '.join(self.namespaces)}" if self.namespaces else "the cluster"
        return f"access policy {self.name} in {scope}"


def policy_name(arn: str) -> str:
    """The name in an access policy's ARN; a name stays."""
    return arn.rpartition(_PATH)[2] or arn


def policy_arn(name: str, partition: str = "aws") -> str:
    return f"arn:{partition}:eks::aws:{_PATH}{name}"


def authorize_by_access_policies(policies: Iterable[AccessPolicy], attributes: Attributes) -> Decision:
    """Allowed by the first policy in reach that has such a rule. A reason `policy-not-modelled` leaves it open."""
    reasons = []
    for policy in policies:
        if not policy.reaches(attributes.namespace):
            reasons.append(Reason("scope", "it does not reach there", str(policy)))
        elif not policy.modelled:
            reasons.append(Reason("policy-not-modelled", f"what {policy.name} grants is not known here", str(policy)))
        elif any(_matches(rule, attributes) for rule in policy.rules):
            return Decision(HOP, Outcome.ALLOWED, (Reason("policy-grants", f"allowed by {policy}", str(policy), True),))
        else:
            reasons.append(Reason("policy-grants-not", "no rule of it matches", str(policy)))
    return Decision(HOP, Outcome.IMPLICIT_DENY, tuple(reasons))


def _matches(rule: Rule, attributes: Attributes) -> bool:
    if not rule.matches_verb(attributes.verb):
        return False
    if attributes.path:
        return rule.matches_path(attributes.path)
    return rule.matches_group(attributes.group) and rule.matches_resource(attributes.resource, attributes.subresource)


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
