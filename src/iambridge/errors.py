"""Every refusal that leaves iambridge: what the caller reads, what the operator reads, and the fix.

An error has three texts. `message` goes on the wire, in AWS's or Kubernetes' own words. `cause` is one lower-case
sentence for logs and `explain`, without secrets. `fix` is an imperative with the very command or field. A denial is not
an error: it is a `core.decision.Decision`; a server turns it into one of these to answer.

Anything raised that is not a `BridgeError` is a bug, and servers answer it with InternalFailure (500).
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import ClassVar


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


class InputError(BridgeError):
    """A person's file, flag or environment is wrong. The CLI prints it on one screen and exits with 2.

    `where` is the file, line or field path.
    """

    code = "InputError"

    def __init__(self, message: str, *, where: str = "", cause: str = "", fix: str = "", **facts: str) -> None:
        super().__init__(message, cause=cause, fix=fix, **facts)
        self.where = where
