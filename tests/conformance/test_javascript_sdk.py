"""The AWS SDK for JavaScript v3, unmodified, takes a web identity to the AWS side and writes an object."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.adapters.serving import Listener, RunningServer, free_port
from iambridge.core.service_account_token import BoundObject, SigningKey, issue, projected_claims
from iambridge.sandbox.aws_side import ACCOUNT_ID, AwsSide
from iambridge.sandbox.cluster.issuer import Issuer
from iambridge.sandbox.data_dir import DataDir

VERSION = "3.1000.0"
PACKAGES = ("client-sts", "client-s3", "credential-providers")
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/javascript"
BUCKET = "javascript-sdk"
_INSTALL_SECONDS, _RUN_SECONDS = 300, 60

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")),
    reason="node or npm is not on PATH: the JavaScript SDK cannot run",
)

PROGRAM = """
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { fromTokenFile } from "@aws-sdk/credential-providers";

const [bucket, allowed, refused] = process.argv.slice(2);
const credentials = fromTokenFile({ roleSessionName: "javascript" });
const s3 = new S3Client({ credentials, forcePathStyle: true });
const who = await new STSClient({ credentials }).send(new GetCallerIdentityCommand({}));
await s3.send(new PutObjectCommand({ Bucket: bucket, Key: allowed, Body: "from JavaScript" }));
const read = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: allowed }));
const text = await read.Body.transformToString();
let error = {};
try {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: refused, Body: "no" }));
} catch (caught) {
  error = { name: caught.name, message: caught.message, status: caught.$metadata.httpStatusCode };
}
console.log(JSON.stringify({ arn: who.Arn, text, error }));
"""


class World(NamedTuple):
    """An AWS side and an issuer on TLS sockets; `environment` is what a pod under IRSA has."""

    aws: str
    ca: Path
    issuer: str
    key: SigningKey
    side: AwsSide
    environment: dict[str, str]


@pytest.fixture(scope="module")
def installed(peer_cache: Path) -> Path:
    """A directory with the SDK in `node_modules`, kept between runs outside the repository."""
    place = peer_cache / f"javascript-sdk-{VERSION}"
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as directory:
        fresh = Path(directory) / "sdk"
        fresh.mkdir()
        (fresh / "package.json").write_text('{"private": true, "type": "module"}')
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
        command = ["npm", "install", *quiet, *(f"@aws-sdk/{name}@{VERSION}" for name in PACKAGES)]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install the JavaScript SDK {VERSION}: {done.stderr[-300:]}")
        # whole or not at all; another run may have been first
        with contextlib.suppress(OSError):
            fresh.rename(place)
    return place


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
        "AWS_REGION": "us-east-1",
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(directory / "token"),
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
        "Condition": {"StringEquals": {f"{host}:sub": "system:serviceaccount:demo:javascript"}},
    }
    use = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": f"arn:aws:s3:::{BUCKET}/open/*"}
    iam.create_role(RoleName="javascript", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="javascript", PolicyName="use", PolicyDocument=document(use))


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


def test_the_sdks_own_token_file_provider_crosses(installed: Path, tmp_path: Path) -> None:
    """fromTokenFile assumes the role, PutObject and GetObject pass, the next key is AccessDenied; no other subject."""
    program = installed / "crossing.mjs"
    program.write_text(PROGRAM)

    def node(world: World) -> subprocess.CompletedProcess[str]:
        command = ["node", str(program), BUCKET, "open/a", "shut/a"]
        return subprocess.run(
            command, env=world.environment, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False
        )

    async def play() -> None:
        async with running(tmp_path) as world:
            await asyncio.to_thread(prepare, world)
            (tmp_path / "token").write_text(token(world, "javascript"))
            done = await asyncio.to_thread(node, world)
            assert done.returncode == 0, done.stderr
            said = json.loads(done.stdout)
            assert said["arn"] == f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/javascript/javascript"
            assert said["text"] == "from JavaScript"
            assert (said["error"]["name"], said["error"]["status"]) == ("AccessDenied", 403)
            assert "is not authorized to perform: s3:PutObject" in said["error"]["message"]
            (tmp_path / "token").write_text(token(world, "intruder"))
            done = await asyncio.to_thread(node, world)
            assert done.returncode != 0
            assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in done.stderr

    asyncio.run(play())
