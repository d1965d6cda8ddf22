"""Story C: a controller's pod changes an Auto Scaling group and creates a load balancer (IRSA, beyond S3).

Comes after Story A, whose step A2 registers the issuer.
"""

import json

from iambridge.cli.demo.step import Crossing, Step, World
from iambridge.cli.demo.trust import service_account_trust

_POD = "pod controllers/scaler"
_CLUSTER_TAG = "aws:RequestTag/elbv2.k8s.aws/cluster"


def _trust_policy(world: World) -> None:
    world.write("scaler-trust.json", service_account_trust(world, "controllers:scaler"))


def _permission_policy(world: World) -> None:
    account = world.names["account"]
    created = {"StringEquals": {"elasticloadbalancing:CreateAction": "CreateLoadBalancer"}}
    tagged = {"StringEquals": {_CLUSTER_TAG: world.names["cluster"]}}
    statements = [
        {
            "Effect": "Allow",
            "Action": "autoscaling:SetDesiredCapacity",
            "Resource": f"arn:aws:autoscaling:*:{account}:autoScalingGroup:*:autoScalingGroupName/workers",
        },
        {"Effect": "Allow", "Action": "ec2:DescribeSubnets", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "elasticloadbalancing:CreateLoadBalancer",
            "Resource": "*",
            "Condition": tagged,
        },
        {
            "Effect": "Allow",
            "Action": "elasticloadbalancing:AddTags",
            "Resource": f"arn:aws:elasticloadbalancing:*:{account}:loadbalancer/*",
            "Condition": created,
        },
    ]
    world.write("scaler-permissions.json", json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2))


def crossing() -> tuple[Step, ...]:
    """What must work, in order."""
    return (
        Step("C1", "What the group's instances would be. Auto Scaling and load balancing are moto's, gated.",
             "aws autoscaling create-launch-configuration --launch-configuration-name workers --image-id ami-12c6146b"
             " --instance-type t3.micro"),
        Step("C2", "It wants no instance.",
             "aws autoscaling create-auto-scaling-group --auto-scaling-group-name workers"
             " --launch-configuration-name workers --min-size 0 --max-size 3 --availability-zones us-east-1a"),
        Step("C3", "A role for one ServiceAccount.",
             "aws iam create-role --role-name scaler --assume-role-policy-document file://scaler-trust.json",
             prepare=_trust_policy, shows=("system:serviceaccount:controllers:scaler",), output_lines=4, beside=True),
        Step("C4", "It may size this one group, and create load balancers that carry the cluster's tag.",
             "aws iam put-role-policy --role-name scaler --policy-name controllers"
             " --policy-document file://scaler-permissions.json", prepare=_permission_policy),
        Step("C5", "Two pods under that ServiceAccount; their programs are plain AWS CLI calls.",
             "kubectl apply -f examples/controllers/",
             shows=("job.batch/scaler created", "job.batch/overreach created")),
        Step("C6", "The first does what its policy allows.",
             "kubectl wait --for=condition=complete job/scaler -n controllers --timeout=60s", shows=("condition met",)),
        Step("C7", "Who it was, and the load balancer that it made.", "kubectl logs job/scaler -n controllers",
             shows=("assumed-role/scaler/", "loadbalancer/app/web/"),
             crossing=Crossing(_POD, "elasticloadbalancing:CreateLoadBalancer", "allowed")),
        Step("C8", "The group has grown.",
             "aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names workers --output json",
             shows=('"DesiredCapacity": 2',), output_lines=6,
             crossing=Crossing(_POD, "autoscaling:SetDesiredCapacity workers", "allowed")),
        Step("C9", "Its load balancer is there.", "aws elbv2 describe-load-balancers --names web --output json",
             keep={"load_balancer": "LoadBalancers.0.LoadBalancerArn"}, output_lines=4, beside=True),
        Step("C10", "It carries the cluster's tag, on which the policy insists.",
             "aws elbv2 describe-tags --resource-arns {load_balancer} --output json",
             shows=('"Key": "elbv2.k8s.aws/cluster"', '"Value": "iambridge"')),
    )  # fmt: skip


def refusals() -> tuple[Step, ...]:
    """What its policy does not name."""
    return (
        Step("C11", "The second pod asked to delete the group.", "kubectl logs job/overreach -n controllers", within=30,
             shows=("AccessDenied", "assumed-role/scaler/",
                    "is not authorized to perform: autoscaling:DeleteAutoScalingGroup",
                    "because no identity-based policy allows the autoscaling:DeleteAutoScalingGroup action"),
             crossing=Crossing(_POD, "autoscaling:DeleteAutoScalingGroup workers", "AccessDenied")),
        Step("C12", "It is still there.",
             "aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names workers --output json",
             shows=('"AutoScalingGroupName": "workers"',), output_lines=4),
    )  # fmt: skip
