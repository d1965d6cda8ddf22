"""On which ARN and with which tags IAM's own calls are decided, with boto3."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import policy, refusal

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

PREFIX = "arn:aws:iam::111122223333"
TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})


@pytest.fixture(scope="module")
def iam(running: "RunningAccount") -> Any:
    return running.client("iam")


class Limited:
    """A user who may do what the statements say; `client` is the user's."""

    def __init__(self, running: "RunningAccount", iam: Any, name: str) -> None:
        self._iam, self._name = iam, name
        iam.create_user(UserName=name)
        self.client = running.client("iam", iam.create_access_key(UserName=name)["AccessKey"])

    def may(self, *statements: dict[str, Any]) -> Any:
        self._iam.put_user_policy(UserName=self._name, PolicyName="p", PolicyDocument=policy(*statements))
        return self.client


@pytest.fixture(scope="module")
def limited(running: "RunningAccount", iam: Any) -> Limited:
    return Limited(running, iam, "limited")


def allow(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    given = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": action, "Resource": resource, **given}


def test_a_rename_needs_the_right_to_the_old_name_and_the_new(iam: Any, limited: Limited) -> None:
    """UpdateUser and UpdateGroup: who may change `dev/*` cannot move a user or group into `ops/`."""
    iam.create_user(UserName="mover", Path="/dev/")
    iam.create_group(GroupName="movers", Path="/dev/")
    client = limited.may(
        allow("iam:UpdateUser", f"{PREFIX}:user/dev/*"), allow("iam:UpdateGroup", f"{PREFIX}:group/dev/*")
    )
    for call, arguments, target in (
        (client.update_user, {"UserName": "mover", "NewPath": "/ops/"}, "user/ops/mover"),
        (client.update_user, {"UserName": "mover", "NewPath": "/", "NewUserName": "root"}, "user/root"),
        (client.update_group, {"GroupName": "movers", "NewPath": "/ops/"}, "group/ops/movers"),
    ):
        code, message, _ = refusal(call, **arguments)
        assert code == "AccessDenied"
        assert f"on resource: {PREFIX}:{target} because" in message
    client.update_user(UserName="mover", NewUserName="moved")
    assert iam.get_user(UserName="moved")["User"]["Arn"] == f"{PREFIX}:user/dev/moved"


def test_the_tags_of_another_resource_that_a_call_names_admit_nobody(iam: Any, limited: Limited) -> None:
    """AddRoleToInstanceProfile is decided on the profile's tags: the role's, and the user's, are others'."""
    iam.create_role(RoleName="tagged", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "team", "Value": "a"}])
    iam.create_instance_profile(InstanceProfileName="untagged")
    client = limited.may(
        allow("iam:AddRoleToInstanceProfile", StringEquals={"aws:ResourceTag/team": "a"}), allow("iam:PassRole")
    )
    call = {"InstanceProfileName": "untagged", "RoleName": "tagged"}
    assert refusal(client.add_role_to_instance_profile, **call)[0] == "AccessDenied"
    iam.tag_instance_profile(InstanceProfileName="untagged", Tags=[{"Key": "team", "Value": "a"}])
    client.add_role_to_instance_profile(**call)


def test_policies_and_providers_are_decided_by_their_tags(iam: Any, limited: Limited) -> None:
    """aws:ResourceTag and iam:ResourceTag of a managed policy and of an OIDC provider."""
    document = policy(allow("s3:*"))
    ours, theirs = (
        iam.create_policy(PolicyName=f"of-{team}", PolicyDocument=document, Tags=[{"Key": "team", "Value": team}])[
            "Policy"
        ]["Arn"]
        for team in ("us", "them")
    )
    provider = iam.create_open_id_connect_provider(
        Url="https://tagged.example", ThumbprintList=["0" * 40], Tags=[{"Key": "team", "Value": "us"}]
    )["OpenIDConnectProviderArn"]
    client = limited.may(
        allow("iam:GetPolicy", StringEquals={"aws:ResourceTag/team": "us"}),
        allow("iam:GetOpenIDConnectProvider", StringEquals={"iam:ResourceTag/team": "us"}),
    )
    assert client.get_policy(PolicyArn=ours)["Policy"]["Arn"] == ours
    assert refusal(client.get_policy, PolicyArn=theirs)[0] == "AccessDenied"
    assert client.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["Url"] == "tagged.example"


