"""Checksums of multipart uploads, where their parts are: in the process that holds moto.

moto checks none, and where a library is missing it answers with the CRC-32 of a body in place of its CRC-32C or
CRC-64/NVME, which clients that verify what they read take for a broken object.
Source: S3 User Guide, "Checking object integrity in multipart uploads"; S3 API Reference, UploadPart and
CompleteMultipartUpload. Words: see the compatibility ledger.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from iambridge.sandbox.aws.s3_checksum_algorithms import (
    COMPOSITE,
    COMPUTED,
    FULL_OBJECT,
    HEADER,
    computed,
    decoded,
    encoded,
    of_parts,
    types_of,
)

_ELEMENT = "Checksum"


def install() -> None:
    """Called once, when moto is loaded."""
    from moto.s3 import models, responses  # noqa: PLC0415 - loaded with the application

    def compute_checksum(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:  # noqa: FBT001, FBT002
        found = computed(algorithm.lower(), body)
        return encoded(found).encode() if encode_base64 else found

    models.compute_checksum = responses.compute_checksum = compute_checksum
    upload_part: Callable[[Any], Any] = responses.S3Response.upload_part
    copied: Callable[..., None] = models.S3Backend.copy_object
    head_object: Callable[..., Any] = responses.S3Response.head_object
    parts: Callable[[Any, bytes], Iterator[tuple[int, str]]] = responses.S3Response._complete_multipart_body  # noqa: SLF001

    def checked_part(response: Any) -> Any:
        if (upload := _upload(response)) is not None:
            _check_part(upload, response.headers)
        return upload_part(response)

    def checked_parts(response: Any, body: bytes) -> Iterator[tuple[int, str]]:
        if (upload := _upload(response)) is not None:
            _check_completion(upload, body, response.headers)
        return parts(response, body)

    def qualified_head(response: Any, *arguments: Any, **named: Any) -> Any:
        status, headers, body = head_object(response, *arguments, **named)
        return status, _qualified(headers), body

    def copy_object(backend: Any, src_key: Any, bucket: str, key: str, *arguments: Any, **named: Any) -> None:
        copied(backend, src_key, bucket, key, *arguments, **named)
        _recompute(src_key, backend.get_object(bucket, key))

    models.S3Backend.copy_object = copy_object
    responses.S3Response.upload_part = checked_part
    responses.S3Response.head_object = qualified_head
    responses.S3Response._complete_multipart_body = checked_parts  # noqa: SLF001


def _recompute(source: Any, copy: Any) -> None:
    """A copy is one object whatever its source was made of: its checksum is of its bytes."""
    if source.checksum_algorithm:
        copy.checksum_value = encoded(computed(source.checksum_algorithm.lower(), copy.value))
        copy.checksum_type = FULL_OBJECT
        copy.set_metadata({f"{HEADER}type": FULL_OBJECT})


def _qualified(headers: Mapping[str, Any]) -> dict[str, Any]:
    """With the number of parts behind a composite checksum, which moto tells of GetObject only."""
    told = {name.lower(): value for name, value in headers.items()}
    if told.get(f"{HEADER}type") != COMPOSITE:
        return dict(headers)
    number = told["etag"].strip('"').rpartition("-")[2]
    names = {f"{HEADER}{algorithm}" for algorithm in COMPUTED}
    return {name: f"{value}-{number}" if name.lower() in names else value for name, value in headers.items()}


def _upload(response: Any) -> Any:
    bucket = response.backend.get_bucket(response.bucket_name)
    return bucket.multiparts.get((response.querystring.get("uploadId") or [""])[0])


def _stated(headers: Mapping[str, str]) -> tuple[str, str]:
    """The algorithm and the value; the gateway let one through at most."""
    found = ((name, headers.get(f"{HEADER}{name}")) for name in sorted(COMPUTED))
    return next(((name, value) for name, value in found if value), ("", ""))


def _check_part(upload: Any, headers: Mapping[str, str]) -> None:
    """Raises S3ClientError. The gateway has held the checksum against the part."""
    wanted, kind = _of_upload(upload)
    algorithm, _ = _stated(headers)
    if wanted and algorithm != wanted and (algorithm or kind == COMPOSITE):
        raise _mismatch(wanted, algorithm)


def _check_completion(upload: Any, body: bytes, headers: Mapping[str, str]) -> None:
    """Raises S3ClientError: as S3 refuses to make an object of other parts than its client meant."""
    wanted, kind = _of_upload(upload)
    stated_kind = (headers.get(f"{HEADER}type") or "").upper()
    if wanted and stated_kind and stated_kind != kind:
        raise _error(
            "InvalidRequest",
            f"The upload was created using the {kind} checksum mode. The complete request must use the same checksum"
            " mode.",
        )
    # moto reads the same document right after, and refuses what is none
    found = [element for element in ET.fromstring(body).iter() if _name(element) == "Part"]  # noqa: S314 - see above
    contents = [content for element in found if (content := _check_listed(upload, element, wanted, kind)) is not None]
    algorithm, value = _stated(headers)
    if not algorithm or len(contents) != len(found):
        return
    if wanted and algorithm != wanted:
        raise _mismatch(wanted, algorithm)
    if not wanted:
        kind = COMPOSITE if "-" in value else FULL_OBJECT
    if decoded(algorithm, value.partition("-")[0]) is None:
        raise _error("InvalidRequest", f"Value for {HEADER}{algorithm} header is invalid.")
    if value != of_parts(algorithm, kind, contents):
        raise _error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def _check_listed(upload: Any, element: ET.Element, wanted: str, kind: str) -> bytes | None:
    """The content of a part of a completion, or None where moto will miss the part."""
    told = {_name(child): (child.text or "").strip() for child in element}
    number = told.get("PartNumber", "")
    part = upload.parts.get(int(number)) if number.isdecimal() else None
    if part is None:
        return None
    stated = {name.removeprefix(_ELEMENT).lower(): text for name, text in told.items() if name.startswith(_ELEMENT)}
    if wanted and not stated and kind == COMPOSITE:
        raise _error(
            "InvalidRequest",
            f"The upload was created using a {wanted} checksum. The complete request must include the checksum for"
            f" each part. It was missing for part {number} in the request.",
        )
    content: bytes = part.value
    for algorithm, text in stated.items():
        checksum = decoded(algorithm, text) if algorithm in COMPUTED else None
        if checksum is None or len(stated) > 1:
            raise _error("InvalidArgument", "Invalid Base64 or multiple checksums present in request")
        if algorithm != wanted or checksum != computed(algorithm, content):
            from moto.s3.exceptions import InvalidPart  # noqa: PLC0415 - loaded with the application

            raise InvalidPart
    return content


def _of_upload(upload: Any) -> tuple[str, str]:
    """Algorithm and type as the upload was created with; empty without one."""
    algorithm = (upload.metadata.get(f"{HEADER}algorithm") or "").lower()
    kind = upload.metadata.get(f"{HEADER}type") or (types_of(algorithm)[0] if algorithm else "")
    return algorithm, kind


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _mismatch(wanted: str, found: str) -> Exception:
    return _error(
        "InvalidRequest",
        f"Checksum Type mismatch occurred, expected checksum Type: {wanted}, actual checksum Type: {found or 'null'}",
    )


def _error(code: str, message: str) -> Exception:
    from moto.s3.exceptions import S3ClientError  # noqa: PLC0415 - loaded with the application

    error: Exception = S3ClientError(code, message)
    return error
