"""S3 before moto: bucket policies, anonymous callers, and the words of a denial."""

from collections.abc import Sequence
from http import HTTPStatus

from iambridge.core.iam_policy import NamedDocument, PolicyDocument, PolicyKind
from iambridge.errors import AccessDenied, MalformedPolicy, MalformedPolicyDocument
from iambridge.sandbox.aws import s3_actions
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Asked, Call
from iambridge.sandbox.aws.sts_facts import parsed

_POLICY_CHANGES = frozenset({"PutBucketPolicy", "DeleteBucketPolicy", "CreateBucket", "DeleteBucket"})


class BucketPolicies:
    """The policies of the buckets in moto, remembered until something may have changed them."""

    def __init__(self, moto: MotoBackend) -> None:
        self._moto = moto
        self._known: dict[str, str] = {}
        self._generation = 0

    async def of(self, asked: Sequence[Asked], region: str) -> dict[str, tuple[NamedDocument, ...]]:
        """By resource ARN, for the buckets of `asked`."""
        found: dict[str, tuple[NamedDocument, ...]] = {}
        for item in asked:
            bucket = item.resource.removeprefix("arn:aws:s3:::").partition("/")[0]
            if bucket != "*" and (text := await self._text(bucket, region)):
                document = NamedDocument(f"bucket policy of {bucket}", parsed(text, PolicyKind.RESOURCE))
                found[item.resource] = (document,)
        return found

    async def _text(self, bucket: str, region: str) -> str:
        if self._generation != self._moto.generation:
            self._known.clear()
            self._generation = self._moto.generation
        if bucket not in self._known:
            status, _, body = await self._moto.call(
                method="GET", path=f"/{bucket}", query="policy", service="s3", region=region,
                headers=(("Host", "s3.amazonaws.com"),),
            )  # fmt: skip
            self._known[bucket] = body.decode() if status == HTTPStatus.OK else ""
            self._generation = self._moto.generation
        return self._known[bucket]

    def forget(self, call: Call) -> None:
        """Called after a call that went through."""
        if call.service.prefix == "s3" and call.operation in _POLICY_CHANGES:
            self._known.pop(s3_actions.bucket_of(call), None)


def check_bucket_policy(body: bytes) -> None:
    """Raises:
    MalformedPolicy: as S3 refuses a policy.
    """
    try:
        PolicyDocument.parse(body, kind=PolicyKind.RESOURCE)
    except MalformedPolicyDocument as error:
        raise MalformedPolicy(error.message, cause=error.cause, fix=error.fix) from error


def anonymous_denial(error: AccessDenied) -> AccessDenied:
    """S3 tells an anonymous caller nothing."""
    return AccessDenied("Access Denied", cause=error.message, fix=error.fix or "sign the request")
