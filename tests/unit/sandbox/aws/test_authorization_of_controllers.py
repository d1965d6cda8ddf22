"""Policies shaped as Karpenter's and the AWS Load Balancer Controller's: what they allow passes, the rest is refused.

Actions and condition keys are those of Karpenter's cloudformation.yaml and the controller's iam_policy.json.
"""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.sandbox.aws.test_gateway import refusal
from tests.unit.sandbox.aws.test_instances import IMAGE, user_key

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

OWNED = "kubernetes.io/cluster/iambridge"
POOL = "karpenter.sh/nodepool"
TAGS = [{"Key": OWNED, "Value": "owned"}, {"Key": POOL, "Value": "default"}]
REQUESTED = {"StringEquals": {f"aws:RequestTag/{OWNED}": "owned"}, "StringLike": {f"aws:RequestTag/{POOL}": "*"}}
TAGGED = {"StringEquals": {f"aws:ResourceTag/{OWNED}": "owned"}, "StringLike": {f"aws:ResourceTag/{POOL}": "*"}}
LAUNCH = ["ec2:RunInstances", "ec2:CreateFleet"]
LAUNCHED = ("fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request")
MADE_BY = {"StringEquals": {"ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"]}}
CLUSTER = "elbv2.k8s.aws/cluster"


def arns(*kinds: str) -> list[str]:
    return [f"arn:aws:ec2:us-east-1:*:{kind}/*" for kind in kinds]


KARPENTER: tuple[dict[str, Any], ...] = (
    {"Effect": "Allow", "Action": LAUNCH, "Resource": arns("image", "snapshot", "security-group", "subnet")},
    {"Effect": "Allow", "Action": LAUNCH, "Resource": arns("launch-template"), "Condition": TAGGED},
    {
        "Effect": "Allow",
        "Action": [*LAUNCH, "ec2:CreateLaunchTemplate"],
        "Resource": arns(*LAUNCHED),
        "Condition": REQUESTED,
    },
    {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": arns(*LAUNCHED), "Condition": MADE_BY},
    {
        "Effect": "Allow",
        "Action": ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
        "Resource": arns("instance", "launch-template"),
        "Condition": TAGGED,
    },
)
BALANCER: tuple[dict[str, Any], ...] = (
    {"Effect": "Allow", "Action": "elasticloadbalancing:Describe*", "Resource": "*"},
    {
        "Effect": "Allow",
        "Action": ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"],
        "Resource": "*",
        "Condition": {"Null": {f"aws:RequestTag/{CLUSTER}": "false"}},
    },
    {
        "Effect": "Allow",
        "Action": "elasticloadbalancing:AddTags",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"elasticloadbalancing:CreateAction": ["CreateTargetGroup", "CreateLoadBalancer"]},
            "Null": {f"aws:RequestTag/{CLUSTER}": "false"},
        },
    },
    {
        "Effect": "Allow",
        "Action": ["elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup"],
        "Resource": "*",
        "Condition": {"Null": {f"aws:ResourceTag/{CLUSTER}": "false"}},
    },
)


def specifications(*kinds: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": TAGS} for kind in kinds]


def fleet(client: Any, template: str, *tagged: str) -> str:
    subnet = client.meta.subnet
    found = client.create_fleet(
        Type="instant",
        LaunchTemplateConfigs=[
            {
                "LaunchTemplateSpecification": {"LaunchTemplateName": template, "Version": "$Latest"},
                "Overrides": [{"InstanceType": "t3.micro", "SubnetId": subnet}],
            }
        ],
        TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"},
        TagSpecifications=specifications(*tagged),
    )
    identity: str = found["Instances"][0]["InstanceIds"][0]
    return identity


@pytest.fixture(scope="module")
def karpenter(running: "RunningAccount") -> Any:
    """Karpenter's client, with a launch template of its own making."""
    ec2 = running.client("ec2")
    client = running.client("ec2", user_key(running, "karpenter", *KARPENTER))
    client.meta.subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    content = {
        "ImageId": IMAGE,
        "SecurityGroupIds": [group],
        "TagSpecifications": specifications("network-interface"),
    }
    client.create_launch_template(
        LaunchTemplateName="karpenter", LaunchTemplateData=content, TagSpecifications=specifications("launch-template")
    )
    ec2.create_launch_template(LaunchTemplateName="not-karpenters", LaunchTemplateData=content)
    return client


def test_karpenter_launches_and_ends_its_own_nodes(karpenter: Any) -> None:
    """A fleet from its own tagged template, everything tagged, starts; and the instance may be ended."""
    instance = fleet(karpenter, "karpenter", "fleet", "instance", "volume")
    assert karpenter.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]


