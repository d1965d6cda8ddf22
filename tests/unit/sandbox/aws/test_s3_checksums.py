"""Checksums of S3 bodies with boto3 over a real socket: a body other than the one that was meant is not kept."""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import refusal

from iambridge.sandbox.aws.s3_checksum_algorithms import COMPUTED, computed, decoded, encoded

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

BUCKET = "digests"
# the input of the check values of every catalogue of CRCs
BODY = b"123456789"
CHECKS = {"CRC32": "y/Q5Jg==", "CRC32C": "4waSgw==", "CRC64NVME": "rosUhgp5mIg="}
SEVERAL = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."


def digest(name: str, content: bytes) -> str:
    return base64.b64encode(hashlib.new(name, content, usedforsecurity=False).digest()).decode()


@pytest.fixture(scope="module")
def s3(running: "RunningAccount") -> Any:
    client = running.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="module")
def bare(running: "RunningAccount", s3: Any) -> Any:
    """A client that adds no checksum of its own."""
    return running.client("s3", request_checksum_calculation="when_required")


@pytest.mark.parametrize("name", CHECKS)
def test_a_crc_is_the_one_of_the_catalogue(name: str) -> None:
    assert encoded(computed(name.lower(), BODY)) == CHECKS[name]
    assert computed(name.lower(), b"") == bytes(8 if name == "CRC64NVME" else 4)


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512"])
def test_a_hash_is_hashlibs(name: str) -> None:
    assert encoded(computed(name, BODY)) == digest(name, BODY)


def test_a_checksum_has_one_spelling() -> None:
    """Base64 that decodes to the same bytes with other last bits is none, as S3 judges it."""
    assert decoded("crc32", "y/Q5Jg==") is not None
    assert [decoded("crc32", text) for text in ("y/Q5Jh==", "y/Q5Jg=", "y/Q5J", "y^/Q5Jg==", "shrt")] == [None] * 5


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"ContentMD5": digest("md5", b"other")}, "BadDigest"),
    ({"ContentMD5": "no digest"}, "InvalidDigest"),
    ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
    ({"ChecksumCRC32": "AAAA"}, "InvalidRequest"),
    ({"ChecksumCRC32": "y/Q5Jh=="}, "InvalidRequest"),
    ({"ChecksumCRC32C": "AAAAAA=="}, "BadDigest"),
    ({"ChecksumCRC32C": CHECKS["CRC32"]}, "BadDigest"),
    ({"ChecksumCRC32C": CHECKS["CRC64NVME"]}, "InvalidRequest"),
    ({"ChecksumCRC64NVME": "AAAAAAAAAAA="}, "BadDigest"),
    ({"ChecksumCRC64NVME": CHECKS["CRC32"]}, "InvalidRequest"),
    ({"ChecksumSHA1": digest("sha1", b"other")}, "BadDigest"),
    ({"ChecksumSHA256": digest("sha256", b"other")}, "BadDigest"),
    ({"ChecksumSHA512": digest("sha512", b"other")}, "BadDigest"),
    ({"ChecksumMD5": digest("md5", b"other")}, "BadDigest"),
    ({"ChecksumCRC32": CHECKS["CRC32"], "ChecksumSHA1": digest("sha1", BODY)}, "InvalidRequest"),
    ({"ChecksumCRC32": CHECKS["CRC32"], "ChecksumCRC64NVME": CHECKS["CRC64NVME"]}, "InvalidRequest"),
    ({"ChecksumXXHASH64": "AAAAAAAAAAA="}, "NotImplemented"),
    ({"ChecksumXXHASH3": "AAAAAAAAAAA="}, "NotImplemented"),
    ({"ChecksumXXHASH128": "AAAAAAAAAAAAAAAAAAAAAA=="}, "NotImplemented"),
]


@pytest.mark.parametrize(("given", "code"), WRONG, ids=[f"{'-'.join(given)}-{code}" for given, code in WRONG])
def test_a_body_of_another_digest_is_refused(s3: Any, given: dict[str, Any], code: str) -> None:
    found = refusal(s3.put_object, Bucket=BUCKET, Key="k", Body=BODY, **given)
    assert (found[0], found[2]) == (code, 501 if code == "NotImplemented" else 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="k")


@pytest.mark.parametrize(
    "given",
    [
        {"ContentMD5": digest("md5", BODY)},
        {"ChecksumCRC32C": CHECKS["CRC32C"]},
        {"ChecksumCRC64NVME": CHECKS["CRC64NVME"]},
        {"ChecksumSHA256": digest("sha256", BODY)},
        {"ChecksumSHA512": digest("sha512", BODY)},
        {"ChecksumMD5": digest("md5", BODY)},
        {"ChecksumAlgorithm": "SHA1"},
        {"ChecksumAlgorithm": "CRC32"},
        {"ChecksumAlgorithm": "CRC32C", "ChecksumCRC32C": CHECKS["CRC32C"]},
    ],
    ids=lambda given: "-".join(map(str, given.items())),
)
def test_a_body_of_its_digest_is_kept(s3: Any, given: dict[str, Any]) -> None:
    s3.put_object(Bucket=BUCKET, Key="kept", Body=BODY, **given)
    assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == BODY


