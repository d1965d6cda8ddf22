"""The front door of every AWS service: who signed, which operation, is it allowed; then IAM, STS or moto answers.

Nothing passes that was not authenticated (or is S3's to judge as anonymous), named and allowed.
"""

import datetime as dt
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from iambridge.core import sigv4
from iambridge.core.sigv4 import SignedRequest
from iambridge.errors import (
    AccessDenied,
    AuthenticationFault,
    AwsError,
    NotImplementedBySandbox,
    RequestNotAuthenticated,
)
from iambridge.sandbox.aws import error_documents, iam, iam_resources, operations, resources, s3_actions, s3_front
from iambridge.sandbox.aws.authorization import Authorizer
from iambridge.sandbox.aws.callers import ANONYMOUS, Caller, OpenSession, secret_and_caller
from iambridge.sandbox.aws.catalogue import SERVICES
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Asked, Call
from iambridge.sandbox.aws.request_tags import request_tags, tag_context
from iambridge.sandbox.aws.s3_front import BucketPolicies
from iambridge.sandbox.aws.service_models import service_model
from iambridge.wire.aws_authentication import Family, spell
from iambridge.wire.http import App, Request, Response

_FAMILIES = {
    "query": Family.QUERY,
    "ec2": Family.EC2,
    "json": Family.JSON,
    "rest-json": Family.REST_JSON,
    "rest-xml": Family.S3,
}
# hop-by-hop or proven here: moto gets neither the signature nor a header that it would route by
_NOT_FORWARDED = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "expect",
        "transfer-encoding",
        "x-amz-content-sha256",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-trailer",
        "x-moto-account-id",
    }
)
_QUERY_AUTHENTICATION = "x-amz-"
_HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive"})


