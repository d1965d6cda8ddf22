"""The whole crossing on real sockets: token clients, authenticator, STS and an API that serves one ConfigMap."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core import sigv4
from iambridge.sandbox.daemons import AuthenticatorDaemon

from .world import ACCOUNT, CLUSTER, MAP_USERS, OUTSIDER, READER, ConfigMapApi, kubeconfig_of, presigned, service


@dataclass
class World:
    api: ConfigMapApi
    aws: str
    url: str
    authority: CertificateAuthority
    http: aiohttp.ClientSession

    def token(self, keys: sigv4.Credentials = READER, *, cluster: str = CLUSTER, age: float = 0, host: str = "") -> str:
        return presigned(f"https://{host}" if host else self.aws, keys, cluster=cluster, age=age)

    async def review(self, token: str, version: str = "v1") -> tuple[int, dict[str, Any]]:
        body = {"apiVersion": f"authentication.k8s.io/{version}", "kind": "TokenReview", "spec": {"token": token}}
        async with self.http.post(self.url + "/authenticate", json=body) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else {"text": text}

    async def status(self, token: str) -> dict[str, Any]:
        code, review = await self.review(token)
        assert code == 200
        return dict(review["status"])

    async def becomes(self, token: str, *, authenticated: bool) -> dict[str, Any]:
        for _ in range(100):
            status = await self.status(token)
            if status["authenticated"] is authenticated:
                return status
            await asyncio.sleep(0.02)
        raise AssertionError(status)


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[World]:
    now = dt.datetime.now(dt.UTC)
    authority = CertificateAuthority(directory / "pki", name="test", now=now)
    leaf = authority.leaf("server", hosts=("127.0.0.1",))
    aws, api_port, port = free_port(), free_port(), free_port()
    api = ConfigMapApi({"mapUsers": MAP_USERS})
    sts = service(directory)
    kubeconfig = kubeconfig_of(directory, api_port)
    authenticator = AuthenticatorDaemon(
        kubeconfig, NoDecisionLog(), cluster_id=CLUSTER, aws_url=f"https://127.0.0.1:{aws}",
        ca_file=authority.certificate_file, instance_reader=READER,
    )  # fmt: skip
    servers = [
        RunningServer(sts.app, Listener("127.0.0.1", aws, leaf.certificate, leaf.key)),
        RunningServer(api.app, Listener("127.0.0.1", api_port)),
        RunningServer(authenticator.app, Listener("127.0.0.1", port, leaf.certificate, leaf.key)),
    ]
    for server in servers:
        await server.start()
    authenticator.start()
    import ssl

    tls = ssl.create_default_context(cafile=authority.certificate_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
        world = World(api, f"https://127.0.0.1:{aws}", f"https://127.0.0.1:{port}", authority, http)
        for _ in range(200):
            async with http.get(world.url + "/readyz") as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.02)
        try:
            yield world
        finally:
            await authenticator.close()
            for server in servers:
                await server.stop()


def client_environment(world: World, directory: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "HOME": str(directory), "AWS_ENDPOINT_URL": world.aws, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CA_BUNDLE": str(world.authority.certificate_file), "AWS_ACCESS_KEY_ID": READER.access_key_id,
        "AWS_SECRET_ACCESS_KEY": READER.secret_access_key, "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip


def printed(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_tokens_of_both_clients_become_the_mapped_user(tmp_path: Path) -> None:
    """`iambridge token` and `aws eks get-token` both log in as the user and groups that aws-auth names."""

    async def play() -> None:
        async with running(tmp_path) as world:
            environment = client_environment(world, tmp_path)
            bin_ = Path(sys.executable).parent
            ours = [sys.executable, "-m", "iambridge", "token", "--cluster-name", CLUSTER, "--token-only"]
            theirs = [str(bin_ / "aws"), "eks", "get-token", "--cluster-name", CLUSTER, "--output", "json"]
            tokens = [
                (await asyncio.to_thread(printed, ours, environment)).strip(),
                json.loads(await asyncio.to_thread(printed, theirs, environment))["status"]["token"],
            ]
            for token in tokens:
                user = (await world.status(token))["user"]
                assert (user["username"], user["groups"]) == ("pod-reader", ["pod-readers"])
                assert user["uid"] == f"aws-iam-authenticator:{ACCOUNT}:AIDAPODREADER"
                assert user["extra"]["accessKeyId"] == [READER.access_key_id]
                assert user["extra"]["canonicalArn"] == [f"arn:aws:iam::{ACCOUNT}:user/pod-reader"]

    asyncio.run(play())


def test_whoami_is_the_caller_that_sts_names(tmp_path: Path) -> None:
    """`iambridge whoami` prints the ARN that STS vouches for, by this shell's own keys."""

    async def play() -> None:
        async with running(tmp_path) as world:
            command = [sys.executable, "-m", "iambridge", "whoami"]
            shown = await asyncio.to_thread(printed, command, client_environment(world, tmp_path))
            assert shown == f"arn:aws:iam::{ACCOUNT}:user/pod-reader\n"

    asyncio.run(play())


def test_both_versions_of_token_review_are_echoed(tmp_path: Path) -> None:
    """The answer has the version of the question; anything else is no TokenReview."""

    async def play() -> None:
        async with running(tmp_path) as world:
            for version in ("v1", "v1beta1"):
                code, review = await world.review(world.token(), version)
                assert (code, review["apiVersion"], review["kind"]) == (
                    200,
                    f"authentication.k8s.io/{version}",
                    "TokenReview",
                )
                assert review["status"]["authenticated"] is True
            code, review = await world.review(world.token(), "v2")
            assert (code, review["text"]) == (400, "expected a request body to be a TokenReview\n")

    asyncio.run(play())


