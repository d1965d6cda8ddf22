"""The token that carries an AWS caller into Kubernetes: a presigned GetCallerIdentity behind `k8s-aws-v1.`.

`encode` makes one, `admissible` judges all that can be judged without AWS and rebuilds the call from validated fields,
`caller_identity` reads STS's answer. Only the standard library is imported: `iambridge token` starts from here.

Sources: aws-iam-authenticator pkg/token/token.go and pkg/arn; IAM User Guide, Signature Version 4.
"""

from iambridge.core.authenticator_token.caller_identity import CallerIdentity, caller_identity
from iambridge.core.authenticator_token.hosts import REGIONS, HostRules, regional_host
from iambridge.core.authenticator_token.token import (
    CLUSTER_ID_HEADER,
    LIFETIME,
    PREFIX,
    PresignedCallerIdentity,
    admissible,
    encode,
    still_admissible,
)

__all__ = [
    "CLUSTER_ID_HEADER",
    "LIFETIME",
    "PREFIX",
    "REGIONS",
    "CallerIdentity",
    "HostRules",
    "PresignedCallerIdentity",
    "admissible",
    "caller_identity",
    "encode",
    "regional_host",
    "still_admissible",
]