def test_karpenter_launches_nothing_else(running: "RunningAccount", karpenter: Any) -> None:
    """Without its tags, or from another's template, nothing starts; and another's instance is not ended."""
    for template, tagged in (("karpenter", ("fleet",)), ("not-karpenters", ("fleet", "instance", "volume"))):
        with pytest.raises(ClientError) as caught:
            fleet(karpenter, template, *tagged)
        assert caught.value.response["Error"]["Code"] == "UnauthorizedOperation"
    other = running.client("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    assert refusal(karpenter.terminate_instances, InstanceIds=[other])[0] == "UnauthorizedOperation"


def test_awss_public_parameters_are_no_accounts(running: "RunningAccount") -> None:
    """Karpenter's policy allows them by an ARN with an empty account; the account's own stay shut."""
    public = {
        "Effect": "Allow",
        "Action": "ssm:GetParameter",
        "Resource": "arn:aws:ssm:us-east-1::parameter/aws/service/*",
    }
    client = running.client("ssm", user_key(running, "reads-images", public))
    image = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"
    assert client.get_parameter(Name=image)["Parameter"]["Value"].startswith("ami-")
    running.client("ssm").put_parameter(Name="/own/service", Value="v", Type="String")
    code, message, _ = refusal(client.get_parameter, Name="/own/service")
    assert code == "AccessDeniedException"
    assert "arn:aws:ssm:us-east-1:111122223333:parameter/own/service" in message


def test_the_load_balancer_controller_keeps_to_its_cluster(running: "RunningAccount") -> None:
    """What carries the cluster's tag is made and deleted; what does not is neither."""
    elb = running.client("elbv2", user_key(running, "balancer", *BALANCER))
    tags = [{"Key": CLUSTER, "Value": "iambridge"}]
    vpc = running.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    arguments: dict[str, Any] = {"Protocol": "HTTP", "Port": 80, "VpcId": vpc}
    own = elb.create_target_group(Name="own", Tags=tags, **arguments)["TargetGroups"][0]["TargetGroupArn"]
    assert refusal(elb.create_target_group, Name="other", **arguments)[0] == "AccessDenied"
    admin = running.client("elbv2")
    other = admin.create_target_group(Name="other", **arguments)["TargetGroups"][0]["TargetGroupArn"]
    assert refusal(elb.delete_target_group, TargetGroupArn=other)[0] == "AccessDenied"
    elb.delete_target_group(TargetGroupArn=own)
    assert [group["TargetGroupName"] for group in elb.describe_target_groups()["TargetGroups"]] == ["other"]


def test_the_load_balancer_controller_tags_what_it_makes_below(running: "RunningAccount") -> None:
    """Listeners and rules get their tags with their making: AddTags is asked for them, and not for their parent."""

    def below(kind: str) -> dict[str, Any]:
        return {
            "Effect": "Allow",
            "Action": "elasticloadbalancing:AddTags",
            "Resource": f"arn:aws:elasticloadbalancing:*:*:{kind}",
        }

    make = {
        "Effect": "Allow",
        "Action": ["elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateRule"],
        "Resource": "*",
    }
    listeners, rules = below("listener/app/*/*/*"), below("listener-rule/app/*/*/*")
    subnets = [subnet["SubnetId"] for subnet in running.client("ec2").describe_subnets()["Subnets"][:2]]
    balancer = running.client("elbv2").create_load_balancer(Name="tagged-below", Subnets=subnets)["LoadBalancers"][0]
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    tags = [{"Key": CLUSTER, "Value": "iambridge"}]
    listener = {
        "LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80, "DefaultActions": [answer], "Tags": tags,
    }  # fmt: skip
    some = running.client("elbv2", user_key(running, "tags-listeners", make, listeners))
    made = some.create_listener(**listener)["Listeners"][0]["ListenerArn"]
    path = {"Field": "path-pattern", "Values": ["/*"]}
    rule = {"ListenerArn": made, "Priority": 1, "Conditions": [path], "Actions": [answer], "Tags": tags}
    code, message, _ = refusal(some.create_rule, **rule)
    assert code == "AccessDenied"
    assert f"{made.replace(':listener/', ':listener-rule/')}/*" in message
    both = running.client("elbv2", user_key(running, "tags-rules", make, listeners, rules))
    assert both.create_rule(**rule)["Rules"]
    nothing = running.client("elbv2", user_key(running, "tags-nothing", make))
    assert "AddTags on resource" in refusal(nothing.create_listener, **{**listener, "Port": 81})[1]
