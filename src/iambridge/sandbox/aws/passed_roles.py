"""The roles that a call hands to a service: each needs iam:PassRole, wherever the request names it.

Source: IAM User Guide, "Grant a user permissions to pass a role to an AWS service"; the services' own guides for the
name that each assumes roles by.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from iambridge.sandbox.aws.entities import InstanceProfile, Role
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.iam_resources import passing
from iambridge.sandbox.aws.operations import Asked, Call

_PROFILES = frozenset({"IamInstanceProfile", "IamInstanceProfile.Name", "IamInstanceProfile.Arn"})
_TAKES_PROFILES = frozenset(
    {
        "autoscaling:CreateLaunchConfiguration",
        "ec2:AssociateIamInstanceProfile",
        "ec2:ReplaceIamInstanceProfileAssociation",
        "ec2:RunInstances",
    }
)
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
# who assumes the role, where it is not the service's own name
_ASSUMED_BY = {
    "cloudwatch:PutMetricStream": "streams.metrics.cloudwatch.amazonaws.com",
    "ec2:CreateFlowLogs": "vpc-flow-logs.amazonaws.com",
    "ecs:RegisterTaskDefinition": "ecs-tasks.amazonaws.com",
    "ecs:RunTask": "ecs-tasks.amazonaws.com",
    "ecs:StartTask": "ecs-tasks.amazonaws.com",
    "eks:CreateFargateProfile": "eks-fargate-pods.amazonaws.com",
    "eks:CreateNodegroup": "ec2.amazonaws.com",
    "eks:CreatePodIdentityAssociation": "pods.eks.amazonaws.com",
    "eks:UpdatePodIdentityAssociation": "pods.eks.amazonaws.com",
}
# a role that they name is assumed with a web identity, or named as somebody, and not handed over
_NOT_PASSED = frozenset({"eks:CreateAddon", "eks:UpdateAddon", "kms:CreateGrant"})


def asked(call: Call, account: IamAccount) -> Iterator[Asked]:
    """One decision a role."""
    service = _ASSUMED_BY.get(call.action, f"{call.service.prefix}.amazonaws.com")
    for role in dict.fromkeys(_roles(call, account)):
        yield passing(account, role.rpartition("/")[2], role, service)


def _roles(call: Call, account: IamAccount) -> Iterator[str]:
    if call.action in _TAKES_PROFILES:
        named = [value for name, value in call.flat.items() if name in _PROFILES and value]
        yield from filter(None, (_role_of_profile(name, account) for name in named))
    if call.action in _NOT_PASSED:
        return
    for name, value in call.flat.items():
        if not name.startswith(("Tag.", "Tags.", "TagSpecification.", "Filter.")) and _is_role(name, value):
            yield value
    yield from _within(call.document)


def _within(value: Any, name: str = "") -> Iterator[str]:
    """Role ARNs in a JSON body under a name that says role, but for tags."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if str(key).lower() not in {"tags", "taglist"}:
                yield from _within(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _within(item, name)
    elif isinstance(value, str) and _is_role(name, value):
        yield value


def _is_role(name: str, value: str) -> bool:
    return "role" in name.lower() and _ROLE_ARN.fullmatch(value) is not None


def _role_of_profile(named: str, account: IamAccount) -> str:
    """The role's ARN; empty for a profile that is not there or empty, which EC2 then refuses or runs without a role."""
    profile = account.store.get(InstanceProfile, named.rpartition("/")[2].lower())
    role = account.store.get(Role, profile.role.lower()) if profile is not None and profile.role else None
    return account.arn(role) if role is not None else ""
