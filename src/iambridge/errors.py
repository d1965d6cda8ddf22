"""Every refusal that leaves iambridge: what the caller reads, what the operator reads, and the fix.

An error has three texts. `message` goes on the wire, in AWS's or Kubernetes' own words. `cause` is one lower-case
sentence for logs and `explain`, without secrets. `fix` is an imperative with the very command or field. A denial is not
an error: it is a `core.decision.Decision`; a server turns it into one of these to answer.

Anything raised that is not a `BridgeError` is a bug, and servers answer it with InternalFailure (500).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import ClassVar, NamedTuple


class BridgeError(Exception):
    """Base of every refusal. Use a branch: AwsError, KubernetesError or InputError.

    Args:
        message: the caller's words.
        cause: why, for the operator; never holds a token, key or signature.
        fix: what to do about it.
        facts: the values compared, for machines; never secret.
    """

    code: ClassVar[str] = ""

    def __init__(self, message: str, *, cause: str = "", fix: str = "", **facts: str) -> None:
        if not self.code:
            raise TypeError(f"{type(self).__name__} has no code: raise one of its subclasses")
        super().__init__(message)
        self.message = message
        self.cause = cause or message
        self.fix = fix
        self.facts: Mapping[str, str] = MappingProxyType(facts)


class AwsError(BridgeError):
    """An AWS service error: `code` and `status` as the service spells them.

    Source: the error shapes of botocore's service models, and the AWS error references.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    fault: ClassVar[str] = "Sender"


class AuthenticationFault(StrEnum):
    """Why an AWS request was not authenticated, in no protocol's words: `wire.aws_authentication` spells each."""

    MISSING = "missing"
    INCOMPLETE = "incomplete"
    UNSUPPORTED = "unsupported"
    UNKNOWN_KEY = "unknown-key"
    INACTIVE_KEY = "inactive-key"
    INVALID_SESSION = "invalid-session"
    EXPIRED_SESSION = "expired-session"
    MISMATCH = "mismatch"
    EXPIRED_SIGNATURE = "expired-signature"
    EXPIRED_PRESIGNED = "expired-presigned"
    NOT_YET_CURRENT = "not-yet-current"
    INVALID_EXPIRES = "invalid-expires"
    UNSIGNED_HEADERS = "unsigned-headers"
    WRONG_SCOPE = "wrong-scope"
    PAYLOAD_MISMATCH = "payload-mismatch"
    MALFORMED_PAYLOAD = "malformed-payload"


class RequestNotAuthenticated(AwsError):
    """An AWS request whose caller is not proven. `message` is the Query protocol's; `code` is never sent as it is."""

    code = "RequestNotAuthenticated"
    status = HTTPStatus.FORBIDDEN

    def __init__(
        self, fault: AuthenticationFault, message: str, *, cause: str = "", fix: str = "", **facts: str
    ) -> None:
        super().__init__(message, cause=cause, fix=fix, **facts)
        self.kind = fault


class MalformedQueryString(AwsError):
    """A Query protocol request whose parameters cannot be read."""

    code = "MalformedQueryString"

    def __init__(self, cause: str) -> None:
        super().__init__(f"The query string contains a syntax error: {cause}", fix="send form parameters, each once")


# AWS STS.


class InvalidIdentityToken(AwsError):
    code = "InvalidIdentityToken"


class PackedPolicyTooLarge(AwsError):
    code = "PackedPolicyTooLarge"


class ExpiredTokenException(AwsError):
    """A web identity token past its `exp`. (An expired session is AuthenticationFault.EXPIRED_SESSION.)"""

    code = "ExpiredTokenException"


class IDPCommunicationError(AwsError):
    """The issuer could not be reached just now; SDKs retry it."""

    code = "IDPCommunicationError"


class KubernetesError(BridgeError):
    """A Kubernetes `Status` with `reason` = code. Source: apimachinery meta/v1 StatusReason.

    `details` is the Status's own details object (`causes`, `kind`, `name`, ...), and is sent on the wire.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST

    def __init__(
        self, message: str, *, cause: str = "", fix: str = "", details: Mapping[str, object] | None = None, **facts: str
    ) -> None:
        super().__init__(message, cause=cause, fix=fix, **facts)
        self.details: Mapping[str, object] = MappingProxyType(dict(details or {}))
        self.has_details = details is not None  # an empty object is sent too


class InputError(BridgeError):
    """A person's file, flag or environment is wrong. The CLI prints it on one screen and exits with 2.

    `where` is the file, line or field path.
    """

    code = "InputError"

    def __init__(self, message: str, *, where: str = "", cause: str = "", fix: str = "", **facts: str) -> None:
        super().__init__(message, cause=cause, fix=fix, **facts)
        self.where = where


# IAM. Codes and statuses: botocore iam service-2.json error shapes; ValidationError is common to all Query services.


class ValidationError(AwsError):
    code = "ValidationError"


class NoSuchEntity(AwsError):
    code = "NoSuchEntity"
    status = HTTPStatus.NOT_FOUND


class EntityAlreadyExists(AwsError):
    code = "EntityAlreadyExists"
    status = HTTPStatus.CONFLICT


class DeleteConflict(AwsError):
    code = "DeleteConflict"
    status = HTTPStatus.CONFLICT


class LimitExceeded(AwsError):
    code = "LimitExceeded"
    status = HTTPStatus.CONFLICT


class InvalidInput(AwsError):
    code = "InvalidInput"


class UnmodifiableEntity(AwsError):
    code = "UnmodifiableEntity"


class OpenIdIdpCommunicationError(AwsError):
    code = "OpenIdIdpCommunicationError"


class DocumentFault(NamedTuple):
    """One thing wrong in a document: `path` as `Statement[1].Condition.StringEqual`, and what is wrong there."""

    path: str
    message: str


class MalformedPolicyDocument(AwsError):
    """A policy document that AWS would refuse, with every fault: `message` is AWS's one line where it is known."""

    code = "MalformedPolicyDocument"

    def __init__(self, message: str, *, faults: Sequence[DocumentFault] = ()) -> None:
        cause = "; ".join(f"{fault.path or 'document'}: {fault.message}" for fault in faults)
        super().__init__(message, cause=cause, fix="correct the policy document at the paths named")
        self.faults = tuple(faults)