def test_who_is_not_proved_or_not_mapped_stays_out(tmp_path: Path) -> None:
    """Each refusal is 200 and false; only one that time or an edit may turn has an error, so that nothing else is cached."""

    async def play() -> None:
        async with running(tmp_path) as world:
            never = {
                "no token": "nonsense",
                "expired": world.token(age=901),
                "wrong secret": world.token(sigv4.Credentials(READER.access_key_id, "wrong")),
                "another cluster": world.token(cluster="another"),
            }
            for name, token in never.items():
                assert await world.status(token) == {"authenticated": False}, name
            later = {
                "not mapped": (world.token(OUTSIDER), "is in no mapRoles"),
                "unknown key": (world.token(sigv4.Credentials("AKIAIOSFODNN7UNKNOWN", "x")), "InvalidClientTokenId"),
                "host": (world.token(host="127.0.0.1:1"), "is not an STS endpoint"),
            }
            for name, (token, text) in later.items():
                status = await world.status(token)
                assert status["authenticated"] is False, name
                assert text in status["error"], name

    asyncio.run(play())


def test_a_token_for_amazons_own_host_goes_to_the_endpoint_given(tmp_path: Path) -> None:
    """With an STS endpoint set, a token presigned for AWS's host is verified there, with its Host header as signed."""

    async def play() -> None:
        async with running(tmp_path) as world:
            assert (await world.status(world.token(host="sts.us-east-1.amazonaws.com")))["authenticated"] is True

    asyncio.run(play())


def test_no_proxy_is_asked_the_way_to_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Go's clients do it: a sandbox on a machine behind a proxy is reached past it."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")

    async def play() -> None:
        async with running(tmp_path) as world:
            assert (await world.status(world.token()))["user"]["username"] == "pod-reader"

    asyncio.run(play())


def test_edits_count_at_once_and_a_broken_one_throws_nobody_out(tmp_path: Path) -> None:
    """Removal, addition, a broken document and deletion take effect while tokens stay in the identity cache."""

    async def play() -> None:
        async with running(tmp_path) as world:
            token = world.token()
            assert (await world.status(token))["authenticated"] is True
            world.api.edit({"mapUsers": "[]"})
            assert "is in no mapRoles" in (await world.becomes(token, authenticated=False))["error"]
            world.api.edit({"mapUsers": MAP_USERS})
            await world.becomes(token, authenticated=True)
            world.api.edit({"mapUsers": "- userarn: arn\n  username: x: // do not change\n"})
            for _ in range(200):
                if world.api.events:
                    break
                await asyncio.sleep(0.02)
            assert world.api.events[0]["reason"] == "AwsAuthFault"
            assert world.api.events[0]["message"].startswith("mapUsers line 2: the section is not YAML")
            assert (await world.status(token))["authenticated"] is True
            world.api.edit(None)
            await world.becomes(token, authenticated=False)

    asyncio.run(play())


def test_metrics_name_results_and_never_a_caller(tmp_path: Path) -> None:
    """The metrics count results by name; nothing that a token says becomes a label."""

    async def play() -> None:
        async with running(tmp_path) as world:
            await world.status(world.token())
            await world.status("k8s-aws-v1.x")
            async with world.http.get(world.url + "/metrics") as answer:
                text = await answer.text()
            assert 'aws_iam_authenticator_authenticate_latency_seconds_count{result="success"} 1' in text
            assert 'aws_iam_authenticator_denied_total{reason="token-encoding"} 1' in text
            assert 'mapping_entries{source="EKSConfigMap"} 1' in text
            assert READER.access_key_id not in text

    asyncio.run(play())


def test_an_sts_that_is_away_is_no_refusal(tmp_path: Path) -> None:
    """While STS cannot be reached the answer is 503 with Retry-After, which kube-apiserver does not cache."""

    async def play() -> None:
        async with running(tmp_path) as world:
            from iambridge.adapters.sts_client import StsClient
            from iambridge.core.authenticator_token import HostRules, PresignedCallerIdentity, admissible
            from iambridge.errors import ServiceUnavailable

            client = StsClient(endpoint=f"https://127.0.0.1:{free_port()}", ca_file=world.authority.certificate_file)
            presigned = admissible(
                world.token(), now=dt.datetime.now(dt.UTC), hosts=HostRules.only([world.aws.removeprefix("https://")])
            )
            assert isinstance(presigned, PresignedCallerIdentity)
            with pytest.raises(ServiceUnavailable) as caught:
                await client.caller_identity(presigned, CLUSTER)
            assert presigned.signature not in caught.value.cause
            await client.close()

    asyncio.run(play())


def test_the_example_config_map_maps_without_a_fault() -> None:
    """The ConfigMap that the demo applies is read without a fault."""
    from iambridge.core.aws_auth import load
    from iambridge.wire.aws_auth_yaml import read_sections

    file = Path(__file__).parents[2] / "examples/aws-auth/aws-auth.yaml"
    mappings = load(read_sections(yaml.safe_load(file.read_text())["data"]))
    assert mappings.faults == ()
    assert [entry.username for entry in mappings.entries] == [
        "system:node:{{EC2PrivateDNSName}}",
        "karpenter",
        "pod-reader",
    ]
