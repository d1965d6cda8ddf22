"""What a token says beyond its subject: tags, source identity, an issuer with a slash."""

import asyncio
import functools
import json
import ssl
import time
import urllib.parse
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.servers.sts.conftest import (
    ACCOUNT,
    ROLE,
    SUBJECT,
    error_of,
    running,
    taken,
    trust,
)

from iambridge.core.role_trust import TrustedRole


def test_tags_and_source_identity_of_a_token_stay_with_the_session(tmp_path: Path) -> None:
    """A token's tags need sts:TagSession in the trust policy; transitive ones and the source identity pass on."""

    async def play() -> None:
        async with running(tmp_path) as world:
            host = world.issuer.removeprefix("https://")
            provider = world.facts.providers[ACCOUNT, host].arn
            web = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}
            tagging = {**web, "Action": ["sts:TagSession", "sts:SetSourceIdentity"]}
            tags = {"principal_tags": {"team": ["blue"], "cost": ["7"]}, "transitive_tag_keys": ["team"]}
            claims: dict[str, Any] = {
                "https://aws.amazon.com/tags": tags,
                "https://aws.amazon.com/source_identity": "alice",
            }
            token = world.token(**claims)
            assert (await world.refusal(token))[0] == "AccessDenied"
            world.facts.roles[ROLE] = replace(world.facts.roles[ROLE], trust=trust(web, tagging))
            answer = await world.assume(token)
            assert answer["SourceIdentity"] == "alice"
            second = f"arn:aws:iam::{ACCOUNT}:role/second"
            condition = {"StringEquals": {
                "aws:PrincipalTag/cost": "7", "aws:RequestTag/team": "blue", "sts:SourceIdentity": "alice",
                "aws:SourceIdentity": "alice", f"{host}:sub": SUBJECT,
            }}  # fmt: skip
            chained = {
                "Effect": "Allow", "Principal": {"AWS": ROLE}, "Condition": condition,
                "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            }  # fmt: skip
            world.facts.roles[second] = TrustedRole(second, ACCOUNT, "second", "AROASECOND", trust(chained))

            def assume(**more: Any) -> Any:
                return world.client(taken(answer)).assume_role(RoleArn=second, RoleSessionName="s-2", **more)

            assert (await asyncio.to_thread(assume))["SourceIdentity"] == "alice"
            changes: list[dict[str, Any]] = [{"SourceIdentity": "bob"}, {"Tags": [{"Key": "Team", "Value": "red"}]}]
            for change in changes:
                with pytest.raises(ClientError) as caught:
                    await asyncio.to_thread(functools.partial(assume, **change))
                assert error_of(caught.value)[0] == "ValidationError"

    asyncio.run(play())


def test_an_issuer_with_a_trailing_slash_is_its_provider_without(tmp_path: Path) -> None:
    """IAM drops the slash at registration; `iss` keeps it, also in AWS's refusal, and two slashes find nothing."""

    async def play() -> None:
        async with running(tmp_path) as world:
            refused = await world.refusal(world.token(iss=f"{world.issuer}//"))
            message = f"No OpenIDConnect provider found in your account for {world.issuer}//"
            assert refused == ("InvalidIdentityToken", message, 400)
            # found by the slash's tolerance; then its discovery document must name the issuer as the token does
            refused = await world.refusal(world.token(iss=f"{world.issuer}/"))
            assert refused[1].startswith("Couldn't retrieve verification key from your identity provider")
            world.published_issuer[0] = f"{world.issuer}/"
            answer = await world.assume(world.token(iss=f"{world.issuer}/"))
            assert answer["Provider"].endswith(world.issuer.removeprefix("https://"))

    asyncio.run(play())


def test_proxies_that_ask_for_json_read_when_the_session_ends(tmp_path: Path) -> None:
    """Envoy and Kong ask with `Accept: application/json` and read a number of seconds; what does not apply is null."""

    async def play() -> None:
        async with running(tmp_path) as world:
            form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": ROLE}
            form |= {"RoleSessionName": "proxy", "WebIdentityToken": world.token()}
            context = ssl.create_default_context(cafile=str(world.authority.certificate_file))
            call = urllib.request.Request(
                world.url, data=urllib.parse.urlencode(form).encode(), headers={"accept": "application/json"}
            )

            def ask() -> Any:
                with urllib.request.urlopen(call, context=context) as response:
                    return json.loads(response.read())

            answer = await asyncio.to_thread(ask)
            found = answer["AssumeRoleWithWebIdentityResponse"]["AssumeRoleWithWebIdentityResult"]
            assert abs(found["Credentials"]["Expiration"] - time.time() - 3600) < 60
            assert found["PackedPolicySize"] is found["SourceIdentity"] is None

    asyncio.run(play())
