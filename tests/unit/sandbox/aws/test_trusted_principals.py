"""Trust policies and the users and roles that they name, with boto3."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import policy, refusal

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

PREFIX = "arn:aws:iam::111122223333"


def trust(*principals: str) -> str:
    named = list(principals) if len(principals) > 1 else principals[0]
    return policy({"Effect": "Allow", "Principal": {"AWS": named}, "Action": "sts:AssumeRole"})


@pytest.fixture(scope="module")
def iam(running: "RunningAccount") -> Any:
    return running.client("iam")


def named_by(iam: Any, role: str) -> Any:
    return iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]


def user(iam: Any, name: str) -> tuple[str, Any]:
    """A user who may assume roles: the unique id and a key."""
    made = iam.create_user(UserName=name)["User"]
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(allow))
    return made["UserId"], iam.create_access_key(UserName=name)["AccessKey"]


def remove(iam: Any, name: str, key: Any) -> None:
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="p")
    iam.delete_user(UserName=name)


def test_a_principal_that_does_not_exist_is_refused(iam: Any) -> None:
    """At creation and at change, by ARN and by unique id; another account's cannot be known here."""
    for nobody in (f"{PREFIX}:user/nobody", f"{PREFIX}:role/path/nobody", "AROAABCDEFGHIJKLMNOPQ"):
        code, message, status = refusal(
            iam.create_role, RoleName="trusting", AssumeRolePolicyDocument=trust(f"{PREFIX}:root", nobody)
        )
        assert (code, status) == ("MalformedPolicyDocument", 400)
        assert message.startswith(f'Invalid principal in policy: "AWS":"{nobody}"')
        assert "Statement[0].Principal.AWS" in message
    iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=trust("arn:aws:iam::999999999999:role/theirs"))
    changed = {"RoleName": "trusting", "PolicyDocument": trust(f"{PREFIX}:user/nobody")}
    assert refusal(iam.update_assume_role_policy, **changed)[0] == "MalformedPolicyDocument"
    assert named_by(iam, "trusting") == "arn:aws:iam::999999999999:role/theirs"


def test_a_user_made_again_under_the_name_is_not_trusted(running: "RunningAccount", iam: Any) -> None:
    """The policy shows the id of the one that is gone, everywhere, until it names the new one."""
    first, key = user(iam, "again")
    iam.create_role(RoleName="of-again", AssumeRolePolicyDocument=trust(f"{PREFIX}:user/again"))
    assume = {"RoleArn": f"{PREFIX}:role/of-again", "RoleSessionName": "s1"}
    running.client("sts", key).assume_role(**assume)
    remove(iam, "again", key)
    second, key = user(iam, "again")
    assert first != second
    assert named_by(iam, "of-again") == first
    listed = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    assert [role["AssumeRolePolicyDocument"] for role in listed if role["RoleName"] == "of-again"] == [
        json.loads(trust(first))
    ]
    assert refusal(running.client("sts", key).assume_role, **assume)[0] == "AccessDenied"
    iam.update_assume_role_policy(RoleName="of-again", PolicyDocument=trust(f"{PREFIX}:user/again"))
    assert running.client("sts", key).assume_role(**assume)["AssumedRoleUser"]["Arn"].endswith("/of-again/s1")


def test_a_renamed_user_stays_trusted(running: "RunningAccount", iam: Any) -> None:
    """And is shown by the new name; whoever takes the old one is not trusted. An id is shown as the name it is of."""
    unique_id, key = user(iam, "before")
    iam.create_role(RoleName="of-before", AssumeRolePolicyDocument=trust(f"{PREFIX}:user/before", f"{PREFIX}:root"))
    iam.create_role(RoleName="of-id", AssumeRolePolicyDocument=trust(unique_id))
    iam.update_user(UserName="before", NewUserName="after", NewPath="/moved/")
    _, other = user(iam, "before")
    assert named_by(iam, "of-before") == [f"{PREFIX}:user/moved/after", f"{PREFIX}:root"]
    assert named_by(iam, "of-id") == f"{PREFIX}:user/moved/after"
    assume = {"RoleArn": f"{PREFIX}:role/of-id", "RoleSessionName": "s1"}
    running.client("sts", key).assume_role(**assume)
    assert refusal(running.client("sts", other).assume_role, **assume)[0] == "AccessDenied"


def test_only_services_have_the_path_of_their_roles(iam: Any) -> None:
    """CreateRole refuses /aws-service-role/ in AWS's words."""
    made = {"RoleName": "AWSServiceRoleForECS", "Path": "/aws-service-role/ecs.amazonaws.com/"}
    assert refusal(iam.create_role, **made, AssumeRolePolicyDocument=trust(f"{PREFIX}:root")) == (
        "InvalidInput", "Path prefix '/aws-service-role/' can only be used for AWS Service linked Roles", 400,
    )  # fmt: skip


def test_an_update_of_a_role_leaves_what_it_does_not_name(iam: Any) -> None:
    """UpdateRole merges: a new description does not shorten the sessions."""
    iam.create_role(RoleName="long", AssumeRolePolicyDocument=trust(f"{PREFIX}:root"), MaxSessionDuration=7200)
    iam.update_role(RoleName="long", Description="ours")
    found = iam.get_role(RoleName="long")["Role"]
    assert (found["Description"], found["MaxSessionDuration"]) == ("ours", 7200)
    iam.update_role(RoleName="long", MaxSessionDuration=10800)
    found = iam.get_role(RoleName="long")["Role"]
    assert (found["Description"], found["MaxSessionDuration"]) == ("ours", 10800)