@pytest.mark.parametrize("name", [*CHECKS, "SHA256", "SHA512"])
def test_a_checksum_that_was_proved_is_told_again(s3: Any, name: str) -> None:
    """Whether or not the client said its algorithm beside it."""
    value = encoded(computed(name.lower(), BODY))
    put = s3.put_object(Bucket=BUCKET, Key="told", Body=BODY, **{f"Checksum{name}": value})
    assert put[f"Checksum{name}"] == value
    assert s3.head_object(Bucket=BUCKET, Key="told", ChecksumMode="ENABLED")[f"Checksum{name}"] == value


def test_a_trailers_checksum_is_told_again(s3: Any) -> None:
    """boto3 sends its CRC-32 in a trailer."""
    assert s3.put_object(Bucket=BUCKET, Key="trailed", Body=BODY)["ChecksumCRC32"] == CHECKS["CRC32"]
    assert s3.head_object(Bucket=BUCKET, Key="trailed", ChecksumMode="ENABLED")["ChecksumCRC32"] == CHECKS["CRC32"]


def sent(client: Any, headers: dict[str, str]) -> Any:
    """PutObject with headers that the client does not know, signed like the rest."""

    def add(request: Any, **_: Any) -> None:
        for name, value in headers.items():
            request.headers[name] = value

    client.meta.events.register("before-sign.s3.PutObject", add)
    try:
        return refusal(client.put_object, Bucket=BUCKET, Key="sent", Body=BODY)
    finally:
        client.meta.events.unregister("before-sign.s3.PutObject", add)


MISSTATED: list[tuple[dict[str, str], str, str]] = [
    (
        {"x-amz-sdk-checksum-algorithm": "CRC32C"},
        "InvalidRequest",
        (
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were"
            " found."
        ),
    ),
    (
        {"x-amz-sdk-checksum-algorithm": "SHA256", "x-amz-checksum-crc32": CHECKS["CRC32"]},
        "InvalidRequest",
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
    ),
    ({"x-amz-checksum-crc32": CHECKS["CRC32"], "x-amz-checksum-crc32c": CHECKS["CRC32C"]}, "InvalidRequest", SEVERAL),
    (
        {"x-amz-trailer": "x-amz-checksum-crc64nvme"},
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    ),
    (
        {"x-amz-trailer": "x-amz-meta-late"},
        "InvalidRequest",
        "The value specified in the x-amz-trailer header is not supported",
    ),
    (
        {"x-amz-checksum-sha3": "AAAA"},
        "NotImplemented",
        "The checksum x-amz-checksum-sha3 is not available in this sandbox: it could not be checked.",
    ),
]


@pytest.mark.parametrize(("headers", "code", "message"), MISSTATED, ids=["-".join(given) for given, *_ in MISSTATED])
def test_headers_that_do_not_agree_are_refused(bare: Any, headers: dict[str, str], code: str, message: str) -> None:
    assert sent(bare, headers)[:2] == (code, message)


def test_a_header_and_a_trailer_are_one_too_many(s3: Any) -> None:
    """The client adds its CRC-32 as a trailer to what the header says."""
    found = sent(s3, {"x-amz-checksum-sha256": digest("sha256", BODY)})
    assert found[:2] == ("InvalidRequest", "Expecting a single x-amz-checksum- header")


def test_a_trailer_of_another_body_is_refused(bare: Any) -> None:
    found = trailed(bare, "x-amz-checksum-crc64nvme", CHECKS["CRC64NVME"], b"other")
    assert found[:2] == ("BadDigest", "The CRC64NVME you specified did not match the calculated checksum.")


def trailed(client: Any, name: str, value: str, content: bytes) -> Any:
    """PutObject of an aws-chunked body with the trailer that is given, as SDKs send it."""
    framed = b"%x\r\n%s\r\n0\r\n%s:%s\r\n\r\n" % (len(content), content, name.encode(), value.encode())

    def stream(request: Any, **_: Any) -> None:
        request.headers["x-amz-trailer"] = name
        request.headers["x-amz-decoded-content-length"] = str(len(content))
        request.headers["content-encoding"] = "aws-chunked"
        # what makes botocore sign STREAMING-UNSIGNED-PAYLOAD-TRAILER
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}

    client.meta.events.register("before-sign.s3.PutObject", stream)
    try:
        return refusal(client.put_object, Bucket=BUCKET, Key="trailed-bad", Body=framed)
    finally:
        client.meta.events.unregister("before-sign.s3.PutObject", stream)


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_a_trailer_that_is_none_is_refused(bare: Any, name: str) -> None:
    found = trailed(bare, f"x-amz-checksum-{name}", "AAAA", BODY)
    assert found[:2] == ("InvalidRequest", f"Value for x-amz-checksum-{name} trailing header is invalid.")
