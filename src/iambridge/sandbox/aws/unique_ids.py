"""Unique ids and access key ids, in the shapes AWS gives them.

Source: IAM User Guide, "IAM identifiers", unique ID prefixes. An access key id carries its account: base32
after its prefix, 80 bits of which the 40 after the first are the account's number (what sts:GetAccessKeyInfo decodes).
"""

import base64
import secrets
from functools import lru_cache
from itertools import product

from iambridge.adapters.randomness import random_bytes

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

USER = "AIDA"
GROUP = "AGPA"
ROLE = "AROA"
INSTANCE_PROFILE = "AIPA"
MANAGED_POLICY = "ANPA"
SERVER_CERTIFICATE = "ASCA"
ACCESS_KEY = "AKIA"
SESSION_KEY = "ASIA"

# two characters for ten bits: eight of them are an access key id without its prefix
_PAIRS = tuple(one + other for one, other in product(_ALPHABET, repeat=2))


def unique_id(prefix: str) -> str:
    """21 characters: the prefix and 17 drawn ones."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(17))


def access_key_id(prefix: str, account_id: str) -> str:
    """20 characters that name the account."""
    head, bit = _of_account(account_id)
    bits = bit | int.from_bytes(random_bytes(5)) >> 1
    return (
        f"{prefix}{head}{_PAIRS[bits >> 30]}{_PAIRS[bits >> 20 & 1023]}{_PAIRS[bits >> 10 & 1023]}{_PAIRS[bits & 1023]}"
    )


@lru_cache(maxsize=64)
def _of_account(account_id: str) -> tuple[str, int]:
    """The eight characters that all its access key ids have first, and its last bit where the other eight begin."""
    bits = 1 << 40 | int(account_id)
    return "".join(_PAIRS[bits >> shift & 1023] for shift in (31, 21, 11, 1)), (bits & 1) << 39


def account_of(key_id: str) -> str:
    """The 12 digits of the account that an access key id names.

    Raises:
        ValueError: not an access key id.
    """
    bits = int.from_bytes(base64.b32decode(key_id[4:20]), "big")
    return f"{bits >> 39 & (1 << 40) - 1:012d}"


def secret_access_key() -> str:
    """40 characters of base64: 240 random bits."""
    return base64.b64encode(random_bytes(30)).decode()
