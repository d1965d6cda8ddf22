"""IAM's Query API with boto3 and the AWS CLI over a real TLS socket."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

PREFIX = "arn:aws:iam::111122223333"
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ],
    }
)


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


@pytest.fixture(scope="module")
def iam(running: "RunningAccount") -> Any:
    return running.client("iam", parameter_validation=False)


def test_a_user_lives_through_its_calls(iam: Any) -> None:
    """Create, tag, list, rename and delete a user; what it still holds keeps it from being deleted."""
    made = iam.create_user(UserName="ann", Path="/team/", Tags=[{"Key": "a", "Value": "b c"}])["User"]
    assert made["Arn"] == f"{PREFIX}:user/team/ann"
    assert made["UserId"].startswith("AIDA")
    assert iam.get_user(UserName="ann")["User"]["Tags"] == [{"Key": "a", "Value": "b c"}]
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    assert refusal(iam.delete_user, UserName="ann")[:2] == ("DeleteConflict", 409)
    iam.update_user(UserName="ann", NewUserName="anne")
    keys = iam.list_access_keys(UserName="anne")["AccessKeyMetadata"]
    assert [item["AccessKeyId"] for item in keys] == [key["AccessKeyId"]]
    iam.delete_access_key(UserName="anne", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="anne")
    assert refusal(iam.get_user, UserName="anne") == (
        "NoSuchEntity", 404, "The user with name anne cannot be found.",
    )  # fmt: skip


def test_a_role_with_its_policies_and_profile(iam: Any) -> None:
    """A role's trust policy, inline and attached policies and instance profile come back as they were put."""
    role = iam.create_role(RoleName="node", AssumeRolePolicyDocument=TRUST, MaxSessionDuration=7200)["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    iam.put_role_policy(RoleName="node", PolicyName="p", PolicyDocument=ALLOW)
    assert iam.get_role_policy(RoleName="node", PolicyName="p")["PolicyDocument"] == json.loads(ALLOW)
    iam.attach_role_policy(RoleName="node", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    attached = iam.list_attached_role_policies(RoleName="node")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AmazonS3ReadOnlyAccess"]
    iam.create_instance_profile(InstanceProfileName="node")
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    profile = iam.get_instance_profile(InstanceProfileName="node")["InstanceProfile"]
    assert [item["RoleName"] for item in profile["Roles"]] == ["node"]
    code, _, message = refusal(iam.delete_role, RoleName="node")
    assert (code, message) == ("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")


def test_a_managed_policy_and_its_versions(iam: Any) -> None:
    """Five versions at most, one default, and none deleted while it is in use."""
    arn = iam.create_policy(PolicyName="versions", PolicyDocument=ALLOW)["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW, SetAsDefault=True)
    limit = refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=ALLOW)
    assert limit[:2] == ("LimitExceeded", 409)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(v["VersionId"], v["IsDefaultVersion"]) for v in versions][:2] == [("v5", True), ("v4", False)]
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v5")["PolicyVersion"]["Document"] == json.loads(ALLOW)
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v5")[0] == "DeleteConflict"


def test_an_oidc_provider_keeps_its_client_ids(iam: Any) -> None:
    """A provider is named by its URL without the scheme; a port is kept, a query refused."""
    url = "https://127.0.0.1:8443/path"
    made = iam.create_open_id_connect_provider(Url=url, ClientIDList=["one"], ThumbprintList=["A" * 40])
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"{PREFIX}:oidc-provider/127.0.0.1:8443/path"
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="two")
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"]) == ("127.0.0.1:8443/path", ["one", "two"])
    again = refusal(iam.create_open_id_connect_provider, Url=url, ThumbprintList=["A" * 40])
    assert again[:2] == ("EntityAlreadyExists", 409)
    for bad in (
        "http://x.example",
        "https://x.example/?a=b",
        "https://user@x.example",
        "https://x.example/a b",
        "https://ü.example",
    ):
        assert refusal(iam.create_open_id_connect_provider, Url=bad, ThumbprintList=["A" * 40])[0] == "ValidationError"


def test_without_thumbprints_the_top_certificate_is_fetched(running: "RunningAccount", iam: Any) -> None:
    """CreateOpenIDConnectProvider without ThumbprintList keeps the SHA-1 of the chain's top certificate."""
    arn = iam.create_open_id_connect_provider(Url=running.url)["OpenIDConnectProviderArn"]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert found["ThumbprintList"] == [running.authority.thumbprint]


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        (
            "create_role",
            {"RoleName": "x"},
            (
                "1 validation error detected: Value null at 'assumeRolePolicyDocument' failed to satisfy constraint: "
                "Member must not be null"
            ),
        ),
        (
            "get_user",
            {"UserName": "a" * 129},
            (
                f"1 validation error detected: Value '{'a' * 129}' at 'userName' failed to satisfy constraint: Member must "
                "have length less than or equal to 128"
            ),
        ),
        (
            "create_user",
            {"UserName": "a b"},
            (
                "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the "
                "following: +=,.@_-"
            ),
        ),
    ],
    ids=["missing", "long", "pattern"],
)
def test_bad_parameters_are_refused_in_awss_words(iam: Any, method: str, arguments: Any, message: str) -> None:
    """ValidationError names the value, the member and the constraint."""
    assert refusal(getattr(iam, method), **arguments) == ("ValidationError", 400, message)


def test_a_malformed_document_is_refused(iam: Any) -> None:
    """No document that does not parse is ever stored."""
    assert refusal(iam.create_role, RoleName="bad", AssumeRolePolicyDocument="{}")[:2] == (
        "MalformedPolicyDocument", 400,
    )  # fmt: skip
    assert refusal(iam.get_role, RoleName="bad")[0] == "NoSuchEntity"


def test_an_operation_that_is_not_modelled_is_refused_by_name(iam: Any) -> None:
    """What IAM has and the sandbox has not is NotImplemented, with its name."""
    code, status, message = refusal(iam.create_saml_provider, Name="x", SAMLMetadataDocument="x" * 1000)
    assert (code, status) == ("NotImplemented", 501)
    assert "iam:CreateSAMLProvider" in message


def test_lists_come_in_pages(iam: Any) -> None:
    """MaxItems and Marker walk through all of a list once."""
    for number in range(5):
        iam.create_group(GroupName=f"page{number}")
    pages = iam.get_paginator("list_groups").paginate(PaginationConfig={"PageSize": 2})
    names = [group["GroupName"] for page in pages for group in page["Groups"]]
    assert names == [f"page{number}" for number in range(5)]


def test_the_aws_cli_works_unchanged(running: "RunningAccount", tmp_path: Path) -> None:
    """The AWS CLI reads and writes IAM and S3 with only an endpoint, a CA file and keys in its environment."""
    admin = running.account.admin
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": running.url,
        "AWS_CA_BUNDLE": running.ca,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": admin.id,
        "AWS_SECRET_ACCESS_KEY": admin.secret,
    }

    def aws(*words: str) -> str:
        command = [str(Path(sys.executable).parent / "aws"), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(aws("sts", "get-caller-identity"))["Arn"] == f"{PREFIX}:user/iambridge-admin"
    assert json.loads(aws("iam", "create-group", "--group-name", "cli"))["Group"]["Arn"] == f"{PREFIX}:group/cli"
    aws("s3", "mb", "s3://cli-bucket")
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    aws("s3", "cp", str(tmp_path / "file"), "s3://cli-bucket/file")
    aws("s3", "cp", "s3://cli-bucket/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b"x" * 100_000
