"""IAM policies: documents read with every fault, and requests judged against them with every reason.

Belongs here: the policy language and the evaluation logic, from texts and facts to a `Decision`. Does not: fetching
policies, mapping operations to actions, or spelling an error on the wire. Start at `evaluate.judge`.
"""

from iambridge.core.iam_policy.document import PolicyDocument
from iambridge.core.iam_policy.evaluate import authorize, evaluate_trust, trust_alone
from iambridge.core.iam_policy.grammar import size
from iambridge.core.iam_policy.layers import Layer
from iambridge.core.iam_policy.messages import access_denied_message
from iambridge.core.iam_policy.reading import (
    GROUP_LIMIT,
    LIMITS,
    MANAGED_LIMIT,
    ROLE_LIMIT,
    USER_LIMIT,
    PolicyKind,
)
from iambridge.core.iam_policy.request import (
    AuthorizationRequest,
    Context,
    NamedDocument,
    Policies,
    Principal,
    PrincipalKind,
)
from iambridge.errors import DocumentFault, MalformedPolicyDocument

__all__ = [
    "GROUP_LIMIT",
    "LIMITS",
    "MANAGED_LIMIT",
    "ROLE_LIMIT",
    "USER_LIMIT",
    "AuthorizationRequest",
    "Context",
    "DocumentFault",
    "Layer",
    "MalformedPolicyDocument",
    "NamedDocument",
    "Policies",
    "PolicyDocument",
    "PolicyKind",
    "Principal",
    "PrincipalKind",
    "access_denied_message",
    "authorize",
    "evaluate_trust",
    "size",
    "trust_alone",
]
