"""Checksums of multipart uploads with boto3: of each part, and of the object that they become."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import refusal

from iambridge.sandbox.aws.s3_checksum_algorithms import computed, encoded

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

BUCKET = "parts"
# a part that is not the last must be this large
LARGE, LAST = b"A" * 5 * 1024 * 1024, b"the end"
_NUMBERS = itertools.count()
COMPOSITES, WHOLES = ("CRC32", "CRC32C", "SHA1", "SHA256", "SHA512"), ("CRC32", "CRC32C", "CRC64NVME")


def checksum(name: str, content: bytes) -> dict[str, str]:
    return {f"Checksum{name}": encoded(computed(name.lower(), content))}


def composite(name: str, *parts: bytes) -> dict[str, str]:
    together = b"".join(computed(name.lower(), part) for part in parts)
    return {f"Checksum{name}": f"{checksum(name, together)[f'Checksum{name}']}-{len(parts)}"}


class Upload:
    """One multipart upload of one client, without checksums but those that are given."""

    def __init__(self, client: Any, **created: Any) -> None:
        self.client = client
        self.of = {"Bucket": BUCKET, "Key": f"{next(_NUMBERS)}/"}
        self.created = client.create_multipart_upload(**self.of, **created)
        self.of["UploadId"] = self.created["UploadId"]
        self.parts: list[dict[str, Any]] = []

    def part(self, content: bytes, **stated: str) -> None:
        number = len(self.parts) + 1
        etag = self.client.upload_part(**self.of, PartNumber=number, Body=content, **stated)["ETag"]
        self.parts.append({"PartNumber": number, "ETag": etag, **stated})

    def refused_part(self, **stated: str) -> tuple[str, str, int]:
        return refusal(self.client.upload_part, **self.of, PartNumber=1, Body=LAST, **stated)

    def complete(self, **stated: str) -> Any:
        return self.client.complete_multipart_upload(**self.of, MultipartUpload={"Parts": self.parts}, **stated)

    def refused(self, **stated: str) -> tuple[str, str, int]:
        found = refusal(self.complete, **stated)
        assert "Contents" not in self.client.list_objects_v2(Bucket=BUCKET, Prefix=self.of["Key"])
        return found

    def told(self) -> dict[str, str]:
        return told(self.client, self.of["Key"])


def told(client: Any, key: str) -> dict[str, str]:
    """The checksums of an object as S3 tells them."""
    found = client.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
    return {name: value for name, value in found.items() if name.startswith("Checksum") and name != "ChecksumType"}


@pytest.fixture(scope="module")
def bare(running: "RunningAccount") -> Any:
    client = running.client("s3", request_checksum_calculation="when_required")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_composite_checksum_is_of_the_parts_checksums(bare: Any, name: str) -> None:
    upload = Upload(bare, ChecksumAlgorithm=name)
    assert upload.created["ChecksumType"] == "COMPOSITE"
    upload.part(LARGE, **checksum(name, LARGE))
    upload.part(LAST, **checksum(name, LAST))
    wrong = upload.refused(**composite(name, LARGE, LARGE))
    assert wrong[:2] == ("BadDigest", f"The {name.lower()} you specified did not match the calculated checksum.")
    whole = composite(name, LARGE, LAST)
    upload.complete(**whole)
    assert upload.told() == whole


@pytest.mark.parametrize("name", WHOLES)
def test_a_full_object_checksum_is_of_all_bytes(bare: Any, name: str) -> None:
    upload = Upload(bare, ChecksumAlgorithm=name, ChecksumType="FULL_OBJECT")
    upload.part(LARGE, **checksum(name, LARGE))
    upload.part(LAST)
    assert upload.refused(**checksum(name, LARGE))[0] == "BadDigest"
    upload.complete(ChecksumType="FULL_OBJECT", **checksum(name, LARGE + LAST))
    assert upload.told() == checksum(name, LARGE + LAST)


def test_the_type_of_crc64nvme_is_full_object(bare: Any) -> None:
    assert Upload(bare, ChecksumAlgorithm="CRC64NVME").created["ChecksumType"] == "FULL_OBJECT"


def test_boto3s_own_upload_is_verified(running: "RunningAccount", bare: Any, tmp_path: Path) -> None:
    """upload_file makes parts of a large file and states a CRC-32 of each, unasked."""
    file = tmp_path / "large"
    file.write_bytes(LARGE * 2)
    running.client("s3").upload_file(str(file), BUCKET, "large")
    assert told(bare, "large") == composite("CRC32", *_eights(LARGE * 2))


@pytest.mark.parametrize("name", ["CRC32", "SHA256"])
def test_the_aws_clis_own_upload_is_verified(running: "RunningAccount", bare: Any, tmp_path: Path, name: str) -> None:
    """A large file goes up in parts and comes back verified. Without awscrt the CLI computes no other CRC."""
    large, back, admin = tmp_path / "large", tmp_path / "back", running.account.admin
    large.write_bytes(LARGE * 2)
    keys = {"AWS_ACCESS_KEY_ID": admin.id, "AWS_SECRET_ACCESS_KEY": admin.secret}
    environment = {**keys, "AWS_ENDPOINT_URL": running.url, "AWS_CA_BUNDLE": running.ca, "AWS_REGION": "us-east-1"}
    place = f"s3://{BUCKET}/cli-{name}"
    for words in (
        (str(large), place, "--checksum-algorithm", name),
        (place, str(back), "--checksum-mode", "ENABLED"),
    ):
        command = [str(Path(sys.executable).parent / "aws"), "s3", "cp", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    assert back.read_bytes() == large.read_bytes()
    assert told(bare, f"cli-{name}") == composite(name, *_eights(LARGE * 2))


def _eights(content: bytes) -> list[bytes]:
    """The parts that upload_file makes."""
    size = 8 * 1024 * 1024
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("name", ["CRC32C", "SHA256"])
def test_a_copy_of_parts_is_one_object(bare: Any, name: str) -> None:
    upload = Upload(bare, ChecksumAlgorithm=name)
    upload.part(LARGE, **checksum(name, LARGE))
    upload.part(LAST, **checksum(name, LAST))
    upload.complete()
    source = f"{BUCKET}/{upload.of['Key']}"
    copied = bare.copy_object(Bucket=BUCKET, Key="copy", CopySource=source)["CopyObjectResult"]
    assert copied[f"Checksum{name}"] == checksum(name, LARGE + LAST)[f"Checksum{name}"]
    assert told(bare, "copy") == checksum(name, LARGE + LAST)
    assert upload.told() == composite(name, LARGE, LAST)
    bare.copy_object(Bucket=BUCKET, Key="copy", CopySource=source, ChecksumAlgorithm="CRC64NVME")
    assert told(bare, "copy") == checksum("CRC64NVME", LARGE + LAST)


@pytest.mark.parametrize(("name", "code"), [("nope", "InvalidRequest"), ("XXHASH64", "NotImplemented")])
def test_a_copys_checksum_is_one_that_is_computed(bare: Any, name: str, code: str) -> None:
    bare.put_object(Bucket=BUCKET, Key="source", Body=LAST)
    copy = {"Bucket": BUCKET, "Key": "copied", "CopySource": f"{BUCKET}/source"}
    assert refusal(bare.copy_object, **copy, ChecksumAlgorithm=name)[0] == code


CREATED: list[tuple[dict[str, str], str, str]] = [
    (
        {"ChecksumAlgorithm": "nope"},
        "InvalidRequest",
        (
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C,"
            " CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]"
        ),
    ),
    (
        {"ChecksumAlgorithm": "XXHASH3"},
        "NotImplemented",
        "The checksum x-amz-checksum-xxhash3 is not available in this sandbox: it could not be checked.",
    ),
    (
        {"ChecksumType": "COMPOSITE"},
        "InvalidRequest",
        "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
    ),
    (
        {"ChecksumAlgorithm": "CRC32", "ChecksumType": "HALF"},
        "InvalidRequest",
        "Value for x-amz-checksum-type header is invalid.",
    ),
    (
        {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
        "InvalidRequest",
        "The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm.",
    ),
    (
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
        "InvalidRequest",
        "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
    ),
]


@pytest.mark.parametrize(("given", "code", "message"), CREATED, ids=["-".join(given.values()) for given, *_ in CREATED])
def test_an_upload_that_could_not_be_checked_is_refused(bare: Any, given: Any, code: str, message: str) -> None:
    assert refusal(bare.create_multipart_upload, Bucket=BUCKET, Key="k", **given)[:2] == (code, message)


def test_a_part_has_the_checksum_that_its_upload_asks_for(bare: Any) -> None:
    upload = Upload(bare, ChecksumAlgorithm="SHA256")
    mismatch = "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: "
    assert upload.refused_part()[:2] == ("InvalidRequest", mismatch + "null")
    assert upload.refused_part(**checksum("CRC32C", LAST))[:2] == ("InvalidRequest", mismatch + "crc32c")
    assert upload.refused_part(**checksum("SHA256", LARGE))[0] == "BadDigest"


def test_a_completion_states_what_each_part_had(bare: Any) -> None:
    upload = Upload(bare, ChecksumAlgorithm="CRC32C")
    upload.part(LAST, **checksum("CRC32C", LAST))
    (good,) = upload.parts
    told = {name: value for name, value in good.items() if name != "ChecksumCRC32C"}
    for stated, code in (
        (told, "InvalidRequest"),
        ({**told, **checksum("CRC32C", LARGE)}, "InvalidPart"),
        ({**told, **checksum("CRC32", LAST)}, "InvalidPart"),
        ({**told, "ChecksumCRC32C": "AAAA"}, "InvalidArgument"),
        ({**good, **checksum("CRC32", LAST)}, "InvalidArgument"),
        ({**told, "ChecksumXXHASH3": "AAAAAAAAAAA="}, "InvalidArgument"),
    ):
        upload.parts = [stated]
        assert upload.refused()[0] == code, stated
    upload.parts = [good]
    upload.complete()


def test_a_completion_is_of_the_algorithm_and_type_of_its_upload(bare: Any) -> None:
    upload = Upload(bare, ChecksumAlgorithm="CRC32")
    upload.part(LAST, **checksum("CRC32", LAST))
    mismatch = "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: crc64nvme"
    assert upload.refused(**checksum("CRC64NVME", LAST))[:2] == ("InvalidRequest", mismatch)
    mode = "The upload was created using the COMPOSITE checksum mode. The complete request must use the same checksum mode."
    assert upload.refused(ChecksumType="FULL_OBJECT")[:2] == ("InvalidRequest", mode)
    assert upload.refused(**checksum("CRC32", LAST), **checksum("CRC64NVME", LAST))[0] == "InvalidRequest"


def test_an_upload_without_an_algorithm_is_checked_by_what_the_completion_says(bare: Any) -> None:
    upload = Upload(bare)
    upload.part(LAST)
    assert upload.refused(**checksum("CRC64NVME", LARGE))[0] == "BadDigest"
    assert upload.refused(**composite("SHA256", LARGE))[0] == "BadDigest"
    assert upload.refused(ChecksumCRC32="AAAA")[0] == "InvalidRequest"
    upload.complete(**checksum("CRC64NVME", LAST))


def test_a_copied_part_counts(bare: Any) -> None:
    """Its bytes came from another object, and the checksum of the whole is of them too."""
    bare.put_object(Bucket=BUCKET, Key="source", Body=LAST)
    upload = Upload(bare, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
    copied = bare.upload_part_copy(**upload.of, PartNumber=1, CopySource=f"{BUCKET}/source")["CopyPartResult"]
    upload.parts = [{"PartNumber": 1, "ETag": copied["ETag"]}]
    assert upload.refused(**checksum("CRC64NVME", LARGE))[0] == "BadDigest"
    upload.complete(**checksum("CRC64NVME", LAST))