def test_a_trailing_slash_escapes_no_deny(limited: Limited) -> None:
    """CreateOpenIDConnectProvider is decided on the ARN that it makes, which has no trailing slash."""
    denied = {"Effect": "Deny", "Action": "iam:*", "Resource": f"{PREFIX}:oidc-provider/evil.example"}
    client = limited.may(allow("iam:CreateOpenIDConnectProvider"), denied)
    for url in ("https://evil.example", "https://evil.example/"):
        code, message, _ = refusal(client.create_open_id_connect_provider, Url=url, ThumbprintList=["0" * 40])
        assert (code, "explicit deny" in message) == ("AccessDenied", True)


def test_a_key_is_asked_about_as_its_user_and_a_task_as_its_role(iam: Any, limited: Limited) -> None:
    """GetAccessKeyLastUsed and GetServiceLinkedRoleDeletionStatus have the resources that the reference gives them."""
    iam.create_user(UserName="keyholder")
    key = iam.create_access_key(UserName="keyholder")["AccessKey"]["AccessKeyId"]
    iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForEC2Spot")["DeletionTaskId"]
    client = limited.may(
        allow("iam:GetAccessKeyLastUsed", f"{PREFIX}:user/keyholder"),
        allow("iam:GetServiceLinkedRoleDeletionStatus", f"{PREFIX}:role/aws-service-role/spot.amazonaws.com/*"),
    )
    assert client.get_access_key_last_used(AccessKeyId=key)["UserName"] == "keyholder"
    assert client.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"


def test_a_creation_is_decided_on_the_path_that_it_asks_for(iam: Any, limited: Limited) -> None:
    """Also where another path has the name already; the tags of what has it are not the new one's."""
    iam.create_role(RoleName="held", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "team", "Value": "a"}])
    client = limited.may(
        allow("iam:CreateRole", f"{PREFIX}:role/team/*"),
        allow("iam:CreateRole", StringEquals={"aws:ResourceTag/team": "a"}),
    )
    trust = {"RoleName": "held", "AssumeRolePolicyDocument": TRUST}
    assert refusal(client.create_role, **trust, Path="/team/")[0] == "EntityAlreadyExists"
    assert refusal(client.create_role, **trust)[0] == "AccessDenied"
    assert json.loads(TRUST) == iam.get_role(RoleName="held")["Role"]["AssumeRolePolicyDocument"]


def test_a_key_that_an_action_does_not_take_is_absent(iam: Any, limited: Limited) -> None:
    """GetPolicy has no iam:PolicyARN and GetUser no iam:PermissionsBoundary: a negated condition on them is true."""
    arn = iam.create_policy(PolicyName="named", PolicyDocument=policy(allow("s3:*")))["Policy"]["Arn"]
    iam.create_user(UserName="bounded", PermissionsBoundary=arn)
    but = {"Effect": "Deny", "Resource": "*"}
    client = limited.may(
        allow("iam:*"),
        {**but, "Action": ["iam:GetPolicy", "iam:AttachUserPolicy"], "Condition": {"ArnNotEquals": {"iam:PolicyARN": arn}}},
        {**but, "Action": ["iam:GetUser", "iam:PutUserPolicy"],
         "Condition": {"ArnNotEquals": {"iam:PermissionsBoundary": arn}}},
    )  # fmt: skip
    client.attach_user_policy(UserName="bounded", PolicyArn=arn)
    assert refusal(client.get_policy, PolicyArn=arn)[0] == "AccessDenied"
    client.put_user_policy(UserName="bounded", PolicyName="p", PolicyDocument=policy(allow("s3:*")))
    assert refusal(client.get_user, UserName="bounded")[0] == "AccessDenied"


def test_a_list_is_decided_on_its_path(iam: Any, limited: Limited) -> None:
    """As AWS's denials tell it: a Deny on all roles is one on listing them, and a path may be all that one may list."""
    del iam
    client = limited.may(
        allow(["iam:ListUsers", "iam:ListRoles", "iam:ListGroups"]),
        {"Effect": "Deny", "Action": "iam:*", "Resource": f"{PREFIX}:role/*"},
    )
    assert refusal(client.list_roles)[0] == "AccessDenied"
    client.list_users()
    client = limited.may(allow("iam:ListUsers", f"{PREFIX}:user/team/*"))
    code, message, _ = refusal(client.list_users)
    assert (code, f"iam:ListUsers on resource: {PREFIX}:user/ because" in message) == ("AccessDenied", True)
    client.list_users(PathPrefix="/team/a/")
