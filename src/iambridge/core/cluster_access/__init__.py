"""Who reaches a cluster from AWS, and what for: access entries, aws-auth, access policies and RBAC joined.

Each of those is judged in a room of its own; here is which goes before which, and what they give together.

Sources: EKS User Guide, "Grant IAM users access to Kubernetes APIs", "Create access entries", "Review access policy
permissions"; Kubernetes, "Role Based Access Control Good Practices".
"""

from iambridge.core.cluster_access.access_entries import (
    NOT_EKS,
    AccessEntry,
    AuthenticationMode,
    EksAccess,
)
from iambridge.core.cluster_access.access_policies import (
    CLUSTER_ADMIN,
    AccessPolicy,
    authorize_by_access_policies,
    policy_arn,
)
from iambridge.core.cluster_access.principals import Principal, principals
from iambridge.core.cluster_access.smells import of_entries, shadowed
from iambridge.core.cluster_access.who_can import (
    BECOMING_ADMIN,
    Can,
    Step,
    Undetermined,
    is_cluster_admin,
    other_admins,
    who_can,
)

__all__ = [
    "BECOMING_ADMIN",
    "CLUSTER_ADMIN",
    "NOT_EKS",
    "AccessEntry",
    "AccessPolicy",
    "AuthenticationMode",
    "Can",
    "EksAccess",
    "Principal",
    "Step",
    "Undetermined",
    "authorize_by_access_policies",
    "is_cluster_admin",
    "of_entries",
    "other_admins",
    "policy_arn",
    "principals",
    "shadowed",
    "who_can",
]
