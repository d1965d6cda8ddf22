"""boto3 against a real STS on a TLS socket."""

import asyncio
import datetime as dt
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.unit.servers.sts.conftest import (
    ACCOUNT,
    ALICE,
    ALICE_KEY,
    OTHER_KEY,
    ROLE,
    SUBJECT,
    error_of,
    identity,
    running,
    taken,
    trust,
)

from iambridge.core.authenticator_token import (
    CallerIdentity,
    HostRules,
    PresignedCallerIdentity,
    admissible,
    caller_identity,
)
from iambridge.core.iam_policy import NamedDocument
from iambridge.core.role_trust import TrustedRole
from iambridge.core.sigv4 import Credentials
from iambridge.sandbox.aws.unique_ids import account_of


def test_boto3s_own_web_identity_chain_gets_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but the environment of IRSA and an endpoint, boto3's default chain assumes the role."""

    async def play() -> None:
        async with running(tmp_path) as world:
            (tmp_path / "token").write_text(world.token())
            for name, value in {
                "AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": world.url, "AWS_CA_BUNDLE": str(world.authority.certificate_file),
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_ROLE_SESSION_NAME": "pod-1",
            }.items():  # fmt: skip
                monkeypatch.setenv(name, value)
            who = await asyncio.to_thread(lambda: boto3.Session().client("sts").get_caller_identity())
            assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/pod-1"
            assert who["UserId"] == "AROAEXAMPLEEXAMPLE123:pod-1"
            assert all(decision.allowed for decision in world.log.decisions)

    asyncio.run(play())


def test_the_answer_says_what_was_proved(tmp_path: Path) -> None:
    """Subject, audience, provider and the packed size of session policies come back with the credentials."""

    async def play() -> None:
        async with running(tmp_path) as world:
            answer = await world.assume(
                world.token(), DurationSeconds=900, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
            )
            assert answer["SubjectFromWebIdentityToken"] == SUBJECT
            assert answer["Audience"] == "sts.amazonaws.com"
            assert answer["Provider"].startswith(f"arn:aws:iam::{ACCOUNT}:oidc-provider/127.0.0.1:")
            assert answer["PackedPolicySize"] >= 1
            assert account_of(answer["Credentials"]["AccessKeyId"]) == ACCOUNT
            left = answer["Credentials"]["Expiration"] - dt.datetime.now(dt.UTC)
            assert dt.timedelta(seconds=890) < left <= dt.timedelta(seconds=900)

    asyncio.run(play())


def test_every_refusal_has_awss_code_and_words(tmp_path: Path) -> None:
    """Each check refuses with AWS's own code, words and status, in AWS's order."""

    async def play() -> None:
        async with running(tmp_path) as world:
            now = int(time.time())
            good = world.token()
            flipped = good[:-4] + ("A" if good[-4] != "A" else "B") + good[-3:]
            not_validated = "The web identity token provided could not be validated"
            not_authorized = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
            assert await world.refusal(flipped) == ("InvalidIdentityToken", not_validated, 400)
            code, message, status = await world.refusal(world.token(OTHER_KEY))
            assert (code, status) == ("InvalidIdentityToken", 400)
            assert message.startswith("Couldn't retrieve verification key from your identity provider,  please")
            assert await world.refusal(world.token(iss="https://other.example/x")) == (
                "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://other.example/x", 400,
            )  # fmt: skip
            assert await world.refusal(world.token(aud=["vault"])) == (
                "InvalidIdentityToken",
                "Incorrect token audience",
                400,
            )
            assert await world.refusal(world.token(aud=None)) == (
                "InvalidIdentityToken",
                "Missing a required claim: aud",
                400,
            )
            assert await world.refusal(world.token(azp="vault")) == (
                "InvalidIdentityToken",
                "Incorrect token audience",
                400,
            )
            code, message, status = await world.refusal(world.token(exp=now - 10))
            assert (code, status) == ("ExpiredTokenException", 400)
            assert message.startswith("Token expired: current date/time ")
            assert message.endswith(f" must be before the expiration date/time {now - 10}")
            assert await world.refusal(world.token(sub="system:serviceaccount:demo:other")) == not_authorized
            assert await world.refusal(good, RoleArn=ROLE + "x") == not_authorized
            assert await world.refusal(good, DurationSeconds=7200) == (
                "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400,
            )  # fmt: skip
            assert (await world.refusal("not-a-token"))[0] == "InvalidIdentityToken"
            assert (await world.refusal(good, RoleSessionName="a b"))[0] == "ValidationError"
            assert (await world.refusal(good, Policy="{"))[0] == "MalformedPolicyDocument"
            secret = good.rpartition(".")[2]
            assert all(secret not in repr(decision) for decision in world.log.decisions)
            denied = next(d for d in world.log.decisions if d.reasons[0].code == "provider-found" and not d.allowed)
            assert [reason.code for reason in denied.reasons if reason.held][:4] == [
                "provider-found", "signature-proved", "audience-registered", "role-found",
            ]  # fmt: skip
            assert SUBJECT.replace("reader", "other") in repr(denied)

    asyncio.run(play())


