"""How STS asks policies: the condition keys of a request, a decision that stands, and a denial that says why."""

import datetime as dt
from collections.abc import Callable

from iambridge.core.decision import Decision
from iambridge.core.iam_policy import AuthorizationRequest, Policies, access_denied_message, authorize
from iambridge.core.role_trust import Context
from iambridge.errors import AccessDenied, NotImplementedBySandbox
from iambridge.servers.sigv4_authentication import AuthenticatedCaller
from iambridge.wire.http import Request
from iambridge.wire.moment import zulu

Unread = Callable[[AuthorizationRequest, Policies], tuple[str, ...]]
"""The condition keys that a decision hangs on and nobody here can tell."""


def nothing_unread(_: AuthorizationRequest, __: Policies) -> tuple[str, ...]:
    """For an STS that knows every fact that policies ask for."""
    return ()


def decided(request: AuthorizationRequest, policies: Policies, unread: Unread) -> Decision:
    """The decision, when it stands whatever is not known.

    Raises:
        NotImplementedBySandbox: it hangs on a fact that nobody here knows.
    """
    refuse_undecidable(request, policies, unread)
    return authorize(request, policies)


def refuse_undecidable(request: AuthorizationRequest, policies: Policies, unread: Unread) -> None:
    """Raises NotImplementedBySandbox when the decision hangs on a fact that nobody here knows."""
    if unknown := unread(request, policies):
        raise NotImplementedBySandbox(
            f"{request.action} on {request.resource} cannot be decided here: a policy in play depends on"
            f" {', '.join(unknown)}, which is not known.",
            fix="take the condition out of the policy, or report the operation and the policy that needs it",
        )


def caller_keys(caller: AuthenticatedCaller, request: Request, now: dt.datetime) -> Context:
    """The condition keys of a signed request and its caller's session."""
    keys = request_keys(request, now, caller.signed.region)
    if caller.session is not None:
        keys |= caller.session.keys()
        keys["aws:TokenIssueTime"] = zulu(caller.session.issued)
    return keys


def denied_in_words(request: AuthorizationRequest, decision: Decision) -> AccessDenied:
    """AccessDenied in the words of the policy type that denied."""
    return denied(access_denied_message(request, decision), decision)


def request_keys(request: Request, now: dt.datetime, region: str) -> Context:
    """The condition keys of the request itself."""
    epoch = int(now.timestamp())
    keys: Context = {
        "aws:CurrentTime": zulu(epoch),
        "aws:EpochTime": str(epoch),
        "aws:RequestedRegion": region,
        "aws:SecureTransport": "true" if request.scheme == "https" else "false",
        "aws:ViaAWSService": "false",
    }
    address = request.client.rpartition(":")[0].strip("[]")
    if address:
        keys["aws:SourceIp"] = address
    if agent := request.headers.get("user-agent"):
        keys["aws:UserAgent"] = agent
    if referer := request.headers.get("referer"):
        keys["aws:Referer"] = referer
    return keys


def denied(message: str, decision: Decision) -> AccessDenied:
    """AccessDenied with the decision behind it, for the decision log."""
    cause = decision.reasons[-1].text if decision.reasons else ""
    error = AccessDenied(message, cause=cause, fix=decision.fix)
    error.decision = decision
    return error
