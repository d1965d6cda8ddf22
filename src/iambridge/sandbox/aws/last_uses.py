"""When access keys and roles were last used: noted in memory at once, on disk with the next write or a while later.

A use is a request that was authenticated, allowed or not: a key "was most recently used to sign an AWS API request",
and last accessed information is of all attempts, of unauthenticated ones none. A role is used by its sessions'
requests, not by who assumes it. Of the uses within 15 minutes only the first is recorded.
Sources: IAM User Guide, "Generate credential reports" (the span, the service's namespace); IAM API Reference,
GetAccessKeyLastUsed, RoleLastUsed (400 days) and GenerateServiceLastAccessedDetails (all attempts, within four hours).
"""

import asyncio
import datetime as dt

from iambridge.core.iam_policy import PrincipalKind
from iambridge.sandbox.aws.catalogue import SERVICES
from iambridge.sandbox.aws.entities import AccessKey, LastUse, Role
from iambridge.sandbox.aws.iam_account import IamAccount, Output
from iambridge.sandbox.aws.store import Store
from iambridge.servers.sigv4_authentication import AuthenticatedCaller
from iambridge.wire.moment import zulu

_SPAN = dt.timedelta(minutes=15)
_TRACKED = dt.timedelta(days=400)
# an enumeration's member costs a microsecond to look up, on every request's path
_ROLE_SESSION = PrincipalKind.ROLE_SESSION.value
NONE = "N/A"


class LastUses:
    """Of one account. Uses reach the disk `linger` seconds after the first that waits, at most: a killed process
    (SIGKILL) loses that much.
    """

    def __init__(self, store: Store, *, linger: float = 30.0) -> None:
        self._store = store
        self._linger = linger
        self._spans: dict[str, dt.datetime] = {}  # their ends
        self._timer: asyncio.TimerHandle | None = None

    def record(self, caller: AuthenticatedCaller, now: dt.datetime) -> None:
        """A request of `caller`. Sessions of GetSessionToken and GetFederationToken use neither a key nor a role."""
        session = caller.session
        if session is None:
            subject = caller.access_key_id
        elif session.kind == _ROLE_SESSION:
            subject = session.entity_id
        else:
            return
        ends = self._spans.get(subject)
        if ends is None or now >= ends:
            self._first_of_its_span(subject, now, caller)

    def _first_of_its_span(self, subject: str, now: dt.datetime, caller: AuthenticatedCaller) -> None:
        before = self._store.get(LastUse, subject)
        if before is not None and now < (ends := _moment(before) + _SPAN):
            # of an earlier process
            self._spans[subject] = ends
            return
        self._spans[subject] = now + _SPAN
        scope, at = caller.signed.service, zulu(int(now.timestamp()))
        service = SERVICES[scope][0].prefix if scope in SERVICES else scope
        self._store.note(LastUse(subject=subject, at=at, service=service, region=caller.signed.region))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._linger, self._flush)

    def close(self) -> None:
        """The store writes what waits when it is closed."""
        if self._timer is not None:
            self._timer.cancel()

    def _flush(self) -> None:
        """Write what waits, and forget here what the store knows as well."""
        self._timer = None
        if self._spans:
            begun = max(self._spans.values()) - _SPAN
            self._spans = {subject: ends for subject, ends in self._spans.items() if ends > begun}
        self._store.flush()


def of_key(account: IamAccount, key: AccessKey) -> tuple[str, str, str]:
    """Date, region and service; the date, which AWS tells to the minute, is empty for a key never used."""
    use = account.store.get(LastUse, key.id)
    if use is None:
        return "", NONE, NONE
    return _moment(use).strftime("%Y-%m-%dT%H:%M:00Z"), use.region, use.service


def of_role(account: IamAccount, role: Role) -> Output:
    """RoleLastUsed, empty when that is longer ago than IAM tracks."""
    use = account.store.get(LastUse, role.id)
    if use is None or account.now() - _moment(use) > _TRACKED:
        return {}
    return {"LastUsedDate": use.at, "Region": use.region}


def forgotten(account: IamAccount, subject: str) -> tuple[LastUse, ...]:
    """What goes with an access key or a role that is deleted, by its id."""
    use = account.store.get(LastUse, subject)
    return () if use is None else (use,)


def _moment(use: LastUse) -> dt.datetime:
    return dt.datetime.fromisoformat(use.at)
