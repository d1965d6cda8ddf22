"""The front door of every AWS service: who signed, which operation, is it allowed; then IAM, STS or moto answers.

Nothing passes that was not authenticated (or is S3's to judge as anonymous), named and allowed.
"""

import datetime as dt
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from urllib.parse import unquote

from iambridge.adapters.randomness import uuid4
from iambridge.core.iam_policy import Policies, Principal, PrincipalKind
from iambridge.errors import (
    AccessDenied,
    AuthenticationFault,
    AwsError,
    NotImplementedBySandbox,
    RequestNotAuthenticated,
)
from iambridge.ports import IamFacts, Sessions
from iambridge.sandbox.aws import (
    cbor_calls,
    embedded_cluster,
    error_documents,
    forwarding,
    iam,
    iam_resources,
    narrowed_answers,
    native_answers,
    operations,
    s3_actions,
    s3_checksums,
    s3_front,
    s3_tags,
)
from iambridge.sandbox.aws.authorization import Authorizer, Caller
from iambridge.sandbox.aws.catalogue import SERVICES, Service
from iambridge.sandbox.aws.decisions import Decisions
from iambridge.sandbox.aws.embedded_cluster import EmbeddedCluster
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.instances import Instances
from iambridge.sandbox.aws.key_grants import KeyGrants
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Asked, Call
from iambridge.sandbox.aws.resource_facts import refuse_unread_policy
from iambridge.sandbox.aws.s3_front import BucketPolicies
from iambridge.sandbox.aws.service_models import service_model
from iambridge.servers.sigv4_authentication import AuthenticatedCaller, Used, authenticate
from iambridge.wire.aws_authentication import Family, spell
from iambridge.wire.http import App, Request, Response

_FAMILIES = {
    "query": Family.QUERY,
    "ec2": Family.EC2,
    "json": Family.JSON,
    "cbor": Family.JSON,
    "rest-json": Family.REST_JSON,
    "rest-xml": Family.S3,
}
_HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive"})


ANONYMOUS = Caller(Principal.anonymous(), Policies())


