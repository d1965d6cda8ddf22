"""What IAM refuses to hold, with boto3. Quotas: IAM User Guide, "IAM and STS quotas"."""

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import policy, refusal

from iambridge.sandbox.aws import groups

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})


@pytest.fixture(scope="module")
def iam(running: "RunningAccount") -> Any:
    return running.client("iam", parameter_validation=False)


def test_a_user_is_in_ten_groups_at_most(iam: Any) -> None:
    iam.create_user(UserName="joiner")
    for number in range(11):
        iam.create_group(GroupName=f"joined{number}")
    for number in range(10):
        iam.add_user_to_group(UserName="joiner", GroupName=f"joined{number}")
    iam.add_user_to_group(UserName="joiner", GroupName="joined0")
    assert refusal(iam.add_user_to_group, UserName="joiner", GroupName="joined10") == (
        "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10", 409,
    )  # fmt: skip


def test_an_account_has_three_hundred_groups_at_most(running: "RunningAccount", iam: Any) -> None:
    """The other kinds have their quotas by the same rule. Made past the socket, as it takes a while through it."""
    have = len(iam.list_groups(MaxItems=1000)["Groups"])
    for number in range(300 - have):
        groups.create_group(running.account.iam, {"GroupName": f"filler{number}"})
    try:
        assert refusal(iam.create_group, GroupName="straw") == (
            "LimitExceeded", "Cannot exceed quota for GroupsPerAccount: 300", 409,
        )  # fmt: skip
    finally:
        for number in range(300 - have):
            groups.delete_group(running.account.iam, {"GroupName": f"filler{number}"})


def test_the_fifty_first_tag_is_refused(iam: Any) -> None:
    iam.create_user(UserName="tagged", Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    iam.tag_user(UserName="tagged", Tags=[{"Key": "K0", "Value": "again"}])
    assert refusal(iam.tag_user, UserName="tagged", Tags=[{"Key": "more", "Value": ""}]) == (
        "LimitExceeded", "The number of tags has reached the maximum limit.", 409,
    )  # fmt: skip


def test_a_policy_of_service_linked_roles_is_nobody_elses(iam: Any) -> None:
    iam.create_role(RoleName="customer", AssumeRolePolicyDocument=TRUST)
    arn = "arn:aws:iam::aws:policy/aws-service-role/AutoScalingServiceRolePolicy"
    assert refusal(iam.attach_role_policy, RoleName="customer", PolicyArn=arn) == (
        "PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role.", 400,
    )  # fmt: skip


def test_a_carriage_return_comes_back(iam: Any) -> None:
    """XML readers turn a bare one into a line feed."""
    iam.create_role(RoleName="windows", AssumeRolePolicyDocument=TRUST, Description="one\r\ntwo\t<&>")
    assert iam.get_role(RoleName="windows")["Role"]["Description"] == "one\r\ntwo\t<&>"


def test_a_key_is_not_expired_by_hand(iam: Any) -> None:
    """The model's status Expired is not the caller's to set."""
    iam.create_user(UserName="expiring")
    key = iam.create_access_key(UserName="expiring")["AccessKey"]["AccessKeyId"]
    assert (
        refusal(iam.update_access_key, UserName="expiring", AccessKeyId=key, Status="Expired")[0] == "ValidationError"
    )
    assert iam.list_access_keys(UserName="expiring")["AccessKeyMetadata"][0]["Status"] == "Active"


def test_a_marker_that_no_list_gave_is_refused(iam: Any) -> None:
    for marker in ("!!", "abcde", "ä"):
        assert refusal(iam.list_users, Marker=marker)[0] == "ValidationError"
