"""DecodeAuthorizationMessage, for callers whose own policies allow it.

Source: STS API Reference, DecodeAuthorizationMessage.
"""

import datetime as dt
from collections.abc import Callable, Mapping

from iambridge.core.authorization_message import MAX_ENCODED
from iambridge.core.decision import Decision
from iambridge.core.iam_policy import AuthorizationRequest
from iambridge.errors import InvalidAuthorizationMessageException
from iambridge.ports import IamFacts
from iambridge.servers.sigv4_authentication import AuthenticatedCaller
from iambridge.servers.sts.deciding import Unread, caller_keys, decided, denied_in_words
from iambridge.servers.sts.parameters import Faults
from iambridge.wire.aws_query import Result
from iambridge.wire.http import Request

_ACTION = "sts:DecodeAuthorizationMessage"


def decode_message(
    parameters: Mapping[str, str],
    request: Request,
    caller: AuthenticatedCaller,
    *,
    iam: IamFacts,
    decode: Callable[[str], str | None],
    unread: Unread,
    now: dt.datetime,
) -> tuple[Result, Decision]:
    """The decoded message and the decision that let the caller read it.

    Raises:
        AccessDenied: no policy of the caller allows the action.
        InvalidAuthorizationMessageException: the message was not encoded by this account.
    """
    faults = Faults(parameters)
    encoded = faults.text("EncodedMessage", low=1, high=MAX_ENCODED, secret=True)
    faults.raise_all()
    context = caller_keys(caller, request, now)
    asked = AuthorizationRequest(caller.principal, _ACTION, "*", caller.principal.account, context)
    decision = decided(asked, iam.policies(caller.principal, caller.session), unread)
    if not decision.allowed:
        raise denied_in_words(asked, decision)
    message = decode(encoded)
    if message is None:
        raise InvalidAuthorizationMessageException(
            "Message is not valid",
            cause="the message was not encoded by this account, or was changed or cut on the way",
            fix="pass the whole text after `Encoded authorization failure message: `",
        )
    return {"DecodedMessage": message}, decision
