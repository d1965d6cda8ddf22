"""Whether an S3 body is what its client says it is: Content-MD5 and x-amz-checksum headers and trailers. Pure.

CRC32C and CRC64NVME are not computed: nothing here does so at a bearable price, and the body is proven by its
signature or TLS all the same. Source: S3 User Guide, "Checking object integrity"; S3 API Reference, "Error responses".
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable

from iambridge.errors import AwsError
from iambridge.sandbox.aws.operations import Call

_CHECKSUM = "x-amz-checksum-"
_COMPUTED: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda content: zlib.crc32(content).to_bytes(4),
    "sha1": lambda content: hashlib.sha1(content, usedforsecurity=False).digest(),
    "sha256": lambda content: hashlib.sha256(content).digest(),
}
_LENGTHS = {"crc32": 4, "sha1": 20, "sha256": 32}
# their header speaks of the object that comes of the parts
_NOT_OF_THE_BODY = frozenset({"CompleteMultipartUpload"})


class BadDigest(AwsError):
    code = "BadDigest"


class InvalidDigest(AwsError):
    code = "InvalidDigest"


class InvalidRequest(AwsError):
    code = "InvalidRequest"


def check(call: Call, content: bytes, trailers: Iterable[tuple[str, str]]) -> None:
    """Raises:
    InvalidDigest, InvalidRequest: a digest that is none.
    BadDigest: the digest of another body.
    """
    if stated := call.headers.get("content-md5"):
        if (digest := _decoded(stated, 16)) is None:
            raise InvalidDigest("The Content-MD5 you specified was invalid.")
        if digest != hashlib.md5(content, usedforsecurity=False).digest():
            raise BadDigest("The Content-MD5 you specified did not match what we received.")
    if call.operation in _NOT_OF_THE_BODY:
        return
    for name, value in (*call.headers.items, *trailers):
        kind = name.lower().removeprefix(_CHECKSUM)
        if kind == name.lower() or kind not in _COMPUTED:
            continue
        if (digest := _decoded(value, _LENGTHS[kind])) is None:
            raise InvalidRequest(f"Value for {_CHECKSUM}{kind} header is invalid.")
        if digest != _COMPUTED[kind](content):
            raise BadDigest(f"The {kind.upper()} you specified did not match the calculated checksum.")


def _decoded(value: str, length: int) -> bytes | None:
    try:
        found = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == length else None
