"""Every list of IAM, walked by boto3's own paginators and waiters."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from tests.unit.sandbox.aws.test_gateway import policy

from iambridge.sandbox.aws import absent
from iambridge.sandbox.aws.iam import OPERATIONS

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

PREFIX = "arn:aws:iam::111122223333"
ALLOW = policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
TAGS = [{"Key": key, "Value": key} for key in "cab"]

PAGED: dict[str, dict[str, Any]] = {
    "GetAccountAuthorizationDetails": {},
    "GetGroup": {"GroupName": "g0"},
    "ListAccessKeys": {"UserName": "u0"},
    "ListAccountAliases": {},
    "ListAttachedGroupPolicies": {"GroupName": "g0"},
    "ListAttachedRolePolicies": {"RoleName": "r0"},
    "ListAttachedUserPolicies": {"UserName": "u0"},
    "ListEntitiesForPolicy": {"PolicyArn": f"{PREFIX}:policy/ReadOnlyAccess"},
    "ListGroupPolicies": {"GroupName": "g0"},
    "ListGroups": {},
    "ListGroupsForUser": {"UserName": "u0"},
    "ListInstanceProfileTags": {"InstanceProfileName": "i0"},
    "ListInstanceProfiles": {},
    "ListInstanceProfilesForRole": {"RoleName": "r0"},
    "ListOpenIDConnectProviderTags": {"OpenIDConnectProviderArn": f"{PREFIX}:oidc-provider/listed.example"},
    "ListPolicies": {"Scope": "All", "OnlyAttached": True},
    "ListPolicyTags": {"PolicyArn": f"{PREFIX}:policy/ReadOnlyAccess"},
    "ListPolicyVersions": {"PolicyArn": f"{PREFIX}:policy/ReadOnlyAccess"},
    "ListRolePolicies": {"RoleName": "r0"},
    "ListRoleTags": {"RoleName": "r0"},
    "ListRoles": {},
    "ListServerCertificateTags": {"ServerCertificateName": "c0"},
    "ListServerCertificates": {},
    "ListUserPolicies": {"UserName": "u0"},
    "ListUserTags": {"UserName": "u0"},
    "ListUsers": {},
    "SimulateCustomPolicy": {"PolicyInputList": [ALLOW], "ActionNames": ["s3:A", "s3:B", "ec2:C"]},
    "SimulatePrincipalPolicy": {
        "PolicySourceArn": f"{PREFIX}:user/u0", "ActionNames": ["s3:A", "ec2:B"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def iam(running: "RunningAccount") -> Any:
    """Three of everything; a policy of ours that has the name of one of AWS's."""
    client = running.client("iam")
    ours = client.create_policy(PolicyName="ReadOnlyAccess", PolicyDocument=ALLOW, Tags=TAGS)["Policy"]["Arn"]
    for _ in range(3):
        client.create_policy_version(PolicyArn=ours, PolicyDocument=ALLOW)
    for number in range(3):
        client.create_user(UserName=f"u{number}", Tags=TAGS)
        client.create_group(GroupName=f"g{number}")
        client.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=TRUST, Tags=TAGS)
        client.create_instance_profile(InstanceProfileName=f"i{number}", Tags=TAGS)
        client.add_role_to_instance_profile(InstanceProfileName=f"i{number}", RoleName="r0")
        client.add_user_to_group(UserName=f"u{number}", GroupName="g0")
        client.attach_user_policy(UserName=f"u{number}", PolicyArn=ours)
    for word, method in (("User", "user"), ("Group", "group"), ("Role", "role")):
        name = {f"{word}Name": f"{method[0]}0"}
        for number in range(3):
            getattr(client, f"put_{method}_policy")(**name, PolicyName=f"p{number}", PolicyDocument=ALLOW)
        for arn in (ours, READ_ONLY):
            getattr(client, f"attach_{method}_policy")(**name, PolicyArn=arn)
    client.put_role_permissions_boundary(RoleName="r1", PermissionsBoundary=ours)
    for group in ("g1", "g2"):
        client.add_user_to_group(UserName="u0", GroupName=group)
    for _ in range(2):
        client.create_access_key(UserName="u0")
    leaf = running.authority.leaf("listed", hosts=("listed.example",))
    body, key = Path(leaf.certificate).read_text(), Path(leaf.key).read_text()
    for number in range(3):
        client.upload_server_certificate(
            ServerCertificateName=f"c{number}", CertificateBody=body, PrivateKey=key, Tags=TAGS
        )
    client.create_account_alias(AccountAlias="listed")
    client.create_open_id_connect_provider(Url="https://listed.example", ThumbprintList=["0" * 40], Tags=TAGS)
    return client


