"""A webhook that is its own certificate authority: what its Secret holds, and which single step comes next.

Belongs here: judging certificates and dates. Making keys, reading Secrets and writing them is the adapters'.
"""

from iambridge.core.serving_trust.state import (
    AUTHORITY_NAME,
    CA_BUNDLE,
    CA_CERTIFICATE,
    CA_KEY,
    CERTIFICATE,
    KEY,
    KeyPair,
    TrustState,
    bundle_pem,
    certificates_in,
    issued_by,
    read_state,
)
from iambridge.core.serving_trust.steps import (
    AUTHORITY_DAYS,
    LEAF_DAYS,
    SETTLE_SECONDS,
    NewAuthority,
    NewLeaf,
    Publish,
    Step,
    Trust,
    is_published,
    next_step,
    verifies,
)

__all__ = [
    "AUTHORITY_DAYS",
    "AUTHORITY_NAME",
    "CA_BUNDLE",
    "CA_CERTIFICATE",
    "CA_KEY",
    "CERTIFICATE",
    "KEY",
    "LEAF_DAYS",
    "SETTLE_SECONDS",
    "KeyPair",
    "NewAuthority",
    "NewLeaf",
    "Publish",
    "Step",
    "Trust",
    "TrustState",
    "bundle_pem",
    "certificates_in",
    "is_published",
    "issued_by",
    "next_step",
    "read_state",
    "verifies",
]