class Gateway:
    """`sts` answers for the credential scope `sts` and authenticates by itself; `used` is told of each proven caller;
    `fetch_thumbprint` takes a URL.
    """

    def __init__(
        self,
        account: IamAccount,
        *,
        moto: MotoBackend,
        instances: Instances,
        authorizer: Authorizer,
        facts: IamFacts,
        sessions: Sessions,
        sts: App,
        used: Used,
        fetch_thumbprint: Callable[[str], Awaitable[str]],
        region: str,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._account = account
        self._moto = moto
        self._instances = instances
        self._authorizer = authorizer
        self._facts = facts
        self._sessions = sessions
        self._sts = sts
        self._used = used
        self._fetch_thumbprint = fetch_thumbprint
        self._region = region
        self._now = now
        self._bucket_policies = BucketPolicies(moto)
        self.embedded_cluster: EmbeddedCluster | None = None
        self._grants = KeyGrants(account, moto, now=lambda: now().timestamp())
        self._decisions = Decisions(account, moto, authorizer, self._grants)

    def app(self, request: Request) -> Awaitable[Response]:
        """Answer one request of any service."""
        return self._sts(request) if _for_sts(request) else self._serve(request)

    async def _serve(self, request: Request) -> Response:
        request_id = uuid4()
        protocol = _protocol(request)
        try:
            now = self._now()
            found = authenticate(request, self._facts, self._sessions, now=now)
            if found is not None and found.signed.service == "sts":
                return await self._sts(request)
            if found is not None:
                self._used(found, now)
            return await self._answer(request, found, request_id)
        except RequestNotAuthenticated as error:
            code, message, status = spell(error, _FAMILIES[protocol])
            self._authorizer.refused(error, code, request, service=_claimed_scope(request), request_id=request_id)
            return error_documents.document(
                code, status, message, protocol=protocol, request_id=request_id, head=request.method == "HEAD"
            )
        except AwsError as error:
            if isinstance(error, NotImplementedBySandbox):
                scope = _claimed_scope(request)
                self._authorizer.refused(error, error.code, request, service=scope, request_id=request_id)
            return error_documents.render(
                error, protocol=protocol, request_id=request_id, head=request.method == "HEAD"
            )

    async def _answer(self, request: Request, found: AuthenticatedCaller | None, request_id: str) -> Response:
        signed = found.signed if found else None
        caller = self._caller(found)
        content = forwarding.inflated(request, found.payload.content if found else request.body, signed)
        scope, region = (signed.service, signed.region) if signed else ("s3", self._region)
        if caller.anonymous:
            _refuse_unsigned(request)
        call = operations.identify(
            scope=scope,
            region=region,
            method=request.method,
            path=request.path,
            query=forwarding.without_signature(request.query),
            headers=request.headers,
            body=content,
        )
        context = self._authorizer.request_context(request, signed, region)
        if call.service.prefix == "iam":
            _refuse_user_session(found)
            return await self._iam(call, caller, context, request_id)
        if call.service.prefix == "s3":
            trailers = found.payload.trailers if found else ()
            return await self._s3(
                request, call, caller, context=context, content=content, request_id=request_id, trailers=trailers
            )
        response = await self._others(request, call, caller, context=context, content=content, request_id=request_id)
        return cbor_calls.answered(call, response) if call.protocol == "cbor" else response

    async def _others(
        self, request: Request, call: Call, caller: Caller, *, context: dict[str, str], content: bytes, request_id: str
    ) -> Response:
        """Every service but IAM, STS and S3."""
        refuse_unread_policy(call)
        call = self._grants.named(call)

        async def require(asked: Call) -> None:
            await self._decisions.require(asked, caller, context, request_id)

        await require(call)
        if call.service.prefix == "eks" and self.embedded_cluster is not None:
            return await self._eks(request, call, content, self.embedded_cluster)
        own = await self._grants.answer(call) or await native_answers.answer(call, self._moto, request_id)
        if own is not None:
            return own
        await self._instances.before(call)
        response = await self._forward(request, call, content)
        if response.status < 300:
            await self._instances.after(call, response)
        return await narrowed_answers.narrowed(call, response, require)

    async def _eks(self, request: Request, call: Call, content: bytes, cluster: EmbeddedCluster) -> Response:
        found = embedded_cluster.answer(call, cluster, self._account.account_id)
        if found is not None:
            return found
        return embedded_cluster.listed(call, cluster, await self._forward(request, call, content))

    def _caller(self, found: AuthenticatedCaller | None) -> Caller:
        if found is None:
            return ANONYMOUS
        principal, session = found.principal, found.session
        user = principal.arn.rpartition("/")[2] if principal.kind == PrincipalKind.USER else ""
        context: dict[str, str | tuple[str, ...]] = {}
        if session is not None:
            context |= session.keys()
            issued = dt.datetime.fromtimestamp(session.issued, dt.UTC)
            context["aws:TokenIssueTime"] = issued.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Caller(principal, self._facts.policies(principal, session), user, context)

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
        self,
        request: Request,
        call: Call,
        caller: Caller,
        *,
        context: dict[str, str],
        content: bytes,
        request_id: str,
        trailers: tuple[tuple[str, str], ...],
    ) -> Response:
        asked = s3_actions.asked(call, content)
        policies = await self._bucket_policies.of(asked, call.region)
        asked = await s3_tags.with_existing(self._moto, call, caller, asked, policies)
        keys = {**context, **s3_actions.context(call), **s3_tags.requested(call, content)}
        try:
            self._authorizer.require(caller, asked, keys, resource_policies=policies, request_id=request_id)
        except AccessDenied as error:
            raise (s3_front.anonymous_denial(error) if caller.anonymous else error) from error
        checksums = s3_checksums.check(call, content, trailers)
        if call.operation == "PutBucketPolicy":
            s3_front.check_bucket_policy(content)
        response = await self._forward(request, call, content, instead=checksums)
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

    async def _forward(
        self, request: Request, call: Call, content: bytes, *, instead: tuple[tuple[str, str], ...] = ()
    ) -> Response:
        """What moto answers. `instead` are headers in place of the request's own of those names."""
        forwarded = forwarding.forwarded(request, call, content, instead)
        status, answered, body = await self._moto.call(
            method=forwarded.method,
            path=forwarded.path,
            query=forwarded.query,
            headers=forwarded.headers,
            body=forwarded.body,
            service=_scope_of(call.service),
            region=call.region,
            form=call.protocol in {"query", "ec2"},
            # S3 in moto finds its operations in a way of its own: see `s3_actions.SERVED`
            operation="" if call.service.prefix == "s3" else call.operation,
        )
        self._bucket_policies.forget(call)
        if not answered:
            raise native_answers.failed_behind(call, status)
        kept = tuple((name.lower(), value) for name, value in answered if name.lower() not in _HOP_BY_HOP)
        if request.method == "HEAD":
            kept += tuple(("content-length", value) for name, value in answered if name.lower() == "content-length")
        return Response(status, kept, body)


