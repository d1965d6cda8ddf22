"""Services beside the first ones: what their users' policies allow passes, and what they do not is refused."""

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import refusal
from tests.unit.sandbox.aws.test_named_actions import allow, user

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

ACCOUNT = "111122223333"
OWNED = "efs.csi.aws.com/cluster"


def test_the_efs_drivers_policy(running: "RunningAccount") -> None:
    """The published policy: access points are made with the driver's tag, and only those that carry it are deleted."""
    efs = running.client("efs")
    identity = efs.create_file_system(CreationToken="driver")["FileSystemId"]
    theirs = efs.create_access_point(ClientToken="t", FileSystemId=identity)["AccessPointId"]
    describes = ["DescribeAccessPoints", "DescribeFileSystems", "DescribeMountTargets"]
    driver = user(
        running,
        "efs-driver",
        allow([*(f"elasticfilesystem:{name}" for name in describes), "ec2:DescribeAvailabilityZones"]),
        allow("elasticfilesystem:CreateAccessPoint", condition={
            "Null": {f"aws:RequestTag/{OWNED}": "false"},
            "ForAllValues:StringEquals": {"aws:TagKeys": OWNED},
        }),
        allow("elasticfilesystem:TagResource", condition={"StringLike": {f"aws:ResourceTag/{OWNED}": "true"}}),
        allow("elasticfilesystem:DeleteAccessPoint", condition={"StringEquals": {f"aws:ResourceTag/{OWNED}": "true"}}),
    )("efs")  # fmt: skip
    assert driver.describe_file_systems()["FileSystems"]
    tags = [{"Key": OWNED, "Value": "true"}]
    own = driver.create_access_point(ClientToken="o", FileSystemId=identity, Tags=tags)["AccessPointId"]
    assert driver.describe_access_points(FileSystemId=identity)["AccessPoints"]
    untagged = {"ClientToken": "u", "FileSystemId": identity}
    assert refusal(driver.create_access_point, **untagged)[0] == "AccessDeniedException"
    driver.delete_access_point(AccessPointId=own)
    assert refusal(driver.delete_access_point, AccessPointId=theirs)[0] == "AccessDeniedException"
    assert refusal(driver.delete_file_system, FileSystemId=identity)[0] == "AccessDeniedException"


LISTS: list[tuple[str, str, dict[str, Any]]] = [
    ("acm-pca", "list_certificate_authorities", {}),
    ("amp", "list_workspaces", {}),
    ("backup", "list_backup_vaults", {}),
    ("batch", "describe_job_queues", {}),
    ("cognito-identity", "list_identity_pools", {"MaxResults": 1}),
    ("elasticache", "describe_cache_clusters", {}),
    ("fsx", "describe_file_systems", {}),
    ("kafka", "list_clusters", {}),
    ("mq", "list_brokers", {}),
    ("opensearch", "list_domain_names", {}),
    ("pipes", "list_pipes", {}),
    ("rds", "describe_db_instances", {}),
    ("redshift", "describe_clusters", {}),
    ("route53resolver", "list_resolver_endpoints", {}),
    ("scheduler", "list_schedules", {}),
    ("ses", "list_identities", {}),
    ("sesv2", "list_email_identities", {}),
    ("servicediscovery", "list_namespaces", {}),
]


@pytest.mark.parametrize(("service", "method", "arguments"), LISTS, ids=[service for service, _, _ in LISTS])
def test_a_service_answers_who_may_and_refuses_who_may_not(
    running: "RunningAccount", service: str, method: str, arguments: dict[str, Any]
) -> None:
    """The administrator lists; a user without policies is told so in the service's own protocol."""
    assert getattr(running.client(service), method)(**arguments)["ResponseMetadata"]["HTTPStatusCode"] == 200
    iam = running.client("iam")
    iam.create_user(UserName=f"{service}-nobody")
    nobody = running.client(service, iam.create_access_key(UserName=f"{service}-nobody")["AccessKey"])
    code, message, status = refusal(getattr(nobody, method), **arguments)
    assert code in {"AccessDenied", "AccessDeniedException"}
    assert status in {400, 403}
    assert "because no identity-based policy allows" in message


def test_a_database_is_decided_by_its_arn(running: "RunningAccount") -> None:
    """Named, it is that database's ARN; unnamed, DescribeDBInstances is decided on all of them."""
    own = user(running, "db-reader", allow("rds:DescribeDBInstances", f"arn:aws:rds:us-east-1:{ACCOUNT}:db:mine"))(
        "rds"
    )
    assert refusal(own.describe_db_instances, DBInstanceIdentifier="mine")[0] == "DBInstanceNotFound"
    assert refusal(own.describe_db_instances, DBInstanceIdentifier="theirs")[0] == "AccessDenied"
    assert f"arn:aws:rds:us-east-1:{ACCOUNT}:db:*" in refusal(own.describe_db_instances)[1]


def test_an_arn_in_a_path_is_one_label(running: "RunningAccount") -> None:
    """EKS names what it tags by ARN in the path, whose slash arrives decoded."""
    eks = running.client("eks")
    role = f"arn:aws:iam::{ACCOUNT}:role/eks"
    arn = eks.create_cluster(name="tagged", roleArn=role, resourcesVpcConfig={}, tags={"a": "b"})["cluster"]["arn"]
    eks.tag_resource(resourceArn=arn, tags={"c": "d"})
    assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b", "c": "d"}
    own = user(running, "eks-tagger", allow("eks:ListTagsForResource", arn))("eks")
    assert own.list_tags_for_resource(resourceArn=arn)["tags"]
    other = arn.replace("tagged", "other")
    assert refusal(own.list_tags_for_resource, resourceArn=other)[0] == "AccessDeniedException"


def test_a_rest_service_that_is_not_modelled_is_refused_in_json(running: "RunningAccount") -> None:
    """What a REST client can parse: the code is read, not a page of XML."""
    code, message, _ = refusal(running.client("bedrock").list_foundation_models)
    assert (code, message) == ("NotImplemented", "The service bedrock is not available in this sandbox.")


def test_cloudformation_is_refused_by_name(running: "RunningAccount") -> None:
    """It would make other services' resources without deciding whether the caller may."""
    assert refusal(running.client("cloudformation").list_stacks)[0] == "NotImplemented"
