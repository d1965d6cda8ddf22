"""Session tokens that are the session: sealed with AES-256-GCM under a key of the data directory.

Issuing writes nothing, checking reads nothing, and a restart forgets nothing. See docs/decisions/0004.
"""

import base64
import binascii
import zlib
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from iambridge.adapters.private_file import write_private
from iambridge.adapters.randomness import random_bytes
from iambridge.core.role_trust import Session
from iambridge.errors import InputError, PackedPolicyTooLarge

_PLAIN, _DEFLATED = b"\x02", b"\x03"  # the first byte says how, and is sealed along
_DEFLATE_OVER = 1024  # below, deflating takes longer than all the rest of sealing, and saves little
_NONCE_BYTES = 12  # NIST SP 800-38D: 96 random bits are good for 2^32 tokens under one key
_TAG_BYTES = 16
_KEY_BYTES = 32
_MAX_CHARACTERS = 8192
_MAX_PLAIN = 64 * 1024
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_DECODER = msgspec.msgpack.Decoder(Session)
_ENCODER = msgspec.msgpack.Encoder()


class SealedSessions:
    """Opens or creates the key in `key_file` (0600).

    Raises:
        InputError: the file is not a key of ours.
    """

    def __init__(self, key_file: Path) -> None:
        if not key_file.exists():
            write_private(key_file, AESGCM.generate_key(_KEY_BYTES * 8))
        key = key_file.read_bytes()
        if len(key) != _KEY_BYTES:
            raise InputError(
                "the session key is damaged",
                where=str(key_file),
                fix="restore the file, or delete it: sessions issued so far then end",
            )
        self._cipher = AESGCM(key)

    def seal(self, session: Session, least: int = 0) -> str:
        """The session token, of `least` characters or more.

        Raises:
            PackedPolicyTooLarge: session policies and tags would make it longer than 8,192 characters.
        """
        plain, version = _ENCODER.encode(session), _PLAIN
        if len(plain) > _DEFLATE_OVER:
            plain, version = zlib.compress(plain), _DEFLATED
        if least:
            plain, version = _at_least(least, plain, version)
        nonce = random_bytes(_NONCE_BYTES)
        sealed = version + nonce + self._cipher.encrypt(nonce, plain, version)
        token = binascii.b2a_base64(sealed, newline=False).translate(_URL_SAFE, b"=").decode()
        if len(token) > _MAX_CHARACTERS:
            raise PackedPolicyTooLarge(
                "Serialized token too large for session",
                fix="pass fewer or shorter session tags, or a shorter session policy",
            )
        return token

    def unseal(self, session_token: str) -> Session | None:
        if len(session_token) > _MAX_CHARACTERS or not session_token.isascii():
            return None
        try:
            sealed = base64.b64decode(session_token + "=" * (-len(session_token) % 4), altchars=b"-_", validate=True)
            version, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
            if version not in {_PLAIN, _DEFLATED} or len(nonce) != _NONCE_BYTES:
                return None
            plain = self._cipher.decrypt(nonce, rest, version)
            if version == _DEFLATED:
                plain = zlib.decompressobj().decompress(plain, _MAX_PLAIN)
            return _DECODER.decode(plain)
        except (ValueError, InvalidTag, zlib.error, msgspec.MsgspecError):
            return None


def _at_least(least: int, plain: bytes, version: bytes) -> tuple[bytes, bytes]:
    """`plain` long enough for a token of `least` characters; zeros after a deflated stream are not read."""
    wanted = -(-least * 3 // 4) - len(version) - _NONCE_BYTES - _TAG_BYTES
    if len(plain) >= wanted:
        return plain, version
    if version == _PLAIN:
        plain = zlib.compress(plain)
    return plain + bytes(max(0, wanted - len(plain))), _DEFLATED
