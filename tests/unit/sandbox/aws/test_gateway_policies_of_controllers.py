"""Every action that a well-known controller's policy names, called by boto3: allowed with it, refused without it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.sandbox.aws.test_instances import user_key

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

POLICIES: dict[str, dict[str, list[str]]] = json.loads(
    (Path(__file__).parents[3] / "cases/controllers/actions.json").read_bytes()
)["policies"]
CLIENTS = {"elasticloadbalancing": "elbv2"}
DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:111122223333"
WEB_ACL = "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/x/12345678-1234-1234-1234-123456789012"
# what a generated value cannot be: names that AWS would know for what they are, of things that are not there
VALUES: dict[str, Any] = {
    "LaunchTemplateData": {"ImageId": "ami-12345678"}, "LaunchTemplateName": "xxx", "GroupId": "sg-12345678",
    "AWSServiceName": "elasticloadbalancing.amazonaws.com", "ResourceARN": f"{BALANCER}:loadbalancer/app/x/1234567890123456",
    "ListenerArn": f"{BALANCER}:listener/app/x/1234567890123456/1234567890123456", "InstanceId": "i-1234567890abcdef0",
    "LoadBalancerArn": f"{BALANCER}:loadbalancer/app/x/1234567890123456",
    "TargetGroupArn": f"{BALANCER}:targetgroup/x/1234567890123456",
    "RuleArn": f"{BALANCER}:listener-rule/app/x/1234567890123456/1234567890123456/1234567890123456",
    "ResourceArn": f"{BALANCER}:loadbalancer/app/x/1234567890123456", "WebACLArn": WEB_ACL, "ARN": WEB_ACL, "Scope": "REGIONAL",
    "CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012",
    "QueueUrl": "https://sqs.us-east-1.amazonaws.com/111122223333/x", "PoolId": "ipv4pool-coip-12345678",
    "ProtectionId": "12345678-1234-1234-1234-123456789012", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-12345678",
    "Resource": "i-1234567890abcdef0", "Owner": "self", "WebACLId": "12345678-1234-1234-1234-123456789012", "LaunchTemplateId": "lt-12345678",
}  # fmt: skip
# not required by the model, and needed by the operation
NEEDED = {
    "LaunchTemplateName",
    "GroupId",
    "ProtectionId",
    "Protocol",
    "Port",
    "ARN",
    "ListenerArn",
    "LoadBalancerArn",
    "RuleArn",
    # without them moto lists all that AWS has: megabytes, for an answer that is decided alike
    "InstanceTypes",
    "Owners",
}
# allowed, and refused by name: moto has no such operation
LACKING = {
    "cluster-autoscaler": {"ec2:GetInstanceTypesFromInstanceRequirements"},
    "karpenter": set(),
    "load-balancer-controller": {
        "ec2:GetCoipPoolUsage", "elasticloadbalancing:ModifyCapacityReservation", "elasticloadbalancing:ModifyIpPools",
        "waf-regional:AssociateWebACL", "waf-regional:DisassociateWebACL", "waf-regional:GetWebACL",
    },
}  # fmt: skip


SCALARS: dict[str, Any] = {
    "map": {}, "boolean": True, "blob": b"x", "double": 1.0, "float": 1.0, "timestamp": "2026-11-24T00:00:00Z",
}  # fmt: skip


def minimal(shape: Any, name: str = "") -> Any:
    """The least that boto3 sends for a shape: its required members, each as short as may be."""
    if name in VALUES:
        return VALUES[name]
    match shape.type_name:
        case "structure":
            wanted = set(shape.required_members) | (NEEDED & set(shape.members))
            return {member: minimal(shape.members[member], member) for member in sorted(wanted)}
        case "list":
            return [minimal(shape.member, name.removesuffix("s"))]
        case "string":
            return shape.enum[0] if shape.enum else "x" * max(1, shape.metadata.get("min", 1))
        case "integer" | "long":
            return max(1, shape.metadata.get("min", 1))
    return SCALARS[shape.type_name]


def call(client: Any, operation: str) -> tuple[str, str]:
    """The code and message of the error that the operation ends with, or two empty texts."""
    model = client.meta.service_model.operation_model(operation)
    method = next(method for method, name in client.meta.method_to_api_mapping.items() if name == operation)
    try:
        getattr(client, method)(**(minimal(model.input_shape) if model.input_shape else {}))
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return "", ""


def denied(code: str, message: str) -> bool:
    return code in DENIALS and ("not authorized" in message or code == "UnauthorizedOperation")


def refused(code: str, message: str) -> bool:
    """Denied, or not even that: an operation that boto3 sends unsigned, or one that cannot be decided here."""
    return denied(code, message) or code in {"NotImplemented", "MissingAuthenticationTokenException"}


def each(actions: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(service, name) for service, names in actions.items() for name in names]


def user(running: "RunningAccount", name: str, *actions: str) -> Any:
    """A user's key under one managed policy: an inline one could not be so long."""
    iam = running.client("iam")
    iam.create_user(UserName=name)
    if actions:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        made = iam.create_policy(PolicyName=name, PolicyDocument=document)
        iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
    return iam.create_access_key(UserName=name)["AccessKey"]