def listed(answer: Any) -> Any:
    return {key: value for key, value in answer.items() if isinstance(value, list)}


@pytest.mark.parametrize("operation", sorted(PAGED))
def test_pages_of_one_hold_what_one_page_holds(iam: Any, operation: str) -> None:
    """In its order, nothing twice and nothing left out."""
    whole = getattr(iam, xform_name(operation))(**PAGED[operation])
    assert whole["IsTruncated"] is False
    pages = list(
        iam.get_paginator(xform_name(operation)).paginate(**PAGED[operation], PaginationConfig={"PageSize": 1})
    )
    walked: dict[str, list[Any]] = {key: [] for key in listed(whole)}
    for page in pages:
        assert sum(map(len, listed(page).values())) == 1
        for key, items in listed(page).items():
            walked[key] += items
    assert walked == listed(whole)
    assert len(pages) > 1 or operation == "ListAccountAliases"


def test_every_paginated_operation_is_walked(iam: Any) -> None:
    """Those that are always empty apart."""
    paginated = {name for name in OPERATIONS if iam.can_paginate(xform_name(name))}
    assert paginated - set(absent.OPERATIONS) == set(PAGED)


def test_two_policies_of_one_name_are_both_told(iam: Any) -> None:
    """The account's own, and AWS's."""
    attached = iam.list_attached_user_policies(UserName="u0")["AttachedPolicies"]
    assert [item["PolicyArn"] for item in attached] == [f"{PREFIX}:policy/ReadOnlyAccess", READ_ONLY]


def test_the_use_of_a_policy_is_asked_for(iam: Any) -> None:
    """PolicyUsageFilter: as a permissions policy, as a boundary, or both."""
    arn = iam.create_policy(PolicyName="only-boundary", PolicyDocument=ALLOW)["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="u2", PermissionsBoundary=arn)
    names = {
        usage: [p["PolicyName"] for p in iam.list_policies(Scope="Local", PolicyUsageFilter=usage)["Policies"]]
        for usage in ("PermissionsPolicy", "PermissionsBoundary")
    }
    assert names == {
        "PermissionsPolicy": ["ReadOnlyAccess"],
        "PermissionsBoundary": ["ReadOnlyAccess", "only-boundary"],
    }
    both = iam.list_entities_for_policy(PolicyArn=f"{PREFIX}:policy/ReadOnlyAccess")
    assert [role["RoleName"] for role in both["PolicyRoles"]] == ["r0", "r1"]
    boundary = iam.list_entities_for_policy(
        PolicyArn=f"{PREFIX}:policy/ReadOnlyAccess", PolicyUsageFilter="PermissionsBoundary"
    )
    assert [role["RoleName"] for role in boundary["PolicyRoles"]] == ["r1"]
    assert (boundary["PolicyUsers"], boundary["PolicyGroups"]) == ([], [])
    found = iam.get_policy(PolicyArn=f"{PREFIX}:policy/ReadOnlyAccess")["Policy"]
    assert (found["AttachmentCount"], found["PermissionsBoundaryUsageCount"]) == (5, 1)


def test_the_summary_counts_what_is_there(iam: Any) -> None:
    """Counts and quotas by the names that boto3's model knows."""
    summary = Counter(iam.get_account_summary()["SummaryMap"])
    known = iam.meta.service_model.shape_for("summaryKeyType").enum
    assert set(summary) <= set(known)
    assert (summary["Roles"], summary["RolesQuota"], summary["AccountMFAEnabled"]) == (3, 1000, 0)
    assert summary["PolicyVersionsInUse"] >= 4


@pytest.mark.parametrize(
    ("waiter", "arguments"),
    [
        ("user_exists", {"UserName": "u0"}),
        ("role_exists", {"RoleName": "r0"}),
        ("instance_profile_exists", {"InstanceProfileName": "i0"}),
        ("policy_exists", {"PolicyArn": f"{PREFIX}:policy/ReadOnlyAccess"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_waiters_end(iam: Any, waiter: str, arguments: dict[str, str]) -> None:
    iam.get_waiter(waiter).wait(**arguments, WaiterConfig={"Delay": 1, "MaxAttempts": 1})
