"""The bridge itself: a proven web identity token, an OIDC provider and a role's trust policy become a decision.

Sources: AWS STS API Reference, AssumeRoleWithWebIdentity; IAM User Guide, "Available keys for AWS OIDC federation" and
"Pass session tags in AWS STS".
"""

from iambridge.core.role_trust.condition_keys import (
    role_keys,
    session_keys,
    tag_keys,
    web_identity_context,
    web_identity_keys,
)
from iambridge.core.role_trust.judging import (
    WEB_IDENTITY,
    actions_asked,
    federated,
    judge_subject,
    judge_web_identity,
    role_missing,
)
from iambridge.core.role_trust.parties import OidcProvider, TrustedRole, provider_urls
from iambridge.core.role_trust.session import Context, Session, SessionTags
from iambridge.core.role_trust.token_tags import SOURCE_IDENTITY_CLAIM, TAGS_CLAIM, session_tags

__all__ = [
    "SOURCE_IDENTITY_CLAIM",
    "TAGS_CLAIM",
    "WEB_IDENTITY",
    "Context",
    "OidcProvider",
    "Session",
    "SessionTags",
    "TrustedRole",
    "actions_asked",
    "federated",
    "judge_subject",
    "judge_web_identity",
    "provider_urls",
    "role_keys",
    "role_missing",
    "session_keys",
    "session_tags",
    "tag_keys",
    "web_identity_context",
    "web_identity_keys",
]
