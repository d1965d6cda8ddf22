"""Role-based access control: user and groups + bindings -> Decision.

Source: the Kubernetes RBAC authorizer (plugin/pkg/auth/authorizer/rbac) and its escalation check (pkg/registry/rbac).
"""

from iambridge.core.rbac.authorize import RulesStatus, authorize, forbidden_details, forbidden_message, rules_for
from iambridge.core.rbac.escalation import aggregated_rules, escalation, uncovered
from iambridge.core.rbac.policy import Attributes, Binding, Policy, User
from iambridge.core.rbac.rules import Rule

__all__ = [
    "Attributes",
    "Binding",
    "Policy",
    "Rule",
    "RulesStatus",
    "User",
    "aggregated_rules",
    "authorize",
    "escalation",
    "forbidden_details",
    "forbidden_message",
    "rules_for",
    "uncovered",
]
