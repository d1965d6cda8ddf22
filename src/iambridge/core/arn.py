"""Amazon Resource Names: parse, and the canonical form that aws-auth compares.

Sources: AWS General Reference "Amazon Resource Names (ARNs)"; aws-iam-authenticator pkg/arn/arn.go.
"""

import re
from dataclasses import dataclass

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")

_ACCOUNT = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class Arn:
    """`arn:partition:service:region:account:resource`; `resource` may hold colons and slashes.

    >>> Arn.parse("arn:aws:iam::111122223333:role/team/reader").name
    'reader'
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> "Arn":
        """Split into the six parts.

        Raises:
            ValueError: not six parts, no `arn` prefix, or an empty partition, service or resource.
        """
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not (parts[1] and parts[2] and parts[5]):
            raise ValueError(f"not an ARN: `{text}`")
        return cls(*parts[1:])

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @property
    def resource_type(self) -> str:
        """What precedes the first slash of the resource, or all of it: `role`, `assumed-role`, `root`."""
        return self.resource.partition("/")[0]

    @property
    def name(self) -> str:
        """What follows the last slash of the resource: an IAM entity's name without its path."""
        return self.resource.rpartition("/")[2]


def canonical_arn(arn: str) -> str:
    """The IAM identity behind a caller's ARN: a role session becomes its role, the other identities stay.

    STS leaves a role's path out of a session's ARN, so the result has none either.

    Raises:
        ValueError: an unknown partition, an account that is not 12 digits, or not an IAM or STS identity.
    """
    parsed = Arn.parse(arn)
    if parsed.partition not in PARTITIONS:
        raise ValueError(f"unknown partition `{parsed.partition}` in `{arn}`")
    if _ACCOUNT.fullmatch(parsed.account) is None or parsed.region:
        raise ValueError(f"not an IAM identity: `{arn}`")
    segments = parsed.resource.split("/")
    match (parsed.service, segments[0]):
        case ("sts", "assumed-role") if len(segments) >= 3 and all(segments):
            return f"arn:{parsed.partition}:iam::{parsed.account}:role/{'/'.join(segments[1:-1])}"
        case ("sts", "federated-user") if len(segments) == 2 and all(segments):
            return arn
        case ("iam", "role" | "user") if len(segments) >= 2 and all(segments):
            return arn
        case ("iam", "root") if len(segments) == 1:
            return arn
    raise ValueError(f"not a user, role, role session, federated user or root: `{arn}`")
