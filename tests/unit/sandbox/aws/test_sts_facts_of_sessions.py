"""STS as the account's clients meet it: sessions of users, and decisions that hang on what nobody reads."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
BOB = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
BUCKET = "sts-bucket"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture(scope="module")
def alice(running: "RunningAccount") -> Any:
    """A user's key: she may read two objects, federate, and assume roles."""
    iam, s3 = running.client("iam"), running.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    iam.create_user(UserName="alice", Tags=[{"Key": "team", "Value": "blue"}])
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"arn:aws:s3:::{BUCKET}/{key}" for key in "ab"]}
    federate = {
        "Effect": "Allow",
        "Action": "sts:GetFederationToken",
        "Resource": f"arn:aws:sts::{ACCOUNT}:federated-user/b*",
    }
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy(read, federate, assume))
    return iam.create_access_key(UserName="alice")["AccessKey"]


def federated(running: "RunningAccount", alice: Any, **arguments: Any) -> Any:
    return running.client("sts", alice).get_federation_token(Name="bob", **arguments)


def test_a_federated_user_may_what_user_and_session_policy_both_allow(running: "RunningAccount", alice: Any) -> None:
    only = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"arn:aws:s3:::{BUCKET}/{key}" for key in "bc"]}
    answer = federated(running, alice, Policy=policy(only), DurationSeconds=900)
    assert answer["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:bob", "Arn": BOB}
    assert 1 <= answer["PackedPolicySize"] <= 100
    who = running.client("sts", answer["Credentials"]).get_caller_identity()
    assert (who["Arn"], who["UserId"], who["Account"]) == (BOB, f"{ACCOUNT}:bob", ACCOUNT)
    s3 = running.client("s3", answer["Credentials"])
    assert s3.get_object(Bucket=BUCKET, Key="b")["Body"].read() == b"x"
    assert "session policy" in refusal(s3.get_object, Bucket=BUCKET, Key="a")[1]
    assert "identity-based policy" in refusal(s3.get_object, Bucket=BUCKET, Key="c")[1]


def test_without_a_session_policy_a_federated_user_may_only_what_a_resource_grants_to_the_session(
    running: "RunningAccount", alice: Any
) -> None:
    s3 = running.client("s3", federated(running, alice)["Credentials"])
    assert refusal(s3.get_object, Bucket=BUCKET, Key="a")[0] == "AccessDenied"
    admin = running.client("s3")

    def grant(principal: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/c",
        }
        admin.put_bucket_policy(Bucket=BUCKET, Policy=policy(statement))

    grant(ALICE)
    assert refusal(s3.get_object, Bucket=BUCKET, Key="c")[0] == "AccessDenied"
    grant(BOB)
    assert s3.get_object(Bucket=BUCKET, Key="c")["Body"].read() == b"x"
    admin.delete_bucket_policy(Bucket=BUCKET)


def test_federation_needs_its_permission_and_a_good_name(running: "RunningAccount", alice: Any) -> None:
    sts = running.client("sts", alice)
    code, message, status = refusal(sts.get_federation_token, Name="carol")
    assert (code, status) == ("AccessDenied", 403)
    assert f"sts:GetFederationToken on resource: arn:aws:sts::{ACCOUNT}:federated-user/carol" in message
    assert refusal(sts.get_federation_token, Name="a b")[0] == "ValidationError"
    tagged = {"Name": "bob", "Tags": [{"Key": "team", "Value": "red"}]}
    assert "sts:TagSession" in refusal(sts.get_federation_token, **tagged)[1]


def test_sessions_of_users_cannot_call_iam_nor_most_of_sts(running: "RunningAccount", alice: Any) -> None:
    sts = running.client("sts", alice)
    session = sts.get_session_token()["Credentials"]
    bob = federated(running, alice, Policy=policy(ANY))["Credentials"]
    for keys in (session, bob):
        assert refusal(running.client("iam", keys).get_user)[0] == "InvalidClientTokenId"
        for call in ("get_session_token", "get_federation_token"):
            arguments = {"Name": "bob"} if "federation" in call else {}
            code, message, status = refusal(getattr(running.client("sts", keys), call), **arguments)
            assert (code, status) == ("AccessDenied", 403)
            assert "with session credentials" in message
    assert running.client("sts", session).get_caller_identity()["Arn"] == ALICE
    role = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none", "RoleSessionName": "s1"}
    assert "is not authorized" in refusal(running.client("sts", session).assume_role, **role)[1]
    assert "with session credentials" in refusal(running.client("sts", bob).assume_role, **role)[1]


def test_a_role_whose_trust_hangs_on_what_nobody_reads_is_refused_by_name(
    running: "RunningAccount", alice: Any
) -> None:
    """Neither assumed as if the condition held, nor denied as if AWS had said so; and only where it matters."""
    iam, sts = running.client("iam"), running.client("sts", alice)
    trusted = {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "sts:AssumeRole"}
    instance = {"StringEquals": {"ec2:RoleDelivery": "2.0"}}

    def assume(name: str, *statements: dict[str, Any]) -> Any:
        iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=policy(*statements), Tags=[{"Key": "env", "Value": "dev"}]
        )
        return refusal(sts.assume_role, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="s1")

    code, message, status = assume("hangs", {**trusted, "Condition": instance})
    assert (code, status) == ("NotImplemented", 501)
    assert "ec2:RoleDelivery" in message
    code, _, status = assume(
        "denied-anyway", trusted, {**trusted, "Effect": "Deny"}, {**trusted, "Condition": instance}
    )
    assert (code, status) == ("AccessDenied", 403)
    tagged = {**trusted, "Condition": {"StringEquals": {"aws:ResourceTag/env": "prod"}}}
    assert assume("tag-is-read", tagged)[0] == "AccessDenied"
    iam.tag_role(RoleName="tag-is-read", Tags=[{"Key": "env", "Value": "prod"}])
    sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/tag-is-read", RoleSessionName="s1")
    region = {**trusted, "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}
    iam.create_role(RoleName="region", AssumeRolePolicyDocument=policy(region))
    sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/region", RoleSessionName="s1")