class Gateway:
    """`sts` answers for the credential scope `sts` and authenticates by itself; `fetch_thumbprint` takes a URL."""

    def __init__(
        self,
        account: IamAccount,
        *,
        moto: MotoBackend,
        authorizer: Authorizer,
        open_session: OpenSession,
        sts: App | None,
        fetch_thumbprint: Callable[[str], Awaitable[str]],
        region: str,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._account = account
        self._moto = moto
        self._authorizer = authorizer
        self._open_session = open_session
        self._sts = sts
        self._fetch_thumbprint = fetch_thumbprint
        self._region = region
        self._now = now
        self._bucket_policies = BucketPolicies(moto)

    async def app(self, request: Request) -> Response:
        """Answer one request of any service."""
        request_id = secrets.token_hex(16)
        protocol = _protocol(request)
        try:
            signed = sigv4.parse(query=request.query, headers=request.headers.items)
            if _for_sts(request, signed):
                if self._sts is None:
                    raise NotImplementedBySandbox("STS is not available in this sandbox.")
                return await self._sts(request)
            protocol = _protocol(request, signed)
            return await self._answer(request, signed, request_id)
        except RequestNotAuthenticated as error:
            code, message, status = spell(error, _FAMILIES[protocol])
            return error_documents.document(
                code, status, message, protocol=protocol, request_id=request_id, head=request.method == "HEAD"
            )
        except AwsError as error:
            return error_documents.render(
                error, protocol=protocol, request_id=request_id, head=request.method == "HEAD"
            )

    async def _answer(self, request: Request, signed: SignedRequest | None, request_id: str) -> Response:
        caller, content = self._authenticated(request, signed)
        scope, region = (signed.service, signed.region) if signed else ("s3", self._region)
        if caller.anonymous and _protocol(request) != "rest-xml":
            raise _unsigned()
        call = operations.identify(
            scope=scope,
            region=region,
            method=request.method,
            path=request.path,
            query=_without_signature(request.query),
            headers=request.headers,
            body=content,
        )
        context = self._authorizer.request_context(request, signed, region)
        if call.service.prefix == "iam":
            return await self._iam(call, caller, context, request_id)
        if call.service.prefix == "s3":
            return await self._s3(request, call, caller, context=context, content=content, request_id=request_id)
        tags = tag_context(request_tags(call), call)
        asked = [Asked(call.action, arn, tuple(tags.items())) for arn in resources.arns(call, self._account.account_id)]
        self._authorizer.require(caller, asked, context, request_id=request_id)
        return await self._forward(request, call, content)

    def _authenticated(self, request: Request, signed: SignedRequest | None) -> tuple[Caller, bytes]:
        """The caller, and the body without its `aws-chunked` frames."""
        if signed is None:
            return ANONYMOUS, request.body
        secret, caller = secret_and_caller(
            self._account, self._open_session, signed.access_key_id, signed.session_token
        )
        payload = sigv4.verify(
            signed,
            secret,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers.items,
            body=request.body,
            now=self._now(),
        )
        return caller(), payload.content

    async def _iam(self, call: Call, caller: Caller, context: dict[str, str], request_id: str) -> Response:
        found = iam.operation(call.flat)
        given = iam.parse(found, call.flat, caller=caller.user_name)
        asked = iam_resources.asked(self._account, found.name, given)
        self._authorizer.require(caller, asked, context, request_id=request_id)
        body = await iam.run(
            self._account, found, given, request_id=request_id, fetch_thumbprint=self._fetch_thumbprint
        )
        return Response(200, (("content-type", "text/xml"), ("x-amzn-requestid", request_id)), body)

    async def _s3(
        self, request: Request, call: Call, caller: Caller, *, context: dict[str, str], content: bytes, request_id: str
    ) -> Response:
        asked = s3_actions.asked(call, content)
        policies = await self._bucket_policies.of(asked, call.region)
        keys = {**context, **s3_actions.context(call)}
        try:
            self._authorizer.require(caller, asked, keys, resource_policies=policies, request_id=request_id)
        except AccessDenied as error:
            raise (s3_front.anonymous_denial(error) if caller.anonymous else error) from error
        if call.operation == "PutBucketPolicy":
            s3_front.check_bucket_policy(content)
        response = await self._forward(request, call, content)
        self._bucket_policies.forget(call)
        if response.status == 404 and call.operation in {"GetObject", "HeadObject"}:
            # without s3:ListBucket S3 does not say whether a key exists (S3 API reference, GetObject, Permissions)
            bucket = Asked("s3:ListBucket", s3_actions.bucket_arn(s3_actions.bucket_of(call)))
            policies = await self._bucket_policies.of([bucket], call.region)
            try:
                self._authorizer.require(caller, [bucket], keys, resource_policies=policies, request_id=request_id)
            except AccessDenied as error:
                raise (s3_front.anonymous_denial(error) if caller.anonymous else error) from error
        return response

    async def _forward(self, request: Request, call: Call, content: bytes) -> Response:
        headers = [(name, value) for name, value in request.headers.items if name.lower() not in _NOT_FORWARDED]
        headers = [_without_chunked(name, value) for name, value in headers]
        if call.protocol != "json":
            headers = [(name, value) for name, value in headers if name.lower() != "x-amz-target"]
        status, answered, body = await self._moto.call(
            method=request.method,
            path=quote(request.path, safe="/~"),
            query=_without_signature(request.query),
            headers=[(name, value) for name, value in headers if value],
            body=content,
            service=_scope_of(call),
            region=call.region,
        )
        self._bucket_policies.forget(call)
        kept = tuple((name.lower(), value) for name, value in answered if name.lower() not in _HOP_BY_HOP)
        if request.method == "HEAD":
            kept += tuple(("content-length", value) for name, value in answered if name.lower() == "content-length")
        return Response(status, kept, body)


def _for_sts(request: Request, signed: SignedRequest | None) -> bool:
    """STS authenticates by itself: a web identity call is unsigned. S3 has no POST on `/`."""
    if signed is not None:
        return signed.service == "sts"
    text = request.query.encode() + b"&" + request.body[:65536]
    return request.path == "/" and b"Action=" in text


def _protocol(request: Request, signed: SignedRequest | None = None) -> str:
    """The protocol to spell an error in, before the operation is known."""
    if request.headers.get("x-amz-target"):
        return "json"
    if signed is not None and signed.service in SERVICES and signed.service != "s3":
        protocol = service_model(SERVICES[signed.service][0].model).metadata.protocol
        if protocol in {"ec2", "rest-json", "query"}:
            return protocol
        return "json" if protocol == "smithy-rpc-v2-cbor" else "query"
    form = request.headers.get("content-type").startswith("application/x-www-form-urlencoded")
    return "query" if form or "Action=" in request.query else "rest-xml"


def _scope_of(call: Call) -> str:
    return next(scope for scope, services in SERVICES.items() if call.service in services)


def _without_signature(query: str) -> str:
    """The query without what a presigned URL adds for authentication."""
    names = ("algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token")
    gone = {_QUERY_AUTHENTICATION + name for name in names}
    return "&".join(part for part in query.split("&") if part.partition("=")[0].lower() not in gone)


def _without_chunked(name: str, value: str) -> tuple[str, str]:
    if name.lower() != "content-encoding":
        return name, value
    return name, ",".join(part for part in value.split(",") if part.strip().lower() != "aws-chunked")


def _unsigned() -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        AuthenticationFault.MISSING,
        "Request is missing Authentication Token",
        fix="sign the request: only S3 and sts:AssumeRoleWithWebIdentity take unsigned ones",
    )
