"""The services that the gateway takes requests for: the credential scope's name, botocore's model, IAM's prefix.

A service that is not here is refused by name. Adding one is a line here, and a line in `resource_bindings` when its
parameters are not named as its ARNs are.
"""

from typing import NamedTuple


class Service(NamedTuple):
    """`model` is botocore's directory name; `prefix` is what IAM actions start with."""

    model: str
    prefix: str


# by credential scope; several models where one scope signs for several APIs
SERVICES: dict[str, tuple[Service, ...]] = {
    "acm": (Service("acm", "acm"),),
    "application-autoscaling": (Service("application-autoscaling", "application-autoscaling"),),
    "autoscaling": (Service("autoscaling", "autoscaling"),),
    "cognito-idp": (Service("cognito-idp", "cognito-idp"),),
    "dynamodb": (Service("dynamodb", "dynamodb"), Service("dynamodbstreams", "dynamodb")),
    "ec2": (Service("ec2", "ec2"),),
    "ecr": (Service("ecr", "ecr"),),
    "ecs": (Service("ecs", "ecs"),),
    "eks": (Service("eks", "eks"),),
    "elasticloadbalancing": (
        Service("elbv2", "elasticloadbalancing"),
        Service("elb", "elasticloadbalancing"),
    ),
    "events": (Service("events", "events"),),
    "firehose": (Service("firehose", "firehose"),),
    "iam": (Service("iam", "iam"),),
    "kinesis": (Service("kinesis", "kinesis"),),
    "kms": (Service("kms", "kms"),),
    "lambda": (Service("lambda", "lambda"),),
    "logs": (Service("logs", "logs"),),
    "monitoring": (Service("cloudwatch", "cloudwatch"),),
    "pricing": (Service("pricing", "pricing"),),
    "route53": (Service("route53", "route53"),),
    "s3": (Service("s3", "s3"),),
    "secretsmanager": (Service("secretsmanager", "secretsmanager"),),
    "shield": (Service("shield", "shield"),),
    "sns": (Service("sns", "sns"),),
    "sqs": (Service("sqs", "sqs"),),
    "ssm": (Service("ssm", "ssm"),),
    "states": (Service("stepfunctions", "states"),),
    "sts": (Service("sts", "sts"),),
    "tagging": (Service("resourcegroupstaggingapi", "tag"),),
    "waf-regional": (Service("waf-regional", "waf-regional"),),
    "wafv2": (Service("wafv2", "wafv2"),),
}
