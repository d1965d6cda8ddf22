"""The STS server: dispatches actions, answers in the Query protocol, logs every decision."""

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.service_account_token import Proofs
from iambridge.errors import (
    AccessDenied,
    AuthenticationFault,
    AwsError,
    InvalidAction,
    MissingAction,
    NotImplementedBySandbox,
    RequestNotAuthenticated,
    ValidationError,
)
from iambridge.ports import DecisionLog, IamFacts, OidcKeys, Sessions
from iambridge.servers.sigv4_authentication import AuthenticatedCaller, Used, authenticate
from iambridge.servers.sts.assume_role import assume_role
from iambridge.servers.sts.deciding import Unread, nothing_unread
from iambridge.servers.sts.decode_message import decode_message
from iambridge.servers.sts.issuing import Issuer
from iambridge.servers.sts.parameters import Faults
from iambridge.servers.sts.user_sessions import federation_token, refuse_sessions, session_token
from iambridge.servers.sts.web_identity import assume_role_with_web_identity
from iambridge.wire.aws_authentication import Family, spell
from iambridge.wire.aws_query import Result, error_response, failure, parse_form, success, wants_json
from iambridge.wire.http import Request, Response

Answer = tuple[Result, Decision]
Signed = Callable[[Mapping[str, str], Request, AuthenticatedCaller], Answer]

_VERSION = "2011-06-15"
_KEY_ID = re.compile(r"[\w]*", re.ASCII)
_NOT_MODELLED = (
    "AssumeRoleWithSAML",
    "AssumeRoot",
    "GetDelegatedAccessToken",
    "GetWebIdentityToken",
)


