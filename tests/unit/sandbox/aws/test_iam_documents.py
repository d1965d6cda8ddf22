"""Documents that the grammar reads and IAM does not take, in AWS's words, with boto3.

The words are those that AWS gave to others' requests; where each was seen is in the compatibility ledger.
"""

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import policy, refusal

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

ALLOW = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}


@pytest.fixture(scope="module")
def iam(running: "RunningAccount") -> Any:
    client = running.client("iam")
    client.create_user(UserName="documents")
    return client


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("arn:aws:s3:us-east-1::b", "Resource arn:aws:s3:us-east-1::b can not contain region information."),
        ("arn:aws:s3:*:*:b", "Resource arn:aws:s3:*:*:b can not contain region information."),
        (
            "arn:aws:iam:us-east-1:111122223333:user/x",
            "IAM resource arn:aws:iam:us-east-1:111122223333:user/x cannot contain region information.",
        ),
        ("arn:aws:iam::111122223333:users/x", 'IAM resource path must either be "*" or start with user/, '),
    ],
    ids=["s3-region", "s3-any-region", "iam-region", "iam-path"],
)
def test_a_resource_that_no_arn_has_is_refused(iam: Any, resource: str, words: str) -> None:
    """Inline and managed, at its own path."""
    document = policy(ALLOW, {**ALLOW, "Resource": ["*", resource]})
    for call, arguments in (
        (iam.create_policy, {"PolicyName": "refused"}),
        (iam.put_user_policy, {"UserName": "documents", "PolicyName": "refused"}),
    ):
        code, message, _ = refusal(call, **arguments, PolicyDocument=document)
        assert code == "MalformedPolicyDocument"
        assert message.startswith(words)
        assert "(Statement[1].Resource: " in message


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::*:*",
        "arn:aws:iam::111122223333:u*",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:${aws:PrincipalTag/kind}/x",
        "arn:aws:s3:::b/*",
        "arn:aws:ec2:us-east-1:111122223333:instance/*",
    ],
)
def test_a_resource_that_may_be_one_is_taken(iam: Any, resource: str) -> None:
    iam.put_user_policy(
        UserName="documents", PolicyName="taken", PolicyDocument=policy({**ALLOW, "Resource": resource})
    )


def test_a_managed_policy_is_of_the_newest_version(iam: Any) -> None:
    """An inline one may be older: such came before there were managed ones."""
    for document in (policy(ALLOW).replace("2012", "2008"), policy(ALLOW).replace('"Version": "2012-10-17", ', "")):
        code, message, _ = refusal(iam.create_policy, PolicyName="old", PolicyDocument=document)
        assert code == "MalformedPolicyDocument"
        assert message.startswith("Policy document must be version 2012-10-17 or greater. (Version: ")
        iam.put_user_policy(UserName="documents", PolicyName="old", PolicyDocument=document)
    arn = iam.create_policy(PolicyName="new", PolicyDocument=policy(ALLOW))["Policy"]["Arn"]
    assert refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=document)[0] == "MalformedPolicyDocument"


def test_a_provider_that_is_none_is_told_as_aws_does(iam: Any) -> None:
    trust = {"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::1:oidc/x"}, "Action": "sts:AssumeRole"}
    code, message, _ = refusal(iam.create_role, RoleName="federated", AssumeRolePolicyDocument=policy(trust))
    assert code == "MalformedPolicyDocument"
    assert message.startswith("Federated principals must be valid domain names or SAML metadata ARNs")
