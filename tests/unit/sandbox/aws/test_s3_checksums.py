"""Digests of S3 bodies with boto3 over a real socket: a body other than the one that was meant is not kept."""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import refusal

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

BUCKET = "digests"
BODY = b"the body"


def digest(name: str, content: bytes) -> str:
    return base64.b64encode(hashlib.new(name, content, usedforsecurity=False).digest()).decode()


@pytest.fixture(scope="module")
def s3(running: "RunningAccount") -> Any:
    client = running.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"ContentMD5": digest("md5", b"other")}, "BadDigest"),
    ({"ContentMD5": "no digest"}, "InvalidDigest"),
    ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
    ({"ChecksumCRC32": "AAAA"}, "InvalidRequest"),
    ({"ChecksumSHA1": digest("sha1", b"other")}, "BadDigest"),
    ({"ChecksumSHA256": digest("sha256", b"other")}, "BadDigest"),
]


@pytest.mark.parametrize(("given", "code"), WRONG, ids=[f"{next(iter(given))}-{code}" for given, code in WRONG])
def test_a_body_of_another_digest_is_refused(s3: Any, given: dict[str, Any], code: str) -> None:
    found = refusal(s3.put_object, Bucket=BUCKET, Key="k", Body=BODY, **given)
    assert (found[0], found[2]) == (code, 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="k")


@pytest.mark.parametrize(
    "given",
    [
        {"ContentMD5": digest("md5", BODY)},
        {"ChecksumSHA256": digest("sha256", BODY)},
        {"ChecksumAlgorithm": "SHA1"},
        {"ChecksumAlgorithm": "CRC32"},
    ],
    ids=lambda given: "-".join(map(str, given.items())),
)
def test_a_body_of_its_digest_is_kept(s3: Any, given: dict[str, Any]) -> None:
    s3.put_object(Bucket=BUCKET, Key="kept", Body=BODY, **given)
    assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == BODY


def test_parts_are_checked_each_and_the_whole_is_not(s3: Any) -> None:
    """CompleteMultipartUpload's checksum is the object's, not its XML's."""
    upload = {"Bucket": BUCKET, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, ChecksumAlgorithm="SHA256")["UploadId"]
    wrong = refusal(s3.upload_part, **upload, PartNumber=1, Body=BODY, ChecksumSHA256=digest("sha256", b"other"))
    assert wrong[0] == "BadDigest"
    part = s3.upload_part(**upload, PartNumber=1, Body=BODY, ChecksumSHA256=digest("sha256", BODY))
    whole = digest("sha256", hashlib.sha256(BODY).digest()) + "-1"
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts, ChecksumSHA256=whole)
    assert s3.get_object(Bucket=BUCKET, Key="parts")["Body"].read() == BODY
