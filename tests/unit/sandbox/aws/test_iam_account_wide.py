"""IAM's simulator, account details and service-linked roles, with boto3."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.sandbox.aws.test_gateway import policy, refusal

from iambridge.sandbox.aws import service_linked_roles
from iambridge.sandbox.aws.aws_managed_policies import aws_managed_policy

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


@pytest.fixture(scope="module")
def iam(running: "RunningAccount") -> Any:
    return running.client("iam")


def decisions(found: Any) -> list[str]:
    return [result["EvalDecision"] for result in found["EvaluationResults"]]


def test_a_custom_policy_is_simulated_without_the_account(iam: Any) -> None:
    """Each action on each resource has a decision, its statements and the keys that were missing."""
    secure = {"Bool": {"aws:SecureTransport": "true"}}
    found = iam.simulate_custom_policy(
        PolicyInputList=[policy(READ, {**READ, "Action": "s3:PutObject", "Condition": secure})],
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::b/k", "arn:aws:s3:::c/k"],
    )
    assert decisions(found) == ["implicitDeny", "implicitDeny"]
    assert found["EvaluationResults"][1]["MissingContextValues"] == ["aws:SecureTransport"]
    ours, other = found["EvaluationResults"][0]["ResourceSpecificResults"]
    assert (ours["EvalResourceDecision"], other["EvalResourceDecision"]) == ("allowed", "implicitDeny")
    assert ours["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"


def test_a_trust_policy_is_simulated_as_one(iam: Any) -> None:
    """The resource policy of a role to be assumed has no Resource, and rules over identity policies."""
    user, role = "arn:aws:iam::111122223333:user/u", "arn:aws:iam::111122223333:role/r"
    trust = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
    found = iam.simulate_custom_policy(
        PolicyInputList=[policy({"Effect": "Allow", "Action": "sts:*", "Resource": "*"})], CallerArn=user,
        ActionNames=["sts:AssumeRole", "sts:TagSession"], ResourceArns=[role], ResourceOwner="arn:aws:iam::111122223333:root",
        ResourcePolicy=policy(trust),
    )  # fmt: skip
    assert decisions(found) == ["allowed", "implicitDeny"]


def test_a_principal_is_simulated_with_its_groups_and_boundary(iam: Any) -> None:
    """A user's policies, its groups' and its boundary are in play, and given documents beside them."""
    iam.create_user(UserName="simulated")
    arn = iam.get_user(UserName="simulated")["User"]["Arn"]
    iam.create_group(GroupName="simulated-group")
    iam.put_group_policy(GroupName="simulated-group", PolicyName="p", PolicyDocument=policy(READ))
    iam.add_user_to_group(GroupName="simulated-group", UserName="simulated")
    asked: dict[str, Any] = {"ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::b/k"]}
    assert decisions(iam.simulate_principal_policy(PolicySourceArn=arn, **asked)) == ["allowed"]
    group = iam.get_group(GroupName="simulated-group")["Group"]["Arn"]
    assert decisions(iam.simulate_principal_policy(PolicySourceArn=group, **asked)) == ["allowed"]
    deny = policy({**READ, "Effect": "Deny"})
    denied = iam.simulate_principal_policy(PolicySourceArn=arn, PolicyInputList=[deny], **asked)
    assert decisions(denied) == ["explicitDeny"]
    narrow = [policy({**READ, "Action": "s3:PutObject"})]
    bounded = iam.simulate_principal_policy(PolicySourceArn=arn, PermissionsBoundaryPolicyInputList=narrow, **asked)
    assert decisions(bounded) == ["implicitDeny"]
    assert refusal(iam.simulate_principal_policy, PolicySourceArn=arn + "x", **asked)[0] == "NoSuchEntity"


def test_the_account_is_told_in_pages(iam: Any) -> None:
    """Authorization details hold every entity once over all pages, and what is attached with its document."""
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 1}))
    names = [user["UserName"] for page in pages for user in page["UserDetailList"]]
    assert names.count("iambridge-admin") == 1
    policies = {found["PolicyName"]: found for page in pages for found in page["Policies"]}
    version = policies["AdministratorAccess"]["PolicyVersionList"][0]
    assert (version["IsDefaultVersion"], version["Document"]["Statement"][0]["Action"]) == (True, "*")
    only = iam.get_account_authorization_details(Filter=["Role"])
    assert only["UserDetailList"] == []


def test_a_service_linked_role_is_made_once(running: "RunningAccount", iam: Any) -> None:
    """The role has its service's path, name, trust and policy; iam:AWSServiceName decides who may make it."""
    service = "elasticloadbalancing.amazonaws.com"
    iam.create_user(UserName="linker")
    condition = {"StringEquals": {"iam:AWSServiceName": service}}
    allow = {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": "*", "Condition": condition}
    iam.put_user_policy(UserName="linker", PolicyName="p", PolicyDocument=policy(allow))
    linker = running.client("iam", iam.create_access_key(UserName="linker")["AccessKey"])
    role = linker.create_service_linked_role(AWSServiceName=service)["Role"]
    expected = f"arn:aws:iam::111122223333:role/aws-service-role/{service}/AWSServiceRoleForElasticLoadBalancing"
    assert role["Arn"] == expected
    assert refusal(linker.create_service_linked_role, AWSServiceName=service)[0] == "InvalidInput"
    other = {"AWSServiceName": "autoscaling.amazonaws.com"}
    assert refusal(linker.create_service_linked_role, **other)[0] == "AccessDenied"
    attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == ["AWSElasticLoadBalancingServiceRolePolicy"]


def test_a_quota_counts_before_the_document_is_read(iam: Any) -> None:
    """A document over the quota is LimitExceeded though it is malformed; white space does not count."""
    iam.create_user(UserName="large")
    arguments = {"UserName": "large", "PolicyName": "p"}
    assert refusal(iam.put_user_policy, PolicyDocument="x" * 2049, **arguments)[0] == "LimitExceeded"
    iam.put_user_policy(PolicyDocument=policy(READ) + " " * 4096, **arguments)
    assert refusal(iam.create_policy, PolicyName="large", PolicyDocument="x" * 6145)[0] == "LimitExceeded"


def test_what_cannot_be_made_here_is_not_there(iam: Any) -> None:
    """What clients ask before they delete a user: empty lists, or NoSuchEntity; and of no user that is not there."""
    iam.create_user(UserName="leaving")
    for method, member in (
        ("list_mfa_devices", "MFADevices"), ("list_ssh_public_keys", "SSHPublicKeys"), ("list_signing_certificates", "Certificates"),
        ("list_service_specific_credentials", "ServiceSpecificCredentials"),
    ):  # fmt: skip
        assert getattr(iam, method)(UserName="leaving")[member] == []
        with pytest.raises(ClientError, match="NoSuchEntity"):
            getattr(iam, method)(UserName="nobody")
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == iam.list_saml_providers()["SAMLProviderList"] == []
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []
    for call in (
        lambda: iam.get_login_profile(UserName="leaving"), lambda: iam.delete_login_profile(UserName="leaving"),
        iam.get_account_password_policy, lambda: iam.get_server_certificate(ServerCertificateName="x"),
    ):  # fmt: skip
        with pytest.raises(ClientError, match="NoSuchEntity"):
            call()
    iam.delete_user(UserName="leaving")


def test_context_keys_are_told_of_documents_and_of_principals(iam: Any) -> None:
    """The keys of conditions and the variables, each once whatever its case."""
    statement = {
        "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}/*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "x", "AWS:principaltag/Team": "y"}, "Bool": {"aws:SecureTransport": "true"}},
    }  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    names = iam.get_context_keys_for_custom_policy(PolicyInputList=[document])["ContextKeyNames"]
    assert sorted(name.lower() for name in names) == ["aws:principaltag/team", "aws:securetransport", "aws:username"]
    iam.create_user(UserName="keyed")
    iam.put_user_policy(UserName="keyed", PolicyName="p", PolicyDocument=document)
    other = document.replace("aws:SecureTransport", "aws:ViaAWSService")
    found = iam.get_context_keys_for_principal_policy(
        PolicySourceArn="arn:aws:iam::111122223333:user/keyed", PolicyInputList=[other]
    )
    assert {"aws:ViaAWSService", "aws:SecureTransport"} <= set(found["ContextKeyNames"])


def test_a_service_linked_role_is_deleted_by_a_task(iam: Any) -> None:
    """DeleteServiceLinkedRole gives a task that is done; an ordinary role is none of its."""
    iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForEC2Spot")["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_role(RoleName="AWSServiceRoleForEC2Spot")
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
    iam.create_role(RoleName="plain", AssumeRolePolicyDocument=json.dumps(trust))
    with pytest.raises(ClientError, match="not a service-linked role"):
        iam.delete_service_linked_role(RoleName="plain")


def test_a_malformed_document_is_told_with_every_fault_and_its_path(iam: Any) -> None:
    """AWS's words first, then each path."""
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "allow", "Action": "s3get", "Resource": "*"}, {"Effect": "Allow"}],
    }
    with pytest.raises(ClientError) as caught:
        iam.create_policy(PolicyName="bad", PolicyDocument=json.dumps(document))
    error = caught.value.response["Error"]
    assert error["Code"] == "MalformedPolicyDocument"
    assert all(path in error["Message"] for path in ("Statement[0].Effect:", "Statement[0].Action:", "Statement[1]:"))


