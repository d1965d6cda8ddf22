"""The plugin as kubectl runs it: a fresh process, with nothing but what a test gives it."""

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.ports import free_port

from iambridge.adapters.serving import Listener, RunningServer
from iambridge.cli.token import sts_endpoint
from iambridge.errors import InputError
from iambridge.wire.http import Request, Response

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x" * 40}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("iambridge")), "token", *arguments]
    return subprocess.run(
        command, env={"PATH": "/usr/bin", **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def url_of(token: str) -> str:
    text = token.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ("", "v1beta1"),
        ('{"apiVersion":"client.authentication.k8s.io/v1"}', "v1"),
        ('{"apiVersion":"client.authentication.k8s.io/v1beta1"}', "v1beta1"),
        ("{", "v1beta1"),
        ('{"apiVersion":7}', "v1beta1"),
    ],
)
def test_exec_credential_echoes_the_callers_version(info: str, version: str) -> None:
    """The ExecCredential has the apiVersion that kubectl asks for, an expiry and a presigned GetCallerIdentity."""
    done = run("--cluster-name", "demo", "--region", "eu-west-1", KUBERNETES_EXEC_INFO=info, **KEYS)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["apiVersion"] == f"client.authentication.k8s.io/{version}"
    assert document["kind"] == "ExecCredential"
    url = url_of(document["status"]["token"])
    assert urlsplit(url).netloc == "sts.eu-west-1.amazonaws.com"
    assert parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]


def test_configured_endpoint_is_the_tokens_host() -> None:
    """AWS_ENDPOINT_URL, and before it AWS_ENDPOINT_URL_STS, name the host that is presigned."""
    done = run("--cluster-name", "demo", "--token-only", AWS_ENDPOINT_URL="https://127.0.0.1:4566", **KEYS)
    assert urlsplit(url_of(done.stdout.strip())).netloc == "127.0.0.1:4566"
    both = {"AWS_ENDPOINT_URL": "https://a.example", "AWS_ENDPOINT_URL_STS": "https://b.example:1"}
    assert sts_endpoint(both, "us-east-1") == "https://b.example:1"
    assert (
        sts_endpoint({**both, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "cn-north-1")
        == "https://sts.cn-north-1.amazonaws.com.cn"
    )
    for bad in ("http://127.0.0.1", "https://x/path", "x"):
        with pytest.raises(InputError):
            sts_endpoint({"AWS_ENDPOINT_URL": bad}, "us-east-1")


@pytest.mark.parametrize(
    ("arguments", "environment", "code"),
    [
        ((), KEYS, 2),
        (("--cluster-name", "a\nb"), KEYS, 2),
        (("--cluster-name", "demo", "--external-id", "x"), KEYS, 2),
        (("--cluster-name", "demo"), {"AWS_ACCESS_KEY_ID": "A"}, 2),
        (("--cluster-name", "demo"), {"AWS_EC2_METADATA_DISABLED": "true"}, 1),
        (("--cluster-name", "demo"), {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}, 1),
    ],
)
def test_what_is_wrong_is_said_with_its_fix(arguments: tuple[str, ...], environment: dict[str, str], code: int) -> None:
    """Wrong flags exit with 2, missing credentials with 1, both without a traceback."""
    done = run(*arguments, **environment)
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_instance_profile_by_imdsv2() -> None:
    """With nothing but a metadata endpoint, the instance profile's credentials sign the token."""
    documents = {
        "/latest/meta-data/iam/security-credentials/": b"node-role",
        "/latest/meta-data/iam/security-credentials/node-role": json.dumps(
            {"AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": "s", "Token": "session"}
        ).encode(),
    }

    async def metadata(request: Request) -> Response:
        if request.method == "PUT" and request.path == "/latest/api/token":
            return (
                Response(200, (), b"imds-token")
                if "X-aws-ec2-metadata-token-ttl-seconds" in request.headers
                else Response(400)
            )
        if request.headers.get("X-aws-ec2-metadata-token") != "imds-token":
            return Response(401)
        return Response(200, (), documents[request.path])

    async def play() -> subprocess.CompletedProcess[str]:
        port = free_port()
        server = RunningServer(metadata, Listener("127.0.0.1", port))
        await server.start()
        try:
            endpoint = f"http://127.0.0.1:{port}"
            return await asyncio.to_thread(
                lambda: run("--cluster-name", "demo", "--token-only", AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint)
            )
        finally:
            await server.stop()

    done = asyncio.run(play())
    assert done.returncode == 0, done.stderr
    query = parse_qs(urlsplit(url_of(done.stdout.strip())).query)
    assert query["X-Amz-Security-Token"] == ["session"]
    assert query["X-Amz-Credential"][0].startswith("ASIAIOSFODNN7EXAMPLE/")
