"""Policy documents as texts: whether IAM would take one. What it means is core.iam_policy's."""

from iambridge.core.iam_policy import PolicyDocument, PolicyKind
from iambridge.errors import LimitExceeded


def check(text: str, kind: PolicyKind) -> None:
    """Parse and forget.

    Raises:
        MalformedPolicyDocument: with every fault.
    """
    PolicyDocument.parse(text, kind=kind)


def size(text: str) -> int:
    """Characters that count against a quota: white space does not (IAM User Guide, "IAM and STS quotas")."""
    return len(text) - sum(map(text.count, " \t\r\n"))


def refuse_large(text: str, limit: int, quota: str) -> None:
    if size(text) > limit:
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {limit}")
