"""Every call is decided here: facts first, then `core.iam_policy`, then the decision log. Default deny."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    Context,
    NamedDocument,
    Policies,
    PolicyDocument,
    Principal,
    PrincipalKind,
    access_denied_message,
    authorize,
)
from iambridge.core.sigv4 import SignedRequest
from iambridge.errors import AccessDenied, AwsError, NotImplementedBySandbox
from iambridge.ports import DecisionLog
from iambridge.sandbox.aws import condition_keys, undetermined
from iambridge.sandbox.aws.operations import Asked
from iambridge.wire.http import Request
from iambridge.wire.moment import zulu


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, under which policies. `user_name` is empty for anyone but an IAM user's own keys and sessions."""

    principal: Principal
    policies: Policies
    user_name: str = ""
    context: Context = field(default_factory=dict)

    @property
    def anonymous(self) -> bool:
        return self.principal.kind == PrincipalKind.ANONYMOUS

    def reads_resource_tags(self, action: str, *of_resources: NamedDocument) -> bool:
        """Whether a policy in play looks at the resource's tags for `action` (lower case)."""
        return self._reads("resourcetag/", action, of_resources)

    def reads_object_tags(self, action: str, *of_resources: NamedDocument) -> bool:
        """Whether a policy in play looks at the tags of an S3 object for `action` (lower case)."""
        return self._reads("s3:existingobjecttag/", action, of_resources)

    def reads_leading_keys(self, action: str) -> bool:
        """Whether a policy of the caller looks at the partition keys that `action` (lower case) names."""
        return self._reads("dynamodb:leadingkeys", action, ())

    def _reads(self, text: str, action: str, of_resources: Sequence[NamedDocument]) -> bool:
        policies = self.policies
        documents = (*policies.identity, *(policies.boundary or ()), *(policies.session or ()), *of_resources)
        return any(text in key.lower() for named in documents for key in named.document.context_keys(action))


class Authorizer:
    """`now` gives an aware datetime. `encode` makes the text that sts:DecodeAuthorizationMessage decodes, or none."""

    def __init__(
        self,
        account_id: str,
        *,
        decision_log: DecisionLog,
        now: Callable[[], dt.datetime],
        encode: Callable[[AuthorizationRequest, Decision], str] | None = None,
    ) -> None:
        self._account_id = account_id
        self._log = decision_log
        self._now = now
        self._encode = encode

    def decide(
        self,
        caller: Caller,
        asked: Asked,
        context: Context,
        *,
        resource_policies: tuple[NamedDocument, ...] = (),
        request_id: str,
    ) -> tuple[AuthorizationRequest, Decision]:
        """One decision, logged.

        Raises:
            NotImplementedBySandbox: it hangs on facts that the sandbox does not have.
        """
        request = AuthorizationRequest(
            principal=caller.principal,
            action=asked.action,
            resource=asked.resource,
            resource_account=self._account_id,
            context={**context, **caller.context, **dict(asked.context)},
        )
        policies = replace(caller.policies, resource=resource_policies) if resource_policies else caller.policies
        decision = authorize(request, policies)
        _refuse_undetermined(request, policies, asked)
        self._log.record(
            decision,
            request_id=request_id,
            principal=caller.principal.arn,
            action=asked.action,
            resource=asked.resource,
        )
        return request, decision

    def require(
        self,
        caller: Caller,
        asked: Sequence[Asked],
        context: Context,
        *,
        resource_policies: Mapping[str, tuple[NamedDocument, ...]] | None = None,
        request_id: str,
        encoded: bool = False,
    ) -> None:
        """All of `asked` must be allowed. `resource_policies` are by resource ARN.

        `encoded`: the service ends its denials with an encoded authorization failure message, as EC2 does.

        Raises:
            AccessDenied: in AWS's words, for the first that is not.
        """
        for item in asked:
            request, decision = self.decide(
                caller,
                item,
                context,
                resource_policies=(resource_policies or {}).get(item.resource, ()),
                request_id=request_id,
            )
            if not decision.allowed:
                message = access_denied_message(request, decision)
                if encoded and self._encode and (more := self._encode(request, decision)):
                    message += f". Encoded authorization failure message: {more}"
                raise AccessDenied(message, fix=decision.fix)

    def refused(self, error: AwsError, code: str, request: Request, *, service: str, request_id: str) -> None:
        """Log a request that was refused without a decision; `code` as the answer spells it, `service` as claimed."""
        operation = request.headers.get("x-amz-target").rpartition(".")[2]
        self._log.record(
            Decision(
                f"{service or 'unsigned'}:{operation or 'unidentified'}"[:128],
                Outcome.IMPLICIT_DENY,
                (Reason(code, error.cause or error.message, facts=error.facts),),
                error.fix,
            ),
            request_id=request_id,
            client=request.client,
            method=request.method,
            path=request.path[:256],
        )

    def request_context(self, request: Request, signed: SignedRequest | None, region: str) -> dict[str, str]:
        """The condition keys of the request itself."""
        now = self._now().astimezone(dt.UTC)
        host = request.client.rpartition(":")[0].strip("[]")
        context = {
            "aws:SecureTransport": "true" if request.scheme == "https" else "false",
            "aws:CurrentTime": zulu(int(now.timestamp())),
            "aws:EpochTime": str(int(now.timestamp())),
            "aws:RequestedRegion": region,
            "aws:ResourceAccount": self._account_id,
            "aws:ViaAWSService": "false",
        }
        if signed is not None and signed.service == "ec2":
            context["ec2:Region"] = region
        if host:
            context["aws:SourceIp"] = host
        if agent := request.headers.get("user-agent"):
            context["aws:UserAgent"] = agent
        if referer := request.headers.get("referer"):
            context["aws:Referer"] = referer
        if signed is not None and signed.service == "s3":
            context["s3:ResourceAccount"] = self._account_id
            context["s3:signatureversion"] = "AWS4-HMAC-SHA256"
            context["s3:authType"] = "REST-QUERY-STRING" if signed.presigned else "REST-HEADER"
            context["s3:signatureAge"] = str(max(0, int((now - signed.date).total_seconds() * 1000)))
        return context


def unread(
    request: AuthorizationRequest, policies: Policies, *, tags_read: bool = True, unsure: bool = False
) -> tuple[str, ...]:
    """The condition keys, and the resource, that the decision hangs on and the sandbox does not read."""
    if not unsure and all(
        _all_answered(named.document, request.action, tags_read=tags_read) for named in policies.documents()
    ):
        return ()  # nearly always
    present = {key.lower() for key in request.context}

    def answered(key: str) -> bool:
        return key in present or condition_keys.answered(key, request.action, tags_read=tags_read)

    return undetermined.missing(request, policies, answered=answered, unsure=unsure)


@lru_cache(maxsize=4096)
def _all_answered(document: PolicyDocument, action: str, *, tags_read: bool) -> bool:
    """Whether every key that the document asks for about an action is read for every call of it."""
    keys = {key.lower() for key in document.context_keys(action.lower())}
    return all(condition_keys.answered(key, action, tags_read=tags_read) for key in keys)


def _refuse_undetermined(request: AuthorizationRequest, policies: Policies, asked: Asked) -> None:
    if unknown := unread(request, policies, tags_read=asked.tags_read, unsure=asked.unsure):
        raise NotImplementedBySandbox(
            f"{asked.action} on {asked.resource} cannot be decided by this sandbox: a policy in play depends on"
            f" {', '.join(unknown)}, which it does not read.",
            fix="take the condition out of the policy, or report the operation and the policy that needs it",
        )
