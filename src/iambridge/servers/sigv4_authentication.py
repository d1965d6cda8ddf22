"""Who sent an AWS request: its signature proved with the key of an IAM user, the root user or a session."""

import datetime as dt
from collections.abc import Callable

import msgspec

from iambridge.core import sigv4
from iambridge.core.iam_policy import Principal
from iambridge.core.role_trust import Session
from iambridge.errors import AuthenticationFault, RequestNotAuthenticated
from iambridge.ports import IamFacts, Sessions
from iambridge.wire.http import Request


class AuthenticatedCaller(msgspec.Struct, frozen=True):
    """A proven caller. `session` is None for a long-term key; `payload` is the body as the service shall see it."""

    principal: Principal
    access_key_id: str
    session: Session | None
    payload: sigv4.VerifiedPayload
    signed: sigv4.SignedRequest


Used = Callable[[AuthenticatedCaller, dt.datetime], None]
"""Is told who was authenticated, and when; costs next to nothing."""


def authenticate(
    request: Request, iam: IamFacts, sessions: Sessions, *, now: dt.datetime, service: str = "", region: str = ""
) -> AuthenticatedCaller | None:
    """The caller, or None when the request carries no signature. `service` and `region` are what its scope must name.

    Raises:
        RequestNotAuthenticated: a key that does not exist or is inactive, a session that is not ours, has ended, or
            whose role or user is gone, and every fault that `sigv4.verify` finds.
    """
    signed = sigv4.parse(query=request.query, headers=request.headers.by_name)
    if signed is None:
        return None
    if signed.session_token:
        session = _session(signed, sessions, now)
        principal, secret = _session_principal(session, iam), session.secret_access_key
    else:
        session = None
        principal, secret = _user(signed.access_key_id, iam)
    payload = sigv4.verify(
        signed,
        secret,
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers.by_name,
        body=request.body,
        now=now,
        service=service,
        region=region,
    )
    return AuthenticatedCaller(principal, signed.access_key_id, session, payload, signed)


def _session(signed: sigv4.SignedRequest, sessions: Sessions, now: dt.datetime) -> Session:
    session = sessions.unseal(signed.session_token)
    if session is None or session.access_key_id != signed.access_key_id:
        raise _refused(
            AuthenticationFault.INVALID_SESSION,
            "the session token was not issued here, or not with this access key id",
            "use access key id, secret and session token of one answer of STS",
        )
    if now.timestamp() >= session.expires:
        raise RequestNotAuthenticated(
            AuthenticationFault.EXPIRED_SESSION,
            "The security token included in the request is expired",
            cause=f"the session ended at {dt.datetime.fromtimestamp(session.expires, dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
            fix="assume the role again",
        )
    return session


def _session_principal(session: Session, iam: IamFacts) -> Principal:
    tags = iam.principal_tags(session.entity_arn, session.entity_id)
    if tags is None:
        raise _refused(
            AuthenticationFault.INVALID_SESSION,
            f"`{session.entity_arn}` was deleted since the session began",
            "assume a role that exists",
        )
    return session.principal(tags)


def _user(access_key_id: str, iam: IamFacts) -> tuple[Principal, str]:
    key = iam.access_key(access_key_id)
    if key is None:
        raise _refused(
            AuthenticationFault.UNKNOWN_KEY,
            "there is no access key with that id; a temporary one needs its session token",
            "use an access key of this account, and send the session token of temporary credentials",
        )
    if not key.active:
        raise _refused(AuthenticationFault.INACTIVE_KEY, "the access key is inactive", "activate it or use another")
    return key.principal, key.secret_access_key


def _refused(fault: AuthenticationFault, cause: str, fix: str) -> RequestNotAuthenticated:
    return RequestNotAuthenticated(
        fault, "The security token included in the request is invalid.", cause=cause, fix=fix
    )