def test_a_session_ends_with_its_role(tmp_path: Path) -> None:
    """A sealed session counts only while its role, by unique id, exists; it survives a new service under the same key."""

    async def play() -> None:
        async with running(tmp_path) as world:
            keys = taken(await world.assume(world.token()))
            await asyncio.to_thread(world.client(keys).get_caller_identity)
            world.facts.roles[ROLE] = replace(world.facts.roles[ROLE], role_id="AROAOTHER")
            with pytest.raises(ClientError) as caught:
                await asyncio.to_thread(world.client(keys).get_caller_identity)
            assert error_of(caught.value)[::2] == ("InvalidClientTokenId", 403)

    asyncio.run(play())


def test_caller_identity_by_header_and_presigned(tmp_path: Path) -> None:
    """GetCallerIdentity answers a signed header and a presigned URL, whose cluster id must be the signed one."""
    import ssl
    import urllib.request

    from iambridge.cli.token import make_token

    async def play() -> None:
        async with running(tmp_path) as world:
            who = await asyncio.to_thread(world.client(ALICE_KEY).get_caller_identity)
            assert who["Arn"] == ALICE
            now = dt.datetime.now(dt.UTC)
            token = make_token(ALICE_KEY, "demo", endpoint=world.url, region="us-east-1", now=now)
            call = admissible(token, now=now, hosts=HostRules.only([world.url.removeprefix("https://")]))
            assert isinstance(call, PresignedCallerIdentity)
            context = ssl.create_default_context(cafile=str(world.authority.certificate_file))

            def ask(cluster: str) -> bytes:
                assert isinstance(call, PresignedCallerIdentity)
                request = urllib.request.Request(call.url, headers=call.headers(cluster))
                with urllib.request.urlopen(request, context=context) as response:
                    return bytes(response.read())

            found = caller_identity(await asyncio.to_thread(ask, "demo"), access_key_id=call.access_key_id)
            assert isinstance(found, CallerIdentity)
            assert found.canonical_arn == ALICE
            with pytest.raises(urllib.error.HTTPError) as caught:
                await asyncio.to_thread(ask, "other")
            assert caught.value.code == 403
            assert json.loads(caught.value.read())["Error"]["Code"] == "SignatureDoesNotMatch"
            caught.value.close()
            with pytest.raises(ClientError) as wrong:
                await asyncio.to_thread(world.client(Credentials("AKIAIOSFODNN7EXAMPLE", "wrong")).get_caller_identity)
            assert error_of(wrong.value)[0] == "SignatureDoesNotMatch"

    asyncio.run(play())


def test_assume_role_and_chaining(tmp_path: Path) -> None:
    """AssumeRole needs trust in the caller, or trust in the account and the caller's own permission; chains last an hour."""

    async def play() -> None:
        async with running(tmp_path) as world:
            allow = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"]}
            direct = trust(
                {**allow, "Principal": {"AWS": ALICE}, "Condition": {"StringEquals": {"sts:ExternalId": "e-1"}}}
            )
            delegated = trust({**allow, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}})
            for name, document in (("direct", direct), ("delegated", delegated)):
                arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
                world.facts.roles[arn] = TrustedRole(arn, ACCOUNT, name, f"AROA{name.upper()}", document, 43200)
            alice = world.client(ALICE_KEY)

            def assume(client: Any, name: str, **more: Any) -> Any:
                return client.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="s-1", **more)

            with pytest.raises(ClientError) as caught:
                await asyncio.to_thread(assume, alice, "direct")
            assert error_of(caught.value) == (
                "AccessDenied",
                f"User: {ALICE} is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{ACCOUNT}:role/direct",
                403,
            )
            tags = {"Tags": [{"Key": "team", "Value": "a"}], "TransitiveTagKeys": ["team"]}
            first = taken(await asyncio.to_thread(lambda: assume(alice, "direct", ExternalId="e-1", **tags)))
            with pytest.raises(ClientError) as caught:
                await asyncio.to_thread(lambda: assume(alice, "direct", ExternalId="e-1", TransitiveTagKeys=["team"]))
            assert error_of(caught.value)[0] == "ValidationError"
            with pytest.raises(ClientError):
                await asyncio.to_thread(assume, alice, "delegated")
            world.facts.documents = (NamedDocument("p", identity({**allow, "Resource": "*"})),)
            await asyncio.to_thread(assume, alice, "delegated")
            with pytest.raises(ClientError) as caught:
                await asyncio.to_thread(lambda: assume(world.client(first), "delegated", DurationSeconds=3601))
            assert "role chaining" in error_of(caught.value)[1]
            await asyncio.to_thread(assume, world.client(first), "delegated")
            token = await asyncio.to_thread(alice.get_session_token)
            who = await asyncio.to_thread(world.client(taken(token)).get_caller_identity)
            assert who["Arn"] == ALICE
            info = await asyncio.to_thread(lambda: alice.get_access_key_info(AccessKeyId=first.access_key_id))
            assert info["Account"] == ACCOUNT

    asyncio.run(play())