class SecurityTokenService:
    """`now` gives an aware datetime, `new_id` a request id, `new_key(account)` an access key id and its secret.

    `account_of(access_key_id)` raises ValueError for what is no access key id. `decode_message` reads an encoded
    authorization failure message, or gives None. `unread(request, policies)` names the facts that a decision hangs on
    and nobody here knows: such a call is refused by name. `used` is told of each proven caller.
    `region` is the one of unsigned calls.
    """

    def __init__(
        self,
        *,
        iam: IamFacts,
        oidc_keys: OidcKeys,
        sessions: Sessions,
        log: DecisionLog,
        now: Callable[[], dt.datetime],
        new_id: Callable[[], str],
        new_key: Callable[[str], tuple[str, str]],
        account_of: Callable[[str], str],
        decode_message: Callable[[str], str | None] = lambda _: None,
        unread: Unread = nothing_unread,
        used: Used = lambda _, __: None,
        region: str = "us-east-1",
    ) -> None:
        self._iam = iam
        self._oidc_keys = oidc_keys
        self._proofs = Proofs()
        self._sessions = sessions
        self._log = log
        self._now = now
        self._new_id = new_id
        self._account_of = account_of
        self._decode = decode_message
        self._unread = unread
        self._used = used
        self._region = region
        self._issuer = Issuer(sessions, new_key)
        self._signed: dict[str, Signed] = {
            "AssumeRole": self._assume_role,
            "DecodeAuthorizationMessage": self._decode_authorization_message,
            "GetAccessKeyInfo": self._get_access_key_info,
            "GetCallerIdentity": self._get_caller_identity,
            "GetFederationToken": self._get_federation_token,
            "GetSessionToken": self._get_session_token,
        }

    async def app(self, request: Request) -> Response:
        request_id = self._new_id()
        as_json = wants_json(request.headers.get("accept"))
        action = ""
        try:
            parameters = parse_form(request.query, request.body)
            action = parameters.get("Action", "")
            result, decision = await self._decide(action, parameters, request)
        except RequestNotAuthenticated as error:
            self._record(action, error, request_id, request)
            found = spell(error, Family.QUERY)
            return error_response(found.code, found.message, found.status, request_id=request_id, as_json=as_json)
        except AwsError as error:
            self._record(action, error, request_id, request)
            return failure(error, request_id=request_id, as_json=as_json)
        self._log.record(decision, request_id=request_id, client=request.client)
        return success(action, result, request_id=request_id, as_json=as_json)

    async def _decide(self, action: str, parameters: Mapping[str, str], request: Request) -> Answer:
        if not action:
            raise MissingAction("The request must contain the parameter Action", fix="send Action=...")
        if parameters.get("Version", _VERSION) != _VERSION:
            raise InvalidAction(
                f"Could not find operation {action[:64]} for version {parameters['Version'][:32]}",
                fix=f"send Version={_VERSION}",
            )
        if action == "AssumeRoleWithWebIdentity":
            judged: Awaitable[Answer] = assume_role_with_web_identity(
                parameters,
                request,
                iam=self._iam,
                oidc_keys=self._oidc_keys,
                proofs=self._proofs,
                issuer=self._issuer,
                unread=self._unread,
                region=self._region,
                now=self._now(),
            )
            return await judged
        operation = self._signed.get(action)
        if operation is None and action in _NOT_MODELLED:
            raise NotImplementedBySandbox(
                f"sts:{action} is not modelled", fix="report what you need it for, with the call that you make"
            )
        if operation is None:
            raise InvalidAction(
                f"Could not find operation {action[:64]} for version {_VERSION}", fix="send an action of STS"
            )
        now = self._now()
        caller = authenticate(request, self._iam, self._sessions, now=now, service="sts")
        if caller is None:
            raise RequestNotAuthenticated(
                AuthenticationFault.MISSING, "Request is missing Authentication Token", fix="sign the request"
            )
        self._used(caller, now)
        refuse_sessions(action, caller)
        return operation(parameters, request, caller)

    def _get_caller_identity(self, _: Mapping[str, str], __: Request, caller: AuthenticatedCaller) -> Answer:
        who = caller.principal
        result = {"Arn": who.arn, "UserId": who.user_id or who.account, "Account": who.account}
        return result, _allowed("sts:GetCallerIdentity", f"the signature proves `{who.arn}`")

    def _get_access_key_info(self, parameters: Mapping[str, str], _: Request, caller: AuthenticatedCaller) -> Answer:
        faults = Faults(parameters)
        key_id = faults.text("AccessKeyId", low=16, high=128, pattern=_KEY_ID)
        faults.raise_all()
        try:
            account = self._account_of(key_id)
        except ValueError:
            raise ValidationError("Invalid access key id") from None
        return {"Account": account}, _allowed("sts:GetAccessKeyInfo", f"asked by `{caller.principal.arn}`")

    def _get_session_token(self, parameters: Mapping[str, str], _: Request, caller: AuthenticatedCaller) -> Answer:
        return session_token(parameters, caller, issuer=self._issuer, now=self._now())

    def _get_federation_token(
        self, parameters: Mapping[str, str], request: Request, caller: AuthenticatedCaller
    ) -> Answer:
        return federation_token(
            parameters, request, caller, iam=self._iam, issuer=self._issuer, unread=self._unread, now=self._now()
        )

    def _assume_role(self, parameters: Mapping[str, str], request: Request, caller: AuthenticatedCaller) -> Answer:
        return assume_role(
            parameters, request, caller, iam=self._iam, issuer=self._issuer, unread=self._unread, now=self._now()
        )

    def _decode_authorization_message(
        self, parameters: Mapping[str, str], request: Request, caller: AuthenticatedCaller
    ) -> Answer:
        return decode_message(
            parameters, request, caller, iam=self._iam, decode=self._decode, unread=self._unread, now=self._now()
        )

    def _record(self, action: str, error: AwsError, request_id: str, request: Request) -> None:
        reason = Reason(error.code, error.cause, facts=error.facts)
        decision = Decision(f"sts:{action[:64] or 'unknown'}", Outcome.IMPLICIT_DENY, (reason,), error.fix)
        behind = error.decision if isinstance(error, AccessDenied) else None
        judged = behind if isinstance(behind, Decision) else decision
        self._log.record(judged, request_id=request_id, client=request.client)


@lru_cache(maxsize=1024)
def _allowed(hop: str, text: str) -> Decision:
    return Decision(hop, Outcome.ALLOWED, (Reason("authenticated", text, held=True),))
