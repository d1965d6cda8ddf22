"""Puts the AWS side together: the account, and the production STS over its facts."""

import datetime as dt
import time

from iambridge.adapters import randomness
from iambridge.adapters.oidc_keys import FetchedOidcKeys
from iambridge.ports import DecisionLog
from iambridge.sandbox.aws import unique_ids
from iambridge.sandbox.aws.account import Account
from iambridge.sandbox.aws.authorization import unread
from iambridge.sandbox.aws.authorization_messages import AuthorizationMessages
from iambridge.sandbox.aws.sessions import SealedSessions
from iambridge.sandbox.aws.sts_facts import StsFacts
from iambridge.sandbox.client_environment import REGION
from iambridge.sandbox.data_dir import DataDir
from iambridge.servers.sts import SecurityTokenService
from iambridge.wire.http import App

ACCOUNT_ID = "111122223333"


class AwsSide:
    """One account in `data_dir`, answered at `app`."""

    def __init__(self, data_dir: DataDir, log: DecisionLog) -> None:
        self.account = Account(data_dir.aws, account_id=ACCOUNT_ID, region=REGION, now=_now, decision_log=log)
        self.sessions = SealedSessions(data_dir.aws / "session.key")
        messages = AuthorizationMessages(data_dir.aws / "session.key")
        facts = StsFacts(self.account.iam)
        sts = SecurityTokenService(
            iam=facts,
            oidc_keys=FetchedOidcKeys(time.monotonic),
            sessions=self.sessions,
            log=log,
            now=_now,
            new_id=randomness.uuid4,
            new_key=lambda account: (unique_ids.access_key_id("ASIA", account), unique_ids.secret_access_key()),
            account_of=unique_ids.account_of,
            decode_message=messages.decode,
            unread=unread,
            used=self.account.last_uses.record,
            region=REGION,
        )
        self.account.connect_sts(sts.app, facts, self.sessions, messages)

    @property
    def app(self) -> App:
        return self.account.app

    async def close(self) -> None:
        await self.account.close()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
