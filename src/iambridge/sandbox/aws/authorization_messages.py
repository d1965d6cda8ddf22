"""Encoded authorization failure messages: sealed, for this account's DecodeAuthorizationMessage alone."""

import base64
import secrets
import zlib
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from iambridge.core.authorization_message import MAX_ENCODED, authorization_message
from iambridge.core.decision import Decision
from iambridge.core.iam_policy import AuthorizationRequest

_NONCE_BYTES = 12
_MAX_PLAIN = 256 * 1024
# associated data: what is sealed here can never be taken for a session token under the same key
_KIND = b"iambridge authorization message 1"


class AuthorizationMessages:
    """Uses the key that `SealedSessions` made in `key_file`."""

    def __init__(self, key_file: Path) -> None:
        self._cipher = AESGCM(key_file.read_bytes())

    def encode(self, request: AuthorizationRequest, decision: Decision) -> str:
        """The text after `Encoded authorization failure message: `; at most 10,240 characters, or empty."""
        plain = zlib.compress(authorization_message(request, decision).encode(), 6)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        encoded = base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, _KIND)).rstrip(b"=").decode()
        return encoded if len(encoded) <= MAX_ENCODED else ""

    def decode(self, encoded: str) -> str | None:
        """The message, or None for what this account did not encode."""
        if len(encoded) > MAX_ENCODED or not encoded.isascii():
            return None
        try:
            sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return zlib.decompressobj().decompress(self._cipher.decrypt(nonce, rest, _KIND), _MAX_PLAIN).decode()
        except (ValueError, InvalidTag, zlib.error):
            return None