@pytest.fixture(scope="module", params=POLICIES)
def controller(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def outcomes(running: "RunningAccount", key: Any, actions: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
    clients = {service: running.client(CLIENTS.get(service, service), key) for service in actions}
    return {f"{service}:{name}": call(clients[service], name) for service, name in each(actions)}


def test_what_the_policy_allows_passes(running: "RunningAccount", controller: str) -> None:
    """Under exactly the published actions none is denied; what is refused all the same is known, and said by name."""
    policy = POLICIES[controller]
    key = user(running, controller, "iam:PassRole", *(f"{service}:{name}" for service, name in each(policy)))
    found = outcomes(running, key, policy)
    assert {action: answer for action, answer in found.items() if denied(*answer)} == {}
    lacking = {action for action, (code, _) in found.items() if code == "NotImplemented"}
    assert lacking == LACKING[controller]
    assert all(action in found[action][1] for action in lacking)
    assert {action: answer for action, answer in found.items() if answer[0].startswith("5")} == {}


def test_without_the_policy_every_action_is_denied(running: "RunningAccount", controller: str) -> None:
    """The same calls under no policy: each is denied, as its service spells a denial, or refused by name."""
    found = outcomes(running, user(running, f"{controller}-without"), POLICIES[controller])
    assert {action: answer for action, answer in found.items() if not refused(*answer)} == {}


def test_what_the_policy_does_not_name_is_denied(running: "RunningAccount", controller: str) -> None:
    """Operations of the same services that the policy leaves out: none gets past authorization."""
    policy = POLICIES[controller]
    key = user(running, f"{controller}-only", *(f"{service}:{name}" for service, name in each(policy)))
    others: dict[str, list[str]] = {}
    for service, names in policy.items():
        model = running.client(CLIENTS.get(service, service), key).meta.service_model
        # DeleteMessageBatch is sqs:DeleteMessage
        left_out = [name for name in model.operation_names if name.removesuffix("Batch") not in names]
        others[service] = left_out[:: max(1, len(left_out) // 12)]
    found = outcomes(running, key, others)
    assert {action: answer for action, answer in found.items() if not refused(*answer)} == {}
    assert sum(denied(*answer) for answer in found.values()) > len(found) // 2


def test_an_instance_of_a_group_is_ended_by_who_may_end_that_groups(running: "RunningAccount") -> None:
    """The autoscaler's TerminateInstanceInAutoScalingGroup names an instance, and is decided on the instance's group."""
    scaling, subnet = running.client("autoscaling"), running.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    scaling.create_launch_configuration(
        LaunchConfigurationName="scaled", ImageId="ami-12c6146b", InstanceType="t3.micro"
    )
    instances = {}
    for name in ("mine", "theirs"):
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchConfigurationName="scaled", MinSize=0, MaxSize=1, DesiredCapacity=1,
            VPCZoneIdentifier=subnet, Tags=[{"Key": "owner", "Value": name, "PropagateAtLaunch": False}],
        )  # fmt: skip
        group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
        instances[name] = group["Instances"][0]["InstanceId"]
    action = "autoscaling:TerminateInstanceInAutoScalingGroup"
    tagged = {"StringEquals": {"aws:ResourceTag/owner": "mine"}}
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": tagged}
    autoscaler = running.client("autoscaling", user_key(running, "autoscaler", statement))

    def end(instance: str) -> Any:
        return autoscaler.terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=True
        )

    for instance in (instances["theirs"], "i-1234567890abcdef0"):
        with pytest.raises(ClientError, match="not authorized to perform: autoscaling:TerminateInstance"):
            end(instance)
    assert end(instances["mine"])["Activity"]["AutoScalingGroupName"] == "mine"


def test_the_security_groups_of_a_vpc_are_listed_as_the_controller_asks(running: "RunningAccount") -> None:
    """GetSecurityGroupsForVpc, which moto lacks, tells the VPC's groups with their tags, filtered as asked."""
    ec2 = running.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "elbv2.k8s.aws/cluster", "Value": "a&b"}]}]
    made = ec2.create_security_group(GroupName="k8s", Description="for <it>", VpcId=vpc, TagSpecifications=tags)[
        "GroupId"
    ]
    found = {group["GroupId"]: group for group in ec2.get_security_groups_for_vpc(VpcId=vpc)["SecurityGroupForVpcs"]}
    assert len(found) == 2  # the VPC's default group too
    assert found[made] == {
        "GroupId": made, "GroupName": "k8s", "Description": "for <it>", "OwnerId": "111122223333", "PrimaryVpcId": vpc,
        "Tags": [{"Key": "elbv2.k8s.aws/cluster", "Value": "a&b"}],
    }  # fmt: skip
    for name, value, expected in (
        ("tag:elbv2.k8s.aws/cluster", "a&b", [made]), ("tag:elbv2.k8s.aws/cluster", "other", []), ("group-name", "k8s", [made]),
    ):  # fmt: skip
        asked = ec2.get_security_groups_for_vpc(VpcId=vpc, Filters=[{"Name": name, "Values": [value]}])
        assert [group["GroupId"] for group in asked["SecurityGroupForVpcs"]] == expected
    with pytest.raises(ClientError, match="by the filter colour is not available"):
        ec2.get_security_groups_for_vpc(VpcId=vpc, Filters=[{"Name": "colour", "Values": ["red"]}])
