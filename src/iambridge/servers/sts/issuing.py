"""Makes sessions and the part of an answer that shows them."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import PrincipalKind
from iambridge.core.role_trust import Session, SessionTags, TrustedRole
from iambridge.errors import AccessDenied
from iambridge.ports import Sessions
from iambridge.servers.sigv4_authentication import AuthenticatedCaller
from iambridge.servers.sts.parameters import RoleRequest
from iambridge.wire.aws_query import Result

_ROOT_SECONDS = 3600
_ROLE_SESSION = PrincipalKind.ROLE_SESSION.value


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """What a session of a web identity remembers: the provider's ARN, and the condition keys of the token."""

    provider: str = ""
    keys: dict[str, str] | None = None


class Issuer:
    """`new_key(account)` draws an access key id that names the account, and its secret."""

    def __init__(self, sessions: Sessions, new_key: Callable[[str], tuple[str, str]]) -> None:
        self._sessions = sessions
        self._new_key = new_key

    def role_session(
        self, role: TrustedRole, asked: RoleRequest, tags: SessionTags, now: dt.datetime, identity: WebIdentity
    ) -> dict[str, str | int | Result | None]:
        """`Credentials`, `AssumedRoleUser`, and `PackedPolicySize` and `SourceIdentity` where there are any."""
        key_id, secret = self._new_key(role.account)
        issued = int(now.timestamp())
        partition = role.arn.split(":", 2)[1]
        arn = f"arn:{partition}:sts::{role.account}:assumed-role/{role.name}/{asked.session_name}"
        session = Session(
            access_key_id=key_id,
            secret_access_key=secret,
            account=role.account,
            kind=_ROLE_SESSION,
            principal_arn=arn,
            entity_arn=role.arn,
            entity_id=role.role_id,
            user_id=f"{role.role_id}:{asked.session_name}",
            issued=issued,
            expires=issued + asked.duration,
            policy=asked.policy,
            policy_arns=asked.policy_arns,
            tags=tags.tags,
            transitive_tag_keys=tags.transitive,
            source_identity=tags.source_identity,
            federated_provider=identity.provider,
            web_identity=identity.keys or {},
        )
        return {
            "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": arn},
            "Credentials": self._credentials(session),
            "PackedPolicySize": asked.packed_policy_size,
            "SourceIdentity": tags.source_identity or None,
        }

    def session_token(self, caller: AuthenticatedCaller, duration: int, now: dt.datetime) -> tuple[Result, Decision]:
        """GetSessionToken: a user's own permissions under temporary keys. The root user gets an hour at most.

        Raises:
            AccessDenied: the caller is a session itself.
        """
        hop, who = "sts:GetSessionToken", caller.principal
        if caller.session is not None:
            raise AccessDenied(
                "Cannot call GetSessionToken with session credentials", fix="call it with a user's long-term key"
            )
        key_id, secret = self._new_key(who.account)
        issued = int(now.timestamp())
        life = min(duration, _ROOT_SECONDS) if who.kind == PrincipalKind.ROOT else duration
        session = Session(
            access_key_id=key_id,
            secret_access_key=secret,
            account=who.account,
            kind=PrincipalKind(who.kind).value,
            principal_arn=who.arn,
            entity_arn=who.arn,
            entity_id=who.user_id,
            user_id=who.user_id,
            issued=issued,
            expires=issued + life,
        )
        reason = Reason("authenticated", f"the signature proves `{who.arn}`", held=True)
        return {"Credentials": self._credentials(session)}, Decision(hop, Outcome.ALLOWED, (reason,))

    def _credentials(self, session: Session) -> Result:
        return {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": self._sessions.seal(session),
            "Expiration": zulu(session.expires),
        }


@lru_cache(maxsize=1024)
def zulu(epoch: int) -> str:
    """Seconds since the epoch in UTC, as AWS writes a moment: `2026-11-23T18:00:00Z`."""
    return dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
