"""The checksums that S3 knows, computed: what the gateway and the process that holds moto share. Pure.

XXHASH64, XXHASH3 and XXHASH128 are not computed here, and a request that states one is refused by name.
Source: S3 User Guide, "Checking object integrity".
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

COMPOSITE, FULL_OBJECT = "COMPOSITE", "FULL_OBJECT"
HEADER = "x-amz-checksum-"


@lru_cache
def _model(name: str) -> Any:
    import anycrc  # noqa: PLC0415 - 20 ms, for the first such body only

    return anycrc.Model(name)


def _hashed(name: str, content: bytes) -> bytes:
    return hashlib.new(name, content, usedforsecurity=False).digest()


_COMPUTED: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda content: zlib.crc32(content).to_bytes(4),
    "crc32c": lambda content: _model("CRC32-ISCSI").calc(content).to_bytes(4),
    "crc64nvme": lambda content: _model("CRC64-NVME").calc(content).to_bytes(8),
    **{name: partial(_hashed, name) for name in ("md5", "sha1", "sha256", "sha512")},
}
_LENGTHS = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
COMPUTED = frozenset(_COMPUTED)
NOT_COMPUTED = frozenset({"xxhash64", "xxhash3", "xxhash128"})


def computed(algorithm: str, content: bytes) -> bytes:
    """The checksum of `content` by an algorithm of `COMPUTED`."""
    return _COMPUTED[algorithm](content)


def decoded(algorithm: str, text: str) -> bytes | None:
    """The checksum that `text` states, or None when it is none of this algorithm's in base64's one spelling for it."""
    try:
        found = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == _LENGTHS[algorithm] and encoded(found) == text.strip() else None


def encoded(checksum: bytes) -> str:
    return base64.b64encode(checksum).decode()


def types_of(algorithm: str) -> tuple[str, ...]:
    """The types that a multipart upload may have, its default first: only a CRC can be of the whole object."""
    if algorithm == "crc64nvme":
        return (FULL_OBJECT,)
    return (COMPOSITE, FULL_OBJECT) if algorithm.startswith("crc") else (COMPOSITE,)


def of_parts(algorithm: str, kind: str, parts: Sequence[bytes]) -> str:
    """The checksum of the object that a multipart upload makes of its parts."""
    if kind == FULL_OBJECT:
        return encoded(computed(algorithm, b"".join(parts)))
    together = b"".join(computed(algorithm, part) for part in parts)
    return f"{encoded(computed(algorithm, together))}-{len(parts)}"
