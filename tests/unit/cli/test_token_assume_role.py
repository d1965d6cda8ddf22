"""`iambridge token --role-arn` against a whole AWS side on a TLS socket."""

import asyncio
import contextlib
import datetime as dt
import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.authenticator_token import (
    CallerIdentity,
    HostRules,
    PresignedCallerIdentity,
    admissible,
    caller_identity,
)
from iambridge.sandbox.aws_side import ACCOUNT_ID, AwsSide
from iambridge.sandbox.data_dir import DataDir

ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/deploy"
ADMIN = f"arn:aws:iam::{ACCOUNT_ID}:user/iambridge-admin"


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[dict[str, str]]:
    """The environment of a client of a running AWS side."""
    with contextlib.closing(DataDir(directory)) as data_dir:
        authority = CertificateAuthority(directory / "pki", name="test", now=dt.datetime.now(dt.UTC))
        leaf = authority.leaf("aws", hosts=("127.0.0.1",))
        side = AwsSide(data_dir, NoDecisionLog())
        port = data_dir.ports.aws
        server = RunningServer(side.app, Listener("127.0.0.1", port, leaf.certificate, leaf.key))
        await server.start()
        try:
            yield {
                "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",
                "AWS_CA_BUNDLE": str(authority.certificate_file),
                "AWS_ACCESS_KEY_ID": side.account.admin.id,
                "AWS_SECRET_ACCESS_KEY": side.account.admin.secret,
            }
        finally:
            await server.stop()
            await side.close()


def iam(environment: dict[str, str]) -> Any:
    return boto3.client(
        "iam", endpoint_url=environment["AWS_ENDPOINT_URL"], verify=environment["AWS_CA_BUNDLE"], region_name="us-east-1",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def make_role(environment: dict[str, str]) -> None:
    """A role that only the administrator may assume, with an external id and one session name."""
    statement = {
        "Effect": "Allow", "Principal": {"AWS": ADMIN}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "e-1", "sts:RoleSessionName": ["ci", "iambridge-token"]}},
    }  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam(environment).create_role(RoleName="deploy", AssumeRolePolicyDocument=document)


def token(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("iambridge")), "token", "--cluster-name", "demo", "--role-arn", ROLE]
    return subprocess.run(
        [*command, "--token-only", *arguments], env={"PATH": "/usr/bin", **environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def who(environment: dict[str, str], printed: str) -> CallerIdentity:
    """What the presigned call in a token answers, asked as an authenticator asks."""
    host = environment["AWS_ENDPOINT_URL"].removeprefix("https://")
    call = admissible(printed.strip(), now=dt.datetime.now(dt.UTC), hosts=HostRules.only([host]))
    assert isinstance(call, PresignedCallerIdentity), call
    context = ssl.create_default_context(cafile=environment["AWS_CA_BUNDLE"])
    request = urllib.request.Request(call.url, headers=call.headers("demo"))
    with urllib.request.urlopen(request, context=context) as response:
        found = caller_identity(response.read(), access_key_id=call.access_key_id)
    assert isinstance(found, CallerIdentity), found
    return found


def test_the_token_is_the_assumed_roles(tmp_path: Path) -> None:
    """--role-arn, --external-id and --session-name reach AssumeRole, and the token is that session's."""

    async def play() -> None:
        async with running(tmp_path) as environment:
            await asyncio.to_thread(make_role, environment)
            for arguments, session in (((), "iambridge-token"), (("--session-name", "ci"), "ci")):
                done = await asyncio.to_thread(token, environment, "--external-id", "e-1", *arguments)
                assert done.returncode == 0, done.stderr
                found = await asyncio.to_thread(who, environment, done.stdout)
                assert (found.canonical_arn, found.session_name) == (ROLE, session)
                assert found.access_key_id.startswith("ASIA")

    asyncio.run(play())


def test_the_shells_own_session_name_is_forwarded(tmp_path: Path) -> None:
    """--forward-session-name asks STS for it; a user has none, and gets the default one; it excludes --session-name."""

    async def play() -> None:
        async with running(tmp_path) as environment:
            await asyncio.to_thread(make_role, environment)
            words = ("--external-id", "e-1", "--forward-session-name")
            done = await asyncio.to_thread(token, environment, *words)
            assert (await asyncio.to_thread(who, environment, done.stdout)).session_name == "iambridge-token", (
                done.stderr
            )
            client = boto3.client(
                "sts", endpoint_url=environment["AWS_ENDPOINT_URL"], verify=environment["AWS_CA_BUNDLE"],
                region_name="us-east-1", aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            )  # fmt: skip
            document = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"AWS": ADMIN}, "Action": "sts:AssumeRole"}],
            }
            first = f"arn:aws:iam::{ACCOUNT_ID}:role/first"
            await asyncio.to_thread(
                iam(environment).create_role, RoleName="first", AssumeRolePolicyDocument=json.dumps(document)
            )
            allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
            await asyncio.to_thread(
                iam(environment).put_role_policy, RoleName="first", PolicyName="p", PolicyDocument=policy
            )
            document["Statement"][0]["Principal"] = {"AWS": first}  # type: ignore[index]  # a document
            await asyncio.to_thread(
                iam(environment).update_assume_role_policy, RoleName="deploy", PolicyDocument=json.dumps(document)
            )
            held = (await asyncio.to_thread(client.assume_role, RoleArn=first, RoleSessionName="me@example.org"))[
                "Credentials"
            ]
            session = {
                **environment,
                "AWS_ACCESS_KEY_ID": held["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": held["SecretAccessKey"],
                "AWS_SESSION_TOKEN": held["SessionToken"],
            }
            done = await asyncio.to_thread(token, session, *words)
            assert (await asyncio.to_thread(who, environment, done.stdout)).session_name == "me@example.org", (
                done.stderr
            )
            both = await asyncio.to_thread(token, session, *words, "--session-name", "x")
            assert (both.returncode, "exclude each other" in both.stderr) == (2, True)

    asyncio.run(play())


def test_a_refused_role_is_said_in_awss_words(tmp_path: Path) -> None:
    """Without the external id or under another session name there is no token: exit 1, AWS's words, and a fix."""

    async def play() -> None:
        async with running(tmp_path) as environment:
            await asyncio.to_thread(make_role, environment)
            for arguments in ((), ("--external-id", "other"), ("--external-id", "e-1", "--session-name", "me")):
                done = await asyncio.to_thread(token, environment, *arguments)
                assert (done.returncode, done.stdout) == (1, "")
                assert f"User: {ADMIN} is not authorized to perform: sts:AssumeRole on resource: {ROLE}" in done.stderr
                assert "trust policy" in done.stderr
                assert "Traceback" not in done.stderr
            missing = {**environment, "AWS_CA_BUNDLE": ""}
            done = await asyncio.to_thread(token, missing, "--external-id", "e-1")
            assert done.returncode == 1
            assert "AWS_CA_BUNDLE" in done.stderr

    asyncio.run(play())
