"""How each AWS protocol family spells a request whose caller is not proven.

Sources: the common errors of the IAM, DynamoDB, EKS, EC2 and S3 API references; botocore's recorded responses.
"""

from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple

from iambridge.errors import AuthenticationFault as Fault
from iambridge.errors import RequestNotAuthenticated


class Family(StrEnum):
    """Query XML (STS, IAM, Auto Scaling, ELB), EC2, JSON 1.0/1.1 and REST JSON, and S3's REST XML."""

    QUERY = "query"
    EC2 = "ec2"
    JSON = "json"
    REST_JSON = "rest-json"
    S3 = "s3"


class Spelling(NamedTuple):
    code: str
    message: str
    status: int


_FORBIDDEN, _BAD, _UNAUTHORIZED = HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED
_OWN_WORDS = ""

_INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - an error message
_EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105 - an error message
_S3_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_SIGNATURE_FAULTS = (
    Fault.MISMATCH,
    Fault.EXPIRED_SIGNATURE,
    Fault.EXPIRED_PRESIGNED,
    Fault.NOT_YET_CURRENT,
    Fault.UNSIGNED_HEADERS,
    Fault.WRONG_SCOPE,
    Fault.PAYLOAD_MISMATCH,
    Fault.INVALID_EXPIRES,
    Fault.MALFORMED_PAYLOAD,
)

_QUERY: dict[Fault, Spelling] = {
    Fault.MISSING: Spelling("MissingAuthenticationToken", "Request is missing Authentication Token", _FORBIDDEN),
    Fault.INCOMPLETE: Spelling("IncompleteSignature", _OWN_WORDS, _BAD),
    Fault.UNSUPPORTED: Spelling("IncompleteSignature", _OWN_WORDS, _BAD),
    Fault.UNKNOWN_KEY: Spelling("InvalidClientTokenId", _INVALID_TOKEN, _FORBIDDEN),
    Fault.INACTIVE_KEY: Spelling("InvalidClientTokenId", _INVALID_TOKEN, _FORBIDDEN),
    Fault.INVALID_SESSION: Spelling("InvalidClientTokenId", _INVALID_TOKEN, _FORBIDDEN),
    Fault.EXPIRED_SESSION: Spelling("ExpiredToken", _EXPIRED_TOKEN, _FORBIDDEN),
    **{fault: Spelling("SignatureDoesNotMatch", _OWN_WORDS, _FORBIDDEN) for fault in _SIGNATURE_FAULTS},
}


def _json(status: int) -> dict[Fault, Spelling]:
    return {
        Fault.MISSING: Spelling("MissingAuthenticationTokenException", "Missing Authentication Token", status),
        Fault.INCOMPLETE: Spelling("IncompleteSignatureException", _OWN_WORDS, status),
        Fault.UNSUPPORTED: Spelling("IncompleteSignatureException", _OWN_WORDS, status),
        Fault.UNKNOWN_KEY: Spelling("UnrecognizedClientException", _INVALID_TOKEN, status),
        Fault.INACTIVE_KEY: Spelling("UnrecognizedClientException", _INVALID_TOKEN, status),
        Fault.INVALID_SESSION: Spelling("UnrecognizedClientException", _INVALID_TOKEN, status),
        Fault.EXPIRED_SESSION: Spelling("ExpiredTokenException", _EXPIRED_TOKEN, status),
        **{fault: Spelling("InvalidSignatureException", _OWN_WORDS, status) for fault in _SIGNATURE_FAULTS},
    }


_EC2: dict[Fault, Spelling] = {
    **{
        fault: Spelling("AuthFailure", "AWS was not able to validate the provided access credentials", _UNAUTHORIZED)
        for fault in Fault
    },
    Fault.MISSING: Spelling("MissingAuthenticationToken", "Request is missing Authentication Token", _FORBIDDEN),
    Fault.EXPIRED_SESSION: Spelling("RequestExpired", "Request has expired.", _BAD),
    Fault.EXPIRED_SIGNATURE: Spelling("RequestExpired", "Request has expired.", _BAD),
}

_S3: dict[Fault, Spelling] = {
    Fault.MISSING: Spelling("AccessDenied", "Access Denied", _FORBIDDEN),
    Fault.INCOMPLETE: Spelling("AuthorizationHeaderMalformed", _OWN_WORDS, _BAD),
    Fault.UNSUPPORTED: Spelling(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        _BAD,
    ),
    Fault.UNKNOWN_KEY: Spelling(
        "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", _FORBIDDEN
    ),
    Fault.INACTIVE_KEY: Spelling(
        "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", _FORBIDDEN
    ),
    Fault.INVALID_SESSION: Spelling("InvalidToken", "The provided token is malformed or otherwise invalid.", _BAD),
    Fault.EXPIRED_SESSION: Spelling("ExpiredToken", "The provided token has expired.", _BAD),
    Fault.MISMATCH: Spelling("SignatureDoesNotMatch", _S3_MISMATCH, _FORBIDDEN),
    Fault.EXPIRED_SIGNATURE: Spelling(
        "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", _FORBIDDEN
    ),
    Fault.NOT_YET_CURRENT: Spelling(
        "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", _FORBIDDEN
    ),
    Fault.EXPIRED_PRESIGNED: Spelling("AccessDenied", "Request has expired", _FORBIDDEN),
    Fault.INVALID_EXPIRES: Spelling("AuthorizationQueryParametersError", _OWN_WORDS, _BAD),
    Fault.UNSIGNED_HEADERS: Spelling("AccessDenied", _OWN_WORDS, _FORBIDDEN),
    Fault.WRONG_SCOPE: Spelling("AuthorizationHeaderMalformed", _OWN_WORDS, _BAD),
    Fault.PAYLOAD_MISMATCH: Spelling("XAmzContentSHA256Mismatch", _OWN_WORDS, _BAD),
    Fault.MALFORMED_PAYLOAD: Spelling("InvalidRequest", _OWN_WORDS, _BAD),
}

_TABLES: dict[Family, dict[Fault, Spelling]] = {
    Family.QUERY: _QUERY,
    Family.EC2: _EC2,
    Family.JSON: _json(_BAD),
    Family.REST_JSON: _json(_FORBIDDEN),
    Family.S3: _S3,
}


def spell(error: RequestNotAuthenticated, family: Family) -> Spelling:
    """The code, words and status of `error` in a protocol family; the error's own words where the family has none."""
    found = _TABLES[family][error.kind]
    return found if found.message else found._replace(message=error.message)
