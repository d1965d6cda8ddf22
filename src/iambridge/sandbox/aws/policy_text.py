"""Policy documents as texts: whether IAM would take one. What it means is core.iam_policy's."""

from iambridge.core.iam_policy import PolicyDocument, PolicyKind, size
from iambridge.errors import LimitExceeded

_ANY_SIZE = 1_000_000


def check(text: str, kind: PolicyKind) -> None:
    """Parse and forget.

    Raises:
        MalformedPolicyDocument: with every fault.
    """
    # quotas are for the caller, in its own words: they count before anything is read
    PolicyDocument.parse(text, kind=kind, limit=_ANY_SIZE)


def refuse_large(text: str, limit: int, quota: str) -> None:
    if size(text) > limit:
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {limit}")
