"""Policy documents as texts: whether IAM would take one. What it means is core.iam_policy's."""

from iambridge.core.iam_policy import PolicyDocument, PolicyKind, size
from iambridge.errors import LimitExceeded, MalformedPolicyDocument

_ANY_SIZE = 1_000_000
_TOLD = 20


def check(text: str, kind: PolicyKind) -> PolicyDocument:
    """The document, read.

    Raises:
        MalformedPolicyDocument: AWS's words, and after them every fault with its path.
    """
    # quotas are for the caller, in its own words: they count before anything is read
    try:
        return PolicyDocument.parse(text, kind=kind, limit=_ANY_SIZE)
    except MalformedPolicyDocument as error:
        told = "; ".join(f"{fault.path or 'document'}: {fault.message}" for fault in error.faults[:_TOLD])
        raise MalformedPolicyDocument(f"{error.message} ({told})", faults=error.faults) from error


def refuse_large(text: str, limit: int, quota: str) -> None:
    if size(text) > limit:
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {limit}")
