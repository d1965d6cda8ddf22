"""Whether an S3 body is what its client says it is: Content-MD5 and x-amz-checksum headers and trailers. Pure.

What a presigned URL says in its query is not read: S3 ignores it (aws-sdk issue 480). The checksum of a multipart
object is checked where its parts are, in `moto_checksums`.
Source: S3 User Guide, "Checking object integrity"; S3 API Reference, PutObject, UploadPart, CreateMultipartUpload and
"Error responses".
"""

from collections.abc import Sequence

from iambridge.errors import AwsError, NotImplementedBySandbox
from iambridge.sandbox.aws.operations import Call
from iambridge.sandbox.aws.s3_checksum_algorithms import (
    COMPOSITE,
    COMPUTED,
    FULL_OBJECT,
    HEADER,
    NOT_COMPUTED,
    computed,
    decoded,
    types_of,
)
from iambridge.wire.http import Headers

Pairs = tuple[tuple[str, str], ...]

_SDK_ALGORITHM, _UPLOAD_ALGORITHM, _TYPE = "x-amz-sdk-checksum-algorithm", f"{HEADER}algorithm", f"{HEADER}type"
_SEVERAL = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
_NO_CHECKSUMS = frozenset({_UPLOAD_ALGORITHM, _TYPE, f"{HEADER}mode"})


class BadDigest(AwsError):
    code = "BadDigest"


class InvalidDigest(AwsError):
    code = "InvalidDigest"


class InvalidRequest(AwsError):
    code = "InvalidRequest"


class MalformedTrailerError(AwsError):
    code = "MalformedTrailerError"


def check(call: Call, content: bytes, trailers: Pairs) -> Pairs:
    """The headers to send on in place of the request's own of those names: moto sees no trailers.

    Raises:
        InvalidDigest, InvalidRequest, MalformedTrailerError: a digest that is none, too many of them, or none where
            one was announced.
        BadDigest: the digest of another body.
        NotImplementedBySandbox: one of an algorithm that is not computed here.
    """
    if stated := call.headers.get("content-md5"):
        _check_md5(stated, content)
    if call.operation == "CreateMultipartUpload":
        return _of_upload(call.headers)
    if call.operation == "CopyObject":
        algorithm = _to_compute(call.headers)
        return ((_UPLOAD_ALGORITHM, algorithm.upper()),) if algorithm else ()
    in_headers, in_trailers = _checksums(call.headers.items), _checksums(trailers)
    _refuse_several(in_headers, in_trailers)
    _refuse_other_trailers(call.headers, trailers)
    if call.operation == "CompleteMultipartUpload":
        # of the object that comes of the parts, not of this body
        return ()
    _refuse_other_algorithm(call.headers.get(_SDK_ALGORITHM), [*in_headers, *in_trailers])
    for found, word in ((in_headers, "header"), (in_trailers, "trailing header")):
        for algorithm, value in found.items():
            _check(algorithm, value, content, word)
            return (f"{HEADER}{algorithm}", value.strip()), (_SDK_ALGORITHM, algorithm.upper())
    return ()


def _check_md5(stated: str, content: bytes) -> None:
    if (found := decoded("md5", stated)) is None:
        raise InvalidDigest("The Content-MD5 you specified was invalid.")
    if found != computed("md5", content):
        raise BadDigest("The Content-MD5 you specified did not match what we received.")


def _check(algorithm: str, value: str, content: bytes, word: str) -> None:
    if (found := decoded(algorithm, value)) is None:
        raise InvalidRequest(f"Value for {HEADER}{algorithm} {word} is invalid.")
    if found != computed(algorithm, content):
        raise BadDigest(f"The {algorithm.upper()} you specified did not match the calculated checksum.")


def _checksums(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """By algorithm, in lower case.

    Raises:
        NotImplementedBySandbox: one that cannot be checked here.
    """
    found: dict[str, str] = {}
    for given, value in pairs:
        name = given.lower()
        if not name.startswith(HEADER) or name in _NO_CHECKSUMS:
            continue
        algorithm = name.removeprefix(HEADER)
        if algorithm not in COMPUTED:
            raise _not_computed(algorithm)
        if algorithm in found:
            raise InvalidRequest(_SEVERAL)
        found[algorithm] = value
    return found


def _refuse_several(in_headers: dict[str, str], in_trailers: dict[str, str]) -> None:
    if len(in_headers) > 1 or len(in_trailers) > 1:
        raise InvalidRequest(_SEVERAL)
    if in_headers and in_trailers:
        raise InvalidRequest("Expecting a single x-amz-checksum- header")


def _refuse_other_trailers(headers: Headers, trailers: Pairs) -> None:
    """A body without the trailer that was announced, or with one that is no checksum."""
    announced = [part.strip().lower() for part in headers.get("x-amz-trailer").split(",") if part.strip()]
    if any(not name.startswith(HEADER) for name in announced):
        raise InvalidRequest("The value specified in the x-amz-trailer header is not supported")
    if announced and not trailers:
        raise MalformedTrailerError(
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
            cause="x-amz-trailer announces a trailer, and the body is not one of aws-chunked that has it",
            fix="send the checksum as a header, or the body as STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        )


def _refuse_other_algorithm(announced: str, stated: Sequence[str]) -> None:
    if announced and not stated:
        raise InvalidRequest(
            f"{_SDK_ALGORITHM} specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
        )
    if announced and announced.lower() not in stated:
        raise InvalidRequest(f"Value for {_SDK_ALGORITHM} header is invalid.")


def _of_upload(headers: Headers) -> Pairs:
    """How an upload says that its parts will be checked: in upper case, and with the type that is the default."""
    algorithm, kind = _to_compute(headers), headers.get(_TYPE).upper()
    if kind and kind not in {COMPOSITE, FULL_OBJECT}:
        raise InvalidRequest(f"Value for {_TYPE} header is invalid.")
    if kind and not algorithm:
        raise InvalidRequest(f"The {_TYPE} header can only be used with the {_UPLOAD_ALGORITHM} header.")
    if not algorithm:
        return ()
    if kind and kind not in types_of(algorithm):
        raise InvalidRequest(f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.")
    return (_UPLOAD_ALGORITHM, algorithm.upper()), (_TYPE, kind or types_of(algorithm)[0])


def _to_compute(headers: Headers) -> str:
    """The algorithm that S3 shall use, in lower case; empty without one."""
    algorithm = headers.get(_UPLOAD_ALGORITHM).lower()
    if algorithm in NOT_COMPUTED:
        raise _not_computed(algorithm)
    if algorithm and algorithm not in COMPUTED:
        known = ", ".join(sorted(name.upper() for name in COMPUTED | NOT_COMPUTED))
        raise InvalidRequest(
            f"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{known}]"
        )
    return algorithm


def _not_computed(algorithm: str) -> NotImplementedBySandbox:
    return NotImplementedBySandbox(
        f"The checksum {HEADER}{algorithm[:64]} is not available in this sandbox: it could not be checked.",
        fix=f"let the client use one of {', '.join(sorted(name.upper() for name in COMPUTED))}",
    )
