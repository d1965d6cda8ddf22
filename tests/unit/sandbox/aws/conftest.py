"""A whole account behind a real TLS socket, in a thread with its own event loop, and clients for it."""

import asyncio
import datetime as dt
import functools
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.oidc_keys import FetchedOidcKeys
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.decision import Decision
from iambridge.sandbox.aws import unique_ids
from iambridge.sandbox.aws.account import Account
from iambridge.sandbox.aws.authorization import unread
from iambridge.sandbox.aws.authorization_messages import AuthorizationMessages
from iambridge.sandbox.aws.sessions import SealedSessions
from iambridge.sandbox.aws.sts_facts import StsFacts
from iambridge.servers.sts import SecurityTokenService

ACCOUNT = "111122223333"


class KeptDecisions:
    """A decision log that a test can read."""

    def __init__(self) -> None:
        self.decisions: list[tuple[Decision, dict[str, str]]] = []

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        self.decisions.append((decision, {"requestId": request_id, **request}))


class RunningAccount:
    """`url` and `ca` are what a client needs; `account` is the part itself."""

    def __init__(self, data_dir: Path) -> None:
        self.decisions = KeptDecisions()
        self.authority = CertificateAuthority(data_dir / "pki", name="test", now=dt.datetime.now(dt.UTC))
        leaf = self.authority.leaf("aws", hosts=("127.0.0.1",))
        self.ca = str(self.authority.certificate_file)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener = Listener("127.0.0.1", self.port, leaf.certificate, leaf.key, max_body=64 * 1024 * 1024)
        self._run(self._start(data_dir))

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _start(self, data_dir: Path) -> None:
        self.account = Account(
            data_dir / "aws",
            account_id=ACCOUNT,
            region="us-east-1",
            now=lambda: dt.datetime.now(dt.UTC),
            decision_log=self.decisions,
        )
        self._connect(data_dir)
        self._server = RunningServer(self.account.app, self._listener)
        await self._server.start()

    def _connect(self, data_dir: Path) -> None:
        facts = StsFacts(self.account.iam)
        sessions = SealedSessions(data_dir / "aws/session.key")
        messages = AuthorizationMessages(data_dir / "aws/session.key")
        sts = SecurityTokenService(
            iam=facts,
            oidc_keys=FetchedOidcKeys(time.monotonic),
            sessions=sessions,
            log=self.decisions,
            now=lambda: dt.datetime.now(dt.UTC),
            new_id=lambda: str(uuid.uuid4()),
            new_key=lambda account: (unique_ids.access_key_id("ASIA", account), unique_ids.secret_access_key()),
            account_of=unique_ids.account_of,
            decode_message=messages.decode,
            unread=unread,
            used=self.account.last_uses.record,
        )
        self.account.connect_sts(sts.app, facts, sessions, messages)

    def stop(self) -> None:
        self._run(self._server.stop())
        self._run(self.account.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def client(self, service: str, key: Any = None, **options: Any) -> Any:
        """A boto3 client, the administrator's without `key` (an AccessKey dict of CreateAccessKey)."""
        from botocore.config import Config

        admin = self.account.admin
        return _session().client(
            service,
            region_name=options.pop("region_name", "us-east-1"),
            endpoint_url=self.url,
            verify=self.ca,
            aws_access_key_id=key["AccessKeyId"] if key else admin.id,
            aws_secret_access_key=key["SecretAccessKey"] if key else admin.secret,
            aws_session_token=(key or {}).get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, **options),
        )


@functools.cache
def _session() -> Any:
    """One for all clients, each of which is told its own keys: a session of its own would read all of botocore's models anew."""
    import boto3

    return boto3.session.Session()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAccount]:
    account = RunningAccount(tmp_path_factory.mktemp("account"))
    yield account
    account.stop()
