"""Policy documents as texts: whether IAM would take one. What it means is core.iam_policy's."""

from collections.abc import Iterator, Sequence

from iambridge.core.iam_policy import PolicyDocument, PolicyKind, size
from iambridge.errors import DocumentFault, LimitExceeded, MalformedPolicyDocument

_ANY_SIZE = 1_000_000
_TOLD = 20
_NEWEST = "2012-10-17"
# how an ARN of IAM's may go on after the account: AWS's list as it tells it, and what it takes beside it
_IAM_TYPES = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
    "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
)  # fmt: skip
_IAM_TYPES_TOO = ("root", "assumed-role/", "delegation-request/", "role-template/")


def check(text: str, kind: PolicyKind) -> PolicyDocument:
    """The document, read.

    Raises:
        MalformedPolicyDocument: AWS's words, and after them every fault with its path.
    """
    # quotas are for the caller, in its own words: they count before anything is read
    try:
        document = PolicyDocument.parse(text, kind=kind, limit=_ANY_SIZE)
    except MalformedPolicyDocument as error:
        raise _told(error.message, error.faults) from error
    if faults := list(_arn_faults(document)):
        raise _told(faults[0][1], [fault for fault, _ in faults])
    return document


def check_managed(text: str) -> None:
    """As `check`, for a managed policy: those came later than the first version of the language, and never take it.

    Raises:
        MalformedPolicyDocument.
    """
    if check(text, PolicyKind.IDENTITY).version != _NEWEST:
        fault = DocumentFault("Version", f"is not {_NEWEST}; a document without one is 2008-10-17")
        raise _told("Policy document must be version 2012-10-17 or greater.", [fault])


def _told(message: str, faults: Sequence[DocumentFault]) -> MalformedPolicyDocument:
    told = "; ".join(f"{fault.path or 'document'}: {fault.message}" for fault in faults[:_TOLD])
    return MalformedPolicyDocument(f"{message} ({told})", faults=faults)


def _arn_faults(document: PolicyDocument) -> Iterator[tuple[DocumentFault, str]]:
    """Resources that name what no ARN of S3 or IAM has, each with AWS's line."""
    for index, statement in enumerate(document.statements):
        element = statement.resource
        for value in element.values if element is not None else ():
            path = f"Statement[{index}].{'NotResource' if element and element.negated else 'Resource'}"
            _, _, service, region, _, name = (value.split(":", 5) + [""] * 5)[:6]
            if service == "s3" and region:
                fault = DocumentFault(path, f"`{value}`: an ARN of S3 has no region")
                yield fault, f"Resource {value} can not contain region information."
            elif service == "iam" and region:
                fault = DocumentFault(path, f"`{value}`: an ARN of IAM has no region")
                yield fault, f"IAM resource {value} cannot contain region information."
            elif service == "iam" and not _iam_type(name):
                fault = DocumentFault(path, f"`{value}` is not of a kind that IAM has")
                yield fault, f'IAM resource path must either be "*" or start with {", ".join(_IAM_TYPES)}.'


def _iam_type(name: str) -> bool:
    """Whether the rest of an ARN may name something of IAM's; what has a wildcard or variable early may."""
    kind = name.partition("/")[0]
    return any(sign in kind for sign in "*?$") or name.startswith((*_IAM_TYPES, *_IAM_TYPES_TOO))


def refuse_large(text: str, limit: int, quota: str) -> None:
    if size(text) > limit:
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {limit}")