_SCOPE = re.compile(r"Credential=[^/\s,]{1,128}/\d{8}/[^/\s,]{0,64}/([^/\s,]{1,64})/aws4_request")


def _claimed_scope(request: Request) -> str:
    """The service that a request says it is signed for; proven later, or nothing comes of it."""
    text = request.headers.get("authorization")
    if not text and "x-amz-credential=" in request.query.lower():
        text = unquote(request.query).replace("X-Amz-Credential=", "Credential=")
    found = _SCOPE.search(text) if text else None
    return found[1] if found else ""


def _is_form(request: Request) -> bool:
    """A Query protocol call. S3 has no POST on `/`, and no operation chosen by `Action`."""
    form = request.headers.get("content-type").lower().startswith("application/x-www-form-urlencoded")
    return request.path == "/" and ((form and request.method == "POST") or "Action=" in request.query)


def _for_sts(request: Request) -> bool:
    """STS authenticates by itself: a web identity call is unsigned."""
    scope = _claimed_scope(request)
    if scope:
        return scope == "sts"
    asked = b"Action=AssumeRoleWith"
    return (asked in request.body or asked in request.query.encode()) and _is_form(request)


def _protocol(request: Request) -> str:
    """The protocol to spell an error in, before the operation is known."""
    if request.headers.get("x-amz-target"):
        return "json"
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return "cbor"
    scope = _claimed_scope(request)
    if scope == "s3" or not scope:
        return "query" if _is_form(request) else "rest-xml"
    model = SERVICES[scope][0].model if scope in SERVICES else scope
    try:
        protocol = service_model(model).metadata.protocol
    except (KeyError, ValueError):
        # what names no target and no Action is a REST call, mostly a JSON one
        return "query" if _is_form(request) else "rest-json"
    if protocol == "rest-json" and _is_form(request):
        return "query"
    if protocol in {"ec2", "rest-json", "query", "json"}:
        return protocol
    return "json" if protocol == "smithy-rpc-v2-cbor" else "query"


@lru_cache(maxsize=256)
def _scope_of(service: Service) -> str:
    return next(scope for scope, services in SERVICES.items() if service in services)


def _refuse_user_session(found: AuthenticatedCaller | None) -> None:
    """Sessions of GetSessionToken (without MFA) and GetFederationToken cannot call IAM, whatever policies say.

    Source: IAM User Guide, "Comparing AWS STS credentials".
    """
    if found is not None and found.session is not None and found.principal.kind != PrincipalKind.ROLE_SESSION:
        raise RequestNotAuthenticated(
            AuthenticationFault.INVALID_SESSION,
            "The security token included in the request is invalid",
            cause="the credentials are those of GetSessionToken or GetFederationToken, which IAM does not take",
            fix="call IAM with the user's long-term key, or as a role",
        )


def _refuse_unsigned(request: Request) -> None:
    """Only S3 takes an unsigned request; one with an older kind of signature is not unsigned."""
    if _protocol(request) != "rest-xml":
        raise RequestNotAuthenticated(
            AuthenticationFault.MISSING,
            "Request is missing Authentication Token",
            fix="sign the request: only S3 and sts:AssumeRoleWithWebIdentity take unsigned ones",
        )
    if "AWSAccessKeyId=" in request.query:
        raise RequestNotAuthenticated(
            AuthenticationFault.UNSUPPORTED,
            "The authorization mechanism you have provided is not supported.",
            cause="the URL was presigned with Signature Version 2",
            fix="presign with Signature Version 4 (boto3: Config(signature_version='s3v4'))",
        )
