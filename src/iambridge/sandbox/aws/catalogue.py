"""The services that the gateway takes requests for: the credential scope's name, botocore's model, IAM's prefix.

A service that is not here is refused by name. Adding one is a line here, one in `named_resources` when its parameters
are not named as its ARNs are, and one in `resource_facts` when its resources have policies of their own.
"""

from typing import NamedTuple


class Service(NamedTuple):
    """`model` is botocore's directory name; `prefix` is what IAM actions start with."""

    model: str
    prefix: str


# by credential scope; several models where one scope signs for several APIs
SERVICES: dict[str, tuple[Service, ...]] = {
    "acm": (Service("acm", "acm"),),
    "acm-pca": (Service("acm-pca", "acm-pca"),),
    "application-autoscaling": (Service("application-autoscaling", "application-autoscaling"),),
    "appmesh": (Service("appmesh", "appmesh"),),
    "aps": (Service("amp", "aps"),),
    "athena": (Service("athena", "athena"),),
    "autoscaling": (Service("autoscaling", "autoscaling"),),
    "backup": (Service("backup", "backup"),),
    "batch": (Service("batch", "batch"),),
    "cloudtrail": (Service("cloudtrail", "cloudtrail"),),
    "cognito-identity": (Service("cognito-identity", "cognito-identity"),),
    "cognito-idp": (Service("cognito-idp", "cognito-idp"),),
    "config": (Service("config", "config"),),
    "dynamodb": (Service("dynamodb", "dynamodb"), Service("dynamodbstreams", "dynamodb")),
    "ec2": (Service("ec2", "ec2"),),
    "ecr": (Service("ecr", "ecr"),),
    "ecs": (Service("ecs", "ecs"),),
    "eks": (Service("eks", "eks"),),
    "elasticache": (Service("elasticache", "elasticache"),),
    "elasticfilesystem": (Service("efs", "elasticfilesystem"),),
    "elasticloadbalancing": (
        Service("elbv2", "elasticloadbalancing"),
        Service("elb", "elasticloadbalancing"),
    ),
    "emr-containers": (Service("emr-containers", "emr-containers"),),
    "es": (Service("opensearch", "es"),),
    "events": (Service("events", "events"),),
    "firehose": (Service("firehose", "firehose"),),
    "fsx": (Service("fsx", "fsx"),),
    "iam": (Service("iam", "iam"),),
    "kafka": (Service("kafka", "kafka"),),
    "kinesis": (Service("kinesis", "kinesis"),),
    "kms": (Service("kms", "kms"),),
    "lambda": (Service("lambda", "lambda"),),
    "logs": (Service("logs", "logs"),),
    "memorydb": (Service("memorydb", "memorydb"),),
    "monitoring": (Service("cloudwatch", "cloudwatch"),),
    "mq": (Service("mq", "mq"),),
    "pipes": (Service("pipes", "pipes"),),
    "pricing": (Service("pricing", "pricing"),),
    "ram": (Service("ram", "ram"),),
    "rds": (Service("rds", "rds"),),
    "redshift": (Service("redshift", "redshift"),),
    "resource-groups": (Service("resource-groups", "resource-groups"),),
    "route53": (Service("route53", "route53"),),
    "route53resolver": (Service("route53resolver", "route53resolver"),),
    "s3": (Service("s3", "s3"),),
    "scheduler": (Service("scheduler", "scheduler"),),
    "secretsmanager": (Service("secretsmanager", "secretsmanager"),),
    "servicediscovery": (Service("servicediscovery", "servicediscovery"),),
    "servicequotas": (Service("service-quotas", "servicequotas"),),
    "ses": (Service("sesv2", "ses"), Service("ses", "ses")),
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
