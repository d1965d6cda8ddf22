"""A real STS on a TLS socket, which fetches keys from a real issuer on another; IAM's facts are plain values."""

import asyncio
import contextlib
import datetime as dt
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.oidc_keys import FetchedOidcKeys
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.decision import Decision
from iambridge.core.iam_policy import NamedDocument, Policies, PolicyDocument, PolicyKind, Principal
from iambridge.core.role_trust import OidcProvider, Session, TrustedRole
from iambridge.core.service_account_token import (
    BoundObject,
    SigningKey,
    discovery_document,
    issue,
    jwks,
    projected_claims,
)
from iambridge.core.sigv4 import Credentials
from iambridge.ports import LongTermKey
from iambridge.sandbox.aws.sessions import SealedSessions
from iambridge.sandbox.aws.unique_ids import SESSION_KEY, access_key_id, account_of, secret_access_key
from iambridge.servers.sts import SecurityTokenService
from iambridge.wire.http import Request, Response

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/reader"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
SUBJECT = "system:serviceaccount:demo:reader"
KEY = SigningKey.generate("RS256")
OTHER_KEY = SigningKey.generate("ES256")


def trust(*statements: dict[str, Any]) -> PolicyDocument:
    return PolicyDocument.parse({"Version": "2012-10-17", "Statement": list(statements)}, kind=PolicyKind.TRUST)


def identity(*statements: dict[str, Any]) -> PolicyDocument:
    return PolicyDocument.parse({"Version": "2012-10-17", "Statement": list(statements)}, kind=PolicyKind.IDENTITY)


@dataclass
class Facts:
    """IAM's facts as plain values."""

    roles: dict[str, TrustedRole] = field(default_factory=dict)
    providers: dict[tuple[str, str], OidcProvider] = field(default_factory=dict)
    users: dict[str, LongTermKey] = field(default_factory=dict)
    documents: tuple[NamedDocument, ...] = ()

    def access_key(self, access_key_id: str) -> LongTermKey | None:
        return self.users.get(access_key_id)

    def role(self, role_arn: str) -> TrustedRole | None:
        return self.roles.get(role_arn)

    def oidc_provider(self, account: str, url: str) -> OidcProvider | None:
        return self.providers.get((account, url))

    def principal_tags(self, entity_arn: str, entity_id: str) -> dict[str, str] | None:
        role = self.roles.get(entity_arn)
        if role is None:
            return {} if any(key.principal.user_id == entity_id for key in self.users.values()) else None
        return dict(role.tags) if role.role_id == entity_id else None

    def policies(self, principal: Principal, session: Session | None) -> Policies:
        return Policies(identity=self.documents)

    def managed_policy_exists(self, policy_arn: str, account: str) -> bool:
        return policy_arn == "arn:aws:iam::aws:policy/ReadOnlyAccess"


@dataclass
class Log:
    decisions: list[Decision] = field(default_factory=list)

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        self.decisions.append(decision)


@dataclass
class World:
    """A running STS and issuer."""

    issuer: str
    url: str
    authority: CertificateAuthority
    facts: Facts
    log: Log
    directory: Path
    published_issuer: list[str]

    def token(self, key: SigningKey = KEY, **changes: object) -> str:
        claims = projected_claims(
            issuer=self.issuer, namespace="demo", service_account=BoundObject("reader", "u-1"), audiences=["sts.amazonaws.com"],
            now=int(time.time()), seconds=3600, jti="j-1",
        )  # fmt: skip
        return issue({name: value for name, value in {**claims, **changes}.items() if value is not None}, key)

    def client(self, keys: Credentials | None = None) -> Any:
        return boto3.client(
            "sts", endpoint_url=self.url, verify=str(self.authority.certificate_file), region_name="us-east-1",
            aws_access_key_id=keys.access_key_id if keys else "unused", aws_session_token=(keys.session_token or None) if keys else None,
            aws_secret_access_key=keys.secret_access_key if keys else "unused", config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    async def assume(self, token: str, **changes: Any) -> Any:
        arguments = {"RoleArn": ROLE, "RoleSessionName": "pod-1", "WebIdentityToken": token, **changes}
        return await asyncio.to_thread(lambda: self.client().assume_role_with_web_identity(**arguments))

    async def refusal(self, token: str, **changes: Any) -> tuple[str, str, int]:
        with pytest.raises(ClientError) as caught:
            await self.assume(token, **changes)
        return error_of(caught.value)


def error_of(error: ClientError) -> tuple[str, str, int]:
    return (
        error.response["Error"]["Code"],
        error.response["Error"]["Message"],
        error.response["ResponseMetadata"]["HTTPStatusCode"],
    )


def taken(answer: Any) -> Credentials:
    found = answer["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def issuer_app(issuer: str, published: list[str]) -> Callable[[Request], Any]:
    async def app(request: Request) -> Response:
        documents: dict[str, object] = {
            "/.well-known/openid-configuration": discovery_document(
                published[0], f"{issuer}/openid/v1/jwks", ["RS256"]
            ),
            "/openid/v1/jwks": jwks([KEY.public]),
        }
        document = documents.get(request.path)
        return Response(200 if document else 404, (), json.dumps(document).encode())

    return app


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[World]:
    now = dt.datetime.now(dt.UTC)
    authority = CertificateAuthority(directory / "pki", name="test", now=now)
    leaf = authority.leaf("server", hosts=("127.0.0.1",))
    ports = free_port(), free_port()
    issuer, url = (f"https://127.0.0.1:{port}" for port in ports)
    provider_arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/127.0.0.1:{ports[0]}"
    host = issuer.removeprefix("https://")
    facts = Facts(
        providers={(ACCOUNT, host): OidcProvider(provider_arn, host, ("sts.amazonaws.com",), (authority.thumbprint,))},
        roles={
            ROLE: TrustedRole(
                ROLE, ACCOUNT, "reader", "AROAEXAMPLEEXAMPLE123",
                trust({
                    "Effect": "Allow", "Principal": {"Federated": provider_arn}, "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {f"{host}:sub": SUBJECT, f"{host}:aud": "sts.amazonaws.com"}},
                }),
            )
        },
        users={
            "AKIAIOSFODNN7EXAMPLE": LongTermKey(
                "AKIAIOSFODNN7EXAMPLE", "secret", active=True,
                principal=Principal(ALICE, ACCOUNT, "user", user_id="AIDAEXAMPLEEXAMPLE123"),
            )
        },
    )  # fmt: skip
    log = Log()
    published = [issuer]
    service = SecurityTokenService(
        iam=facts, oidc_keys=FetchedOidcKeys(time.monotonic), sessions=SealedSessions(directory / "session.key"), log=log,
        now=lambda: dt.datetime.now(dt.UTC), new_id=lambda: str(uuid.uuid4()),
        new_key=lambda account: (access_key_id(SESSION_KEY, account), secret_access_key()), account_of=account_of,
    )  # fmt: skip
    servers = [
        RunningServer(issuer_app(issuer, published), Listener("127.0.0.1", ports[0], leaf.certificate, leaf.key)),
        RunningServer(service.app, Listener("127.0.0.1", ports[1], leaf.certificate, leaf.key)),
    ]
    for server in servers:
        await server.start()
    try:
        yield World(issuer, url, authority, facts, log, directory, published)
    finally:
        for server in servers:
            await server.stop()


ALICE_KEY = Credentials("AKIAIOSFODNN7EXAMPLE", "secret")


@pytest.fixture(autouse=True)
def _no_ambient_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