# The gateway.


class AccessDenied(AwsError):
    """A denied Decision on the wire; each protocol has its own spelling of the code.

    `decision` is the `core.decision.Decision` behind it, for the decision log; None when there is none.
    """

    code = "AccessDenied"
    status = HTTPStatus.FORBIDDEN
    decision: object = None


class InvalidAuthorizationMessageException(AwsError):
    """sts:DecodeAuthorizationMessage cannot read the message."""

    code = "InvalidAuthorizationMessageException"


class InvalidAction(AwsError):
    code = "InvalidAction"


class MissingAction(AwsError):
    code = "MissingAction"


class MalformedPolicy(AwsError):
    """S3's code for a bucket policy that is none."""

    code = "MalformedPolicy"


class ResourceInUseException(AwsError):
    """EKS: something of this name is already there."""

    code = "ResourceInUseException"
    status = HTTPStatus.CONFLICT


class NotImplementedBySandbox(AwsError):
    """An operation that the sandbox does not model: refused by name, never waved through."""

    code = "NotImplemented"
    status = HTTPStatus.NOT_IMPLEMENTED


class InternalFailure(AwsError):
    code = "InternalFailure"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    fault = "Receiver"


class ServiceUnavailable(AwsError):
    code = "ServiceUnavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    fault = "Receiver"


class Throttling(AwsError):
    """An AWS service asks to come back later."""

    code = "Throttling"
    status = HTTPStatus.TOO_MANY_REQUESTS


class NoCredentials(BridgeError):
    """No AWS credentials were found where a client looks for them, or the source that should give them refused."""

    code = "NoCredentials"


class ContainerError(BridgeError):
    """Why the kubelet cannot start a container: `code` is the waiting reason or the event's reason."""


class CreateContainerConfigError(ContainerError):
    code = "CreateContainerConfigError"


class CreateContainerError(ContainerError):
    code = "CreateContainerError"


class StartError(ContainerError):
    """The process could not be started (a wrong command); a start like this counts as exit code 128."""

    code = "StartError"


class FailedMount(ContainerError):
    code = "FailedMount"


# Kubernetes. Codes and statuses: apimachinery meta/v1 StatusReason and api/errors.


class BadRequest(KubernetesError):
    code = "BadRequest"


class Forbidden(KubernetesError):
    code = "Forbidden"
    status = HTTPStatus.FORBIDDEN


class NotFound(KubernetesError):
    code = "NotFound"
    status = HTTPStatus.NOT_FOUND


class AlreadyExists(KubernetesError):
    code = "AlreadyExists"
    status = HTTPStatus.CONFLICT


class Conflict(KubernetesError):
    code = "Conflict"
    status = HTTPStatus.CONFLICT


class UnsupportedMediaType(KubernetesError):
    code = "UnsupportedMediaType"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Unauthorized(KubernetesError):
    code = "Unauthorized"
    status = HTTPStatus.UNAUTHORIZED


class MethodNotAllowed(KubernetesError):
    code = "MethodNotAllowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED


class NotAcceptable(KubernetesError):
    code = "NotAcceptable"
    status = HTTPStatus.NOT_ACCEPTABLE


class RequestEntityTooLarge(KubernetesError):
    code = "RequestEntityTooLarge"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Timeout(KubernetesError):
    code = "Timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT


class Invalid(KubernetesError):
    code = "Invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class InternalError(KubernetesError):
    code = "InternalError"
    status = HTTPStatus.INTERNAL_SERVER_ERROR


class Expired(KubernetesError):
    """A resourceVersion or continue token that is too old: list again."""

    code = "Expired"
    status = HTTPStatus.GONE


# An API server as its client sees it.


class ApiServerUnreachable(KubernetesError):
    """No answer came: refused, timed out, or not trusted. Never sent on the wire as it is."""

    code = "ApiServerUnreachable"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class UnknownStatus(KubernetesError):
    """An API server's refusal whose reason has no class here; `facts` hold its reason and HTTP status."""

    code = "Unknown"
    status = HTTPStatus.INTERNAL_SERVER_ERROR


class WebhookRejected(KubernetesError):
    """An admission webhook said no: `reason` (may be empty) and `status` are those that it chose, for the wire."""

    code = "Forbidden"

    def __init__(
        self, message: str, *, reason: str, status: HTTPStatus, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, details=details)
        self.reason = reason
        self.answered = status
