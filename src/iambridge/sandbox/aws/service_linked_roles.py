"""Roles that belong to a service. Sources: IAM User Guide, "Service-linked roles"; IAM API Reference."""

import json

from iambridge.adapters import randomness
from iambridge.errors import InvalidInput, NoSuchEntity, NotImplementedBySandbox, UnmodifiableEntity
from iambridge.sandbox.aws import last_uses, roles, unique_ids
from iambridge.sandbox.aws.aws_managed_policies import aws_managed_policy
from iambridge.sandbox.aws.entities import Role
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters

# service: the role's name after AWSServiceRoleFor, and AWS's policy under aws-service-role/
_KNOWN = {
    "autoscaling.amazonaws.com": ("AutoScaling", "AutoScalingServiceRolePolicy"),
    "batch.amazonaws.com": ("Batch", "BatchServiceRolePolicy"),
    "dynamodb.application-autoscaling.amazonaws.com": (
        "ApplicationAutoScaling_DynamoDBTable",
        "AWSApplicationAutoscalingDynamoDBTablePolicy",
    ),
    "ec2fleet.amazonaws.com": ("EC2Fleet", "AWSEC2FleetServiceRolePolicy"),
    "ecs.amazonaws.com": ("ECS", "AmazonECSServiceRolePolicy"),
    "ecs.application-autoscaling.amazonaws.com": (
        "ApplicationAutoScaling_ECSService",
        "AWSApplicationAutoscalingECSServicePolicy",
    ),
    "eks.amazonaws.com": ("AmazonEKS", "AmazonEKSServiceRolePolicy"),
    "eks-connector.amazonaws.com": ("AmazonEKSConnector", "AmazonEKSConnectorServiceRolePolicy"),
    "eks-fargate.amazonaws.com": ("AmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy"),
    "eks-nodegroup.amazonaws.com": ("AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"),
    "elasticache.amazonaws.com": ("ElastiCache", "ElastiCacheServiceRolePolicy"),
    "elasticfilesystem.amazonaws.com": ("AmazonElasticFileSystem", "AmazonElasticFileSystemServiceRolePolicy"),
    "elasticloadbalancing.amazonaws.com": ("ElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"),
    "es.amazonaws.com": ("AmazonElasticsearchService", "AmazonElasticsearchServiceRolePolicy"),
    "guardduty.amazonaws.com": ("AmazonGuardDuty", "AmazonGuardDutyServiceRolePolicy"),
    "kafka.amazonaws.com": ("Kafka", "KafkaServiceRolePolicy"),
    "opensearchservice.amazonaws.com": ("AmazonOpenSearchService", "AmazonOpenSearchServiceRolePolicy"),
    "rds.amazonaws.com": ("RDS", "AmazonRDSServiceRolePolicy"),
    "spot.amazonaws.com": ("EC2Spot", "AWSEC2SpotServiceRolePolicy"),
    "spotfleet.amazonaws.com": ("EC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy"),
    "transitgateway.amazonaws.com": ("VPCTransitGateway", "AWSVPCTransitGatewayServiceRolePolicy"),
}
SERVICES = frozenset(_KNOWN)
_PATH = "/aws-service-role/"
_SUFFIXED = frozenset({"autoscaling.amazonaws.com"})
# operations on a role whose errors have UnmodifiableEntity (IAM API reference, each operation)
_CHANGES = frozenset(
    {
        "AddRoleToInstanceProfile",
        "AttachRolePolicy",
        "DeleteRole",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "PutRolePermissionsBoundary",
        "PutRolePolicy",
        "RemoveRoleFromInstanceProfile",
        "UpdateAssumeRolePolicy",
        "UpdateRole",
    }
)


def role_name(service: str, suffix: str) -> str:
    """`AWSServiceRoleForAutoScaling`, or with `_suffix`.

    Raises:
        NotImplementedBySandbox: a service whose role's name the sandbox does not know.
        InvalidInput: a suffix for a service that takes none.
    """
    if service not in _KNOWN:
        raise NotImplementedBySandbox(
            f"Service-linked roles of {service[:128]} are not available in this sandbox.",
            fix=f"known are {', '.join(sorted(_KNOWN))}; report the service and the client that needs it",
        )
    if suffix and service not in _SUFFIXED:
        raise InvalidInput(f"Custom suffix is not allowed for {service}")
    name = f"AWSServiceRoleFor{_KNOWN[service][0]}"
    return f"{name}_{suffix}" if suffix else name


def role_arn(account: IamAccount, service: str, suffix: str) -> str:
    return f"arn:aws:iam::{account.account_id}:role/aws-service-role/{service}/{role_name(service, suffix)}"


def policy_arn(service: str) -> str:
    return f"arn:aws:iam::aws:policy/aws-service-role/{_KNOWN[service][1]}"


def arn_of_task(account: IamAccount, task: str) -> str:
    """The role that a deletion task is about: its id is `task/aws-service-role/SERVICE/ROLE/UUID`."""
    return f"arn:aws:iam::{account.account_id}:role/{task.removeprefix('task/').rpartition('/')[0]}"


def create_service_linked_role(account: IamAccount, parameters: Parameters) -> Output:
    service = parameters["AWSServiceName"]
    name = role_name(service, parameters.get("CustomSuffix", ""))
    if account.store.get(Role, name.lower()) is not None:
        raise InvalidInput(f"Service role name {name} has been taken in this account, please try a different suffix.")
    policy = policy_arn(service)
    statement = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": ["sts:AssumeRole"]}
    role = Role(
        name=name,
        id=unique_ids.unique_id(unique_ids.ROLE),
        path=f"/aws-service-role/{service}/",
        created=account.timestamp(),
        trust=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        description=parameters.get("Description", ""),
        attached=(policy,) if aws_managed_policy(policy) is not None else (),
    )
    account.store.write(role)
    return {"Role": roles.describe(account, role)}


def delete_service_linked_role(account: IamAccount, parameters: Parameters) -> Output:
    """Done at once: no service here keeps a role in use. The task id is told done as long as it is asked for."""
    role = account.find(Role, parameters["RoleName"])
    if not role.path.startswith(_PATH):
        raise InvalidInput(f"The role {role.name} is not a service-linked role.")
    account.store.write(delete=(role, *last_uses.forgotten(account, role.id)))
    task = f"task{_PATH}{role.path.removeprefix(_PATH)}{role.name}/{randomness.uuid4()}"
    return {"DeletionTaskId": task}


def get_service_linked_role_deletion_status(account: IamAccount, parameters: Parameters) -> Output:
    del account
    if not parameters["DeletionTaskId"].startswith(f"task{_PATH}"):
        raise NoSuchEntity(f"The deletion task {parameters['DeletionTaskId'][:128]} cannot be found.")
    return {"Status": "SUCCEEDED"}


def refuse_change(account: IamAccount, operation: str, parameters: Parameters) -> None:
    """Only the service changes its role; others may edit its description and delete it by its own operation.

    Raises:
        UnmodifiableEntity: the operation would change a service-linked role.
    """
    if operation not in _CHANGES or (operation == "UpdateRole" and "MaxSessionDuration" not in parameters):
        return
    role = account.store.get(Role, parameters["RoleName"].lower())
    if role is not None and role.path.startswith(_PATH):
        raise UnmodifiableEntity(
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS"
        )


OPERATIONS = {
    "CreateServiceLinkedRole": create_service_linked_role,
    "DeleteServiceLinkedRole": delete_service_linked_role,
    "GetServiceLinkedRoleDeletionStatus": get_service_linked_role_deletion_status,
}
