"""Makes sessions and the part of an answer that shows them."""

import datetime as dt
from collections.abc import Callable

import msgspec

from iambridge.core.iam_policy import PrincipalKind
from iambridge.core.role_trust import Session, SessionTags, TrustedRole
from iambridge.ports import Sessions
from iambridge.servers.sts.parameters import RoleRequest, packed_size
from iambridge.servers.sts.tags import check_space
from iambridge.wire.aws_query import Result
from iambridge.wire.moment import moment

_ROLE_SESSION = PrincipalKind.ROLE_SESSION.value


class WebIdentity(msgspec.Struct, frozen=True):
    """What a session of a web identity remembers: the provider's ARN, and the condition keys of the token."""

    provider: str = ""
    keys: dict[str, str] | None = None


class Issuer:
    """`new_key(account)` draws an access key id that names the account, and its secret."""

    def __init__(self, sessions: Sessions, new_key: Callable[[str], tuple[str, str]]) -> None:
        self._sessions = sessions
        self.new_key = new_key

    def role_session(
        self, role: TrustedRole, asked: RoleRequest, tags: SessionTags, now: dt.datetime, identity: WebIdentity
    ) -> dict[str, str | int | Result | None]:
        """`Credentials`, `AssumedRoleUser`, and `PackedPolicySize` and `SourceIdentity` where there are any.

        Raises:
            PackedPolicyTooLarge: session tags and policies are too long together.
        """
        if tags.tags:
            check_space(tags.tags)
        key_id, secret = self.new_key(role.account)
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
            "Credentials": self.credentials(session, asked.least_token),
            "PackedPolicySize": packed_size(asked.policy, asked.policy_arns, tags.tags),
            "SourceIdentity": tags.source_identity or None,
        }

    def credentials(self, session: Session, least_token: int = 0) -> Result:
        """The part of an answer that holds keys and the session, sealed in `least_token` characters or more."""
        return {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": self._sessions.seal(session, least_token),
            "Expiration": moment(session.expires),
        }
