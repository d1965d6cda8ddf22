"""Unique ids and access key ids, in the shapes AWS gives them.

Source: IAM User Guide, "IAM identifiers", unique ID prefixes. An access key id carries its account: base32
after its prefix, 80 bits of which the 40 after the first are the account's number (what sts:GetAccessKeyInfo decodes).
"""

import base64
import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

USER = "AIDA"
GROUP = "AGPA"
ROLE = "AROA"
INSTANCE_PROFILE = "AIPA"
MANAGED_POLICY = "ANPA"
ACCESS_KEY = "AKIA"
SESSION_KEY = "ASIA"


def unique_id(prefix: str) -> str:
    """21 characters: the prefix and 17 drawn ones."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(17))


def access_key_id(prefix: str, account_id: str) -> str:
    """20 characters that name the account."""
    return prefix + base64.b32encode(_bits(int(account_id)).to_bytes(10, "big")).decode()


def _bits(account: int) -> int:
    return 1 << 79 | account << 39 | secrets.randbits(39)


def account_of(key_id: str) -> str:
    """The 12 digits of the account that an access key id names.

    Raises:
        ValueError: not an access key id.
    """
    bits = int.from_bytes(base64.b32decode(key_id[4:20]), "big")
    return f"{bits >> 39 & (1 << 40) - 1:012d}"


def secret_access_key() -> str:
    """40 characters of base64: 240 random bits."""
    return base64.b64encode(secrets.token_bytes(30)).decode()
