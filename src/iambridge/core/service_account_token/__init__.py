"""The token a cluster issues to a pod and STS receives as a web identity token: issue, read, verify, judge.

`UnverifiedToken.parse` reads the bytes and believes nothing; only `verify` makes `VerifiedClaims`; time and audience
are judged on those. Signatures are RS256/384/512 and ES256/384/512, and the key fixes the algorithm, never the token.

Sources: RFC 7515, 7517, 7518, 7519; OpenID Connect Core 1.0 and Discovery 1.0; Kubernetes pkg/serviceaccount; AWS STS
API Reference, AssumeRoleWithWebIdentity.
"""

from iambridge.core.service_account_token.claims import (
    BoundObject,
    check_audience,
    check_times,
    missing_claim,
    projected_claims,
)
from iambridge.core.service_account_token.issuer import (
    KeySet,
    discovery_document,
    jwks,
    parse_discovery_document,
    parse_jwks,
    read_jwks,
)
from iambridge.core.service_account_token.keys import SigningKey, VerificationKey
from iambridge.core.service_account_token.proofs import Proofs
from iambridge.core.service_account_token.renewal import REFRESH_FRACTION, refresh_time
from iambridge.core.service_account_token.token import UnverifiedToken, VerifiedClaims, issue, verify

__all__ = [
    "REFRESH_FRACTION",
    "BoundObject",
    "KeySet",
    "Proofs",
    "SigningKey",
    "UnverifiedToken",
    "VerificationKey",
    "VerifiedClaims",
    "check_audience",
    "check_times",
    "discovery_document",
    "issue",
    "jwks",
    "missing_claim",
    "parse_discovery_document",
    "parse_jwks",
    "projected_claims",
    "read_jwks",
    "refresh_time",
    "verify",
]
