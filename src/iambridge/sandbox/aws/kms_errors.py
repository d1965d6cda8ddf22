"""KMS's own errors about grants, spelled as its API reference does."""

from http import HTTPStatus

from iambridge.errors import AwsError


class KmsNotFound(AwsError):
    code = "NotFoundException"


class KmsDisabled(AwsError):
    code = "DisabledException"
    status = HTTPStatus.CONFLICT


class KmsInvalidState(AwsError):
    code = "KMSInvalidStateException"
    status = HTTPStatus.CONFLICT


class KmsInvalidArn(AwsError):
    code = "InvalidArnException"


class KmsInvalidGrantId(AwsError):
    code = "InvalidGrantIdException"


class KmsInvalidGrantToken(AwsError):
    code = "InvalidGrantTokenException"


class KmsInvalidMarker(AwsError):
    code = "InvalidMarkerException"


class KmsValidation(AwsError):
    code = "ValidationException"


class KmsDryRun(AwsError):
    code = "DryRunOperationException"
    status = HTTPStatus.PRECONDITION_FAILED
