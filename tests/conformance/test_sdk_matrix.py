"""AWS's SDKs, unmodified, take a web identity to the AWS side by their own providers, and use S3 with what they get."""

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from tests.conformance.sdk_peers import PROGRAMS, Command, go, java, javascript
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.service_account_token import BoundObject, SigningKey, issue, projected_claims
from iambridge.sandbox.aws_side import ACCOUNT_ID, AwsSide
from iambridge.sandbox.cluster.issuer import Issuer
from iambridge.sandbox.data_dir import DataDir

ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/matrix"
BUCKET = "sdk-matrix"
_RUN_SECONDS = 120


def _python(program: str) -> Callable[[Path], Command]:
    return lambda _: [sys.executable, str(PROGRAMS / program)]


SDKS: dict[str, Callable[[Path], Command]] = {
    "boto3": _python("crossing.py"),
    "aws-cli": _python("crossing_by_cli.py"),
    "javascript": lambda cache: javascript(cache, "crossing.mjs"),
    "go": go,
    "java": java,
}


@pytest.fixture(params=SDKS)
def program(request: pytest.FixtureRequest, peer_cache: Path) -> Command:
    return SDKS[request.param](peer_cache)


class World(NamedTuple):
    """An AWS side and an issuer on TLS sockets; `environment` is what a pod under IRSA has."""

    aws: str
    ca: Path
    issuer: str
    key: SigningKey
    side: AwsSide
    environment: dict[str, str]


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[World]:
    data_dir = DataDir(directory / "data")
    authority = CertificateAuthority(data_dir.pki, name="test CA", now=dt.datetime.now(dt.UTC))
    leaf = authority.leaf("servers", hosts=("127.0.0.1",))
    key = SigningKey.generate("RS256")
    aws_port, issuer_port = free_port(), free_port()
    aws, issuer = f"https://127.0.0.1:{aws_port}", f"https://127.0.0.1:{issuer_port}"
    side = AwsSide(data_dir, NoDecisionLog())
    apps = ((side.app, aws_port), (Issuer(issuer, [key]).app, issuer_port))
    servers = [RunningServer(app, Listener("127.0.0.1", port, leaf.certificate, leaf.key)) for app, port in apps]
    for server in servers:
        await server.start()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "AWS_ENDPOINT_URL": aws,
        "AWS_ENDPOINT_URL_STS": aws,  # the SDK for Go looks for credentials before it reads the general one
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ROLE_ARN": ROLE,
        "AWS_ROLE_SESSION_NAME": "matrix",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(directory / "token"),
        "AWS_CA_BUNDLE": str(authority.certificate_file),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NODE_EXTRA_CA_CERTS": str(authority.certificate_file),
    }
    try:
        yield World(aws, authority.certificate_file, issuer, key, side, environment)
    finally:
        for server in servers:
            await server.stop()
        await side.close()
        data_dir.close()


def prepare(world: World) -> None:
    """A bucket, the issuer's provider, and a role for one ServiceAccount that may use keys under `open/`."""

    def client(service: str) -> Any:
        admin = world.side.account.admin
        return boto3.client(
            service,
            endpoint_url=world.aws,
            verify=str(world.ca),
            region_name="us-east-1",
            aws_access_key_id=admin.id,
            aws_secret_access_key=admin.secret,
        )

    def document(statement: dict[str, Any]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    host = world.issuer.removeprefix("https://")
    iam = client("iam")
    client("s3").create_bucket(Bucket=BUCKET)
    provider = iam.create_open_id_connect_provider(Url=world.issuer, ClientIDList=["sts.amazonaws.com"])
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{host}:sub": "system:serviceaccount:demo:matrix"}},
    }
    use = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": f"arn:aws:s3:::{BUCKET}/open/*"}
    iam.create_role(RoleName="matrix", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="matrix", PolicyName="use", PolicyDocument=document(use))


def token(world: World, service_account: str) -> str:
    claims = projected_claims(
        issuer=world.issuer,
        namespace="demo",
        service_account=BoundObject(service_account, "u-1"),
        audiences=["sts.amazonaws.com"],
        now=int(time.time()),
        seconds=3600,
        jti="j-1",
    )
    return issue(claims, world.key)


def test_the_sdks_own_provider_crosses(program: Command, tmp_path: Path) -> None:
    """Its provider assumes the role, writing and reading pass, the next key is AccessDenied; and no other subject may."""

    def run(world: World) -> subprocess.CompletedProcess[str]:
        command = [*program, BUCKET, "open/a", "shut/a"]
        return subprocess.run(
            command, env=world.environment, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False
        )

    async def play() -> None:
        async with running(tmp_path) as world:
            await asyncio.to_thread(prepare, world)
            (tmp_path / "token").write_text(token(world, "matrix"))
            done = await asyncio.to_thread(run, world)
            assert done.returncode == 0, done.stderr
            said = json.loads(done.stdout)
            assert said["arn"] == f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/matrix/matrix"
            assert said["text"] == "from the SDK"
            assert said["error"]["code"] == "AccessDenied"
            assert "is not authorized to perform: s3:PutObject" in said["error"]["message"]
            (tmp_path / "token").write_text(token(world, "intruder"))
            done = await asyncio.to_thread(run, world)
            assert done.returncode != 0
            assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in done.stderr

    asyncio.run(play())