def test_only_its_service_changes_a_service_linked_role(iam: Any) -> None:
    """Its trust, policies and life are AWS's; its description may be edited, and it is deleted by its own task."""
    name = "AWSServiceRoleForEC2Fleet"
    iam.create_service_linked_role(AWSServiceName="ec2fleet.amazonaws.com")
    role = {"RoleName": name}
    managed = {**role, "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}
    document = policy(READ)
    for refused in (
        refusal(iam.attach_role_policy, **managed),
        refusal(iam.detach_role_policy, **managed),
        refusal(iam.put_role_policy, **role, PolicyName="p", PolicyDocument=document),
        refusal(iam.delete_role_policy, **role, PolicyName="p"),
        refusal(iam.put_role_permissions_boundary, **role, PermissionsBoundary=managed["PolicyArn"]),
        refusal(iam.update_assume_role_policy, **role, PolicyDocument=document),
        refusal(iam.update_role, **role, MaxSessionDuration=7200),
        refusal(iam.delete_role, **role),
    ):
        assert refused[0] == "UnmodifiableEntity"
    iam.update_role(**role, Description="ours")
    assert iam.get_role(**role)["Role"]["Description"] == "ours"
    iam.delete_service_linked_role(**role)
    assert refusal(iam.get_role, **role)[0] == "NoSuchEntity"


@pytest.mark.parametrize("service", sorted(service_linked_roles.SERVICES))
def test_every_known_service_has_its_policy(service: str) -> None:
    """AWS's policy of each service-linked role is among AWS's policies here."""
    assert aws_managed_policy(service_linked_roles.policy_arn(service)) is not None
