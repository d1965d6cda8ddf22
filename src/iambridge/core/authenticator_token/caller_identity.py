"""What STS says about the caller of a presigned GetCallerIdentity."""

import re
from dataclasses import dataclass

import msgspec

from iambridge.core.arn import Arn, canonical_arn
from iambridge.core.decision import Reason

_MAX_BYTES = 64 * 1024
_ACCOUNT = re.compile(r"[0-9]{12}")


class _Result(msgspec.Struct, rename="pascal"):
    account: str
    arn: str
    user_id: str


class _Response(msgspec.Struct, rename="pascal"):
    get_caller_identity_result: _Result


class _Answer(msgspec.Struct, rename="pascal"):
    get_caller_identity_response: _Response


_ANSWER = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """A proven AWS caller. `user_id` is the unique id without the session name; `session_name` is empty but for a role
    session. `access_key_id` is what the signature was proved with.
    """

    account: str
    arn: str
    canonical_arn: str
    user_id: str
    session_name: str
    access_key_id: str


def caller_identity(body: bytes, *, access_key_id: str) -> CallerIdentity | Reason:
    """Read STS's JSON answer, status 200, to the call that `access_key_id` signed.

    Every disagreement within the answer is a refusal: account and ARN, ARN and UserId.
    """
    if len(body) > _MAX_BYTES:
        return _refusal("sts-response-size", "the answer of STS is larger than 64 KiB")
    try:
        result = _ANSWER.decode(body).get_caller_identity_response.get_caller_identity_result
    except msgspec.ValidationError:
        return _refusal("sts-response-malformed", "the answer of STS lacks an account, an ARN or a UserId")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _refusal("sts-response-malformed", "the answer of STS is not a GetCallerIdentityResponse in JSON")
    account, arn, user_id = result.account, result.arn, result.user_id
    if _ACCOUNT.fullmatch(account) is None:
        return _refusal("sts-response-malformed", "the answer of STS lacks an account, an ARN or a UserId")
    try:
        canonical, parsed = canonical_arn(arn), Arn.parse(arn)
    except ValueError as error:
        return _refusal("arn-not-an-identity", str(error))
    if parsed.account != account:
        return _refusal("account-disagrees", f"the account `{account}` is not the one of `{arn}`")
    session_name = ""
    if parsed.resource_type == "assumed-role":
        user_id, separator, session_name = user_id.partition(":")
        if not separator or not user_id or not session_name or session_name != parsed.name:
            return _refusal("user-id-malformed", f"the UserId of `{arn}` is not `id:session name`")
    elif not user_id:
        return _refusal("user-id-malformed", f"the UserId of `{arn}` is empty")
    return CallerIdentity(account, arn, canonical, user_id, session_name, access_key_id)


def _refusal(code: str, text: str) -> Reason:
    return Reason(code, text, where="GetCallerIdentity response")
