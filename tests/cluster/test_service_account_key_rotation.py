"""A rotation of the service account key as its users live through it: `iambridge up`, kubernetes and boto3, twice."""

import json
import ssl
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import kubernetes
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from iambridge.core.service_account_token import UnverifiedToken
from iambridge.sandbox.client_environment import client_environment
from iambridge.sandbox.data_dir import SIGNING_KEY, read_ports

from .sandbox_process import SandboxProcess

STS_AUDIENCE = "sts.amazonaws.com"
ROLE = "arn:aws:iam::111122223333:role/reader"


def client(service: str, data_dir: Path, **config: Any) -> Any:
    environment = client_environment(data_dir)
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        verify=environment["AWS_CA_BUNDLE"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}, **config),
    )


def trust_issuer(account: Path, issuer: str) -> None:
    """The account on `account` lets the ServiceAccount demo/reader of `issuer` assume the role."""
    iam = client("iam", account)
    provider = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[STS_AUDIENCE])
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{issuer.removeprefix('https://')}:sub": "system:serviceaccount:demo:reader"}},
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))


def assume(account: Path, token: str) -> str:
    sts = client("sts", account, signature_version=UNSIGNED)
    answer = sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="session", WebIdentityToken=token)
    return str(answer["SubjectFromWebIdentityToken"])


def assume_in_time(account: Path, token: str) -> str:
    """STS asks an issuer for an unknown key at most every ten seconds."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return assume(account, token)
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidIdentityToken" or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def api(data_dir: Path) -> Any:
    """A client of its own each time: the server behind the address changes."""
    return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(data_dir / "kubeconfig")))


def issued(data_dir: Path, audience: str = STS_AUDIENCE) -> str:
    spec = {"audiences": [audience], "expirationSeconds": 3600}
    answer = api(data_dir).create_namespaced_service_account_token("reader", "demo", {"spec": spec})
    return str(answer.status.token)


def make_account(data_dir: Path) -> None:
    api(data_dir).create_namespace({"metadata": {"name": "demo"}})
    api(data_dir).create_namespaced_service_account("demo", {"metadata": {"name": "reader"}})


def published(data_dir: Path) -> dict[str, str]:
    """Key id to algorithm, as the issuer serves them to the world."""
    context = ssl.create_default_context(cafile=data_dir / "pki/ca.crt")
    url = f"{read_ports(data_dir).url('issuer')}/openid/v1/jwks"
    with urllib.request.urlopen(url, context=context, timeout=60) as answer:
        return {key["kid"]: key["alg"] for key in json.load(answer)["keys"]}


def header(token: str) -> tuple[str, str]:
    parsed = UnverifiedToken.parse(token)
    return str(parsed.header["kid"]), str(parsed.header["alg"])


def authenticated(data_dir: Path, token: str) -> bool:
    """Whether the API server knows the bearer, by a TokenReview."""
    with kubernetes.config.new_client_from_config(str(data_dir / "kubeconfig")) as connection:
        reviews = kubernetes.client.AuthenticationV1Api(connection)
        return bool(reviews.create_token_review({"spec": {"token": token}}).status.authenticated)


@pytest.mark.parametrize(
    ("first", "then", "algorithms"),
    [
        ((), ("--rotate-service-account-key",), ("RS256", "RS256")),
        ((), ("--service-account-signing-algorithm", "ES256"), ("RS256", "ES256")),
        (("--service-account-signing-algorithm", "ES256"), ("--rotate-service-account-key",), ("ES256", "ES256")),
    ],
    ids=["rotate", "another kind", "rotate ES256"],
)
def test_tokens_of_both_keys_cross(
    tmp_path: Path, first: tuple[str, ...], then: tuple[str, ...], algorithms: tuple[str, str]
) -> None:
    """The new key signs, and STS and the API server take tokens of either, in an account that knew neither key."""
    sandbox = SandboxProcess(tmp_path, None, *first)
    try:
        issuer = read_ports(tmp_path).url("issuer")
        make_account(tmp_path)
        trust_issuer(tmp_path, issuer)
        old, old_bearer = issued(tmp_path), issued(tmp_path, issuer)
        assert assume(tmp_path, old) == "system:serviceaccount:demo:reader"
    finally:
        sandbox.stop()
    sandbox = SandboxProcess(tmp_path, None, *then)
    try:
        new = issued(tmp_path)
        assert (header(old)[1], header(new)[1]) == algorithms
        assert published(tmp_path) == {header(new)[0]: algorithms[1], header(old)[0]: algorithms[0]}
        for token in (new, old):
            assert assume(tmp_path, token) == "system:serviceaccount:demo:reader"
        assert authenticated(tmp_path, old_bearer)
        assert authenticated(tmp_path, issued(tmp_path, issuer))
    finally:
        sandbox.stop()
    sandbox = SandboxProcess(tmp_path)
    try:
        assert header(issued(tmp_path)) == header(new)
        assert set(published(tmp_path)) == {header(new)[0], header(old)[0]}
    finally:
        sandbox.stop()


def test_an_sts_that_lives_through_the_rotation_takes_both(tmp_path: Path) -> None:
    """Another account's STS holds the old JWKS, still fresh: the unknown key id makes it fetch again."""
    cluster, account = tmp_path / "cluster", tmp_path / "account"
    elsewhere = SandboxProcess(account, None, "--aws-only")
    try:
        sandbox = SandboxProcess(cluster)
        try:
            make_account(cluster)
            trust_issuer(account, read_ports(cluster).url("issuer"))
            old = issued(cluster)
            assert assume(account, old)
        finally:
            sandbox.stop()
        sandbox = SandboxProcess(cluster, None, "--rotate-service-account-key")
        try:
            new = issued(cluster)
            assert header(new) != header(old)
            assert assume_in_time(account, new) == assume(account, old) == "system:serviceaccount:demo:reader"
        finally:
            sandbox.stop()
    finally:
        elsewhere.stop()


def test_a_key_file_of_an_earlier_version_signs_on(tmp_path: Path) -> None:
    """A data directory with the single file alone starts as ever, and is told apart when it rotates."""
    sandbox = SandboxProcess(tmp_path)
    make_account(tmp_path)
    old = issued(tmp_path)
    sandbox.stop()
    for file in (tmp_path / "pki/service-account-keys").iterdir():
        file.unlink()
    (tmp_path / "pki/service-account-keys").rmdir()
    pem = (tmp_path / SIGNING_KEY).read_bytes()
    sandbox = SandboxProcess(tmp_path)
    assert header(issued(tmp_path)) == header(old)
    sandbox.stop()
    assert (tmp_path / SIGNING_KEY).read_bytes() == pem
    sandbox = SandboxProcess(tmp_path, None, "--rotate-service-account-key")
    try:
        assert list(published(tmp_path)) == [header(issued(tmp_path))[0], header(old)[0]]
        assert "the RS256 key before it stays accepted for good" in sandbox.printed
    finally:
        sandbox.stop()
