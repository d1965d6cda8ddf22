"""The decisions a call needs beside its own: roles that it passes on, and tags that it gives at creation.

Sources: IAM User Guide, "Grant a user permissions to pass a role to an AWS service"; EC2 User Guide, "Grant permission
to tag resources during creation".
"""

from collections.abc import Iterator

from iambridge.sandbox.aws import launch_templates, passed_roles, request_keys, resources
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.operations import Asked, Call
from iambridge.sandbox.aws.request_tags import request_tags, specified_tags, tag_context

_BELOW = {"CreateListener": ("loadbalancer", "listener"), "CreateRule": ("listener", "listener-rule")}


def asked(call: Call, arns: list[str], account: IamAccount) -> list[Asked]:
    """The call's own decisions, one a resource, then those that depend on it."""
    own = {**tag_context(request_tags(call), call), **_launch_context(call, account)}
    own |= request_keys.of(call, account.account_id)
    specified = specified_tags(call)
    result = []
    for arn in arns:
        tags = specified.get(_ec2_type(arn), {})
        context = {**own, **tag_context(tags, call)}
        unsure = resources.unsure(call, arn)
        result.append(Asked(call.action, arn, tuple(context.items()), unsure, tags_read=arn == "*" and not unsure))
    result += _tagging(call, arns, account)
    result += passed_roles.asked(call, account)
    return result


def launching(call: Call, arns: list[str], account: IamAccount) -> list[Asked]:
    """The decisions of a RunInstances that stands behind a fleet or a group.

    Tags that the fleet's own request gives are CreateFleet's to be decided; those of the template are RunInstances'.
    """
    decided = [item for item in asked(call, arns, account) if item.action != "ec2:CreateTags"]
    return [*decided, *_tagging(launch_templates.without_requests_tags(call), arns, account)]


def _launch_context(call: Call, account: IamAccount) -> dict[str, str | tuple[str, ...]]:
    """Source: Service Authorization Reference, condition keys of EC2: ec2:LaunchTemplate."""
    template = call.flat.get("LaunchTemplate.LaunchTemplateId")
    if call.action != "ec2:RunInstances" or not template:
        return {}
    return {"ec2:LaunchTemplate": f"arn:aws:ec2:{call.region}:{account.account_id}:launch-template/{template}"}


def _ec2_type(arn: str) -> str:
    return arn.split(":", 5)[5].partition("/")[0] if arn.startswith("arn:") else ""


def _tagging(call: Call, arns: list[str], account: IamAccount) -> Iterator[Asked]:
    for kind, tags in specified_tags(call).items():
        context = {**tag_context(tags, call), "ec2:CreateAction": call.operation}
        named = [arn for arn in arns if _ec2_type(arn) == kind]
        for arn in named or [f"arn:aws:ec2:{call.region}:{account.account_id}:{kind}/*"]:
            yield Asked("ec2:CreateTags", arn, tuple(context.items()), tags_read=True)
    if call.service.model == "elbv2" and call.operation.startswith("Create") and (tags := request_tags(call)):
        context = {**tag_context(tags, call), "elasticloadbalancing:CreateAction": call.operation}
        for arn in arns:
            yield Asked("elasticloadbalancing:AddTags", _made_below(call, arn), tuple(context.items()), tags_read=True)


def _made_below(call: Call, arn: str) -> str:
    """What the tags go to: a listener is made below its load balancer, a rule below its listener.

    Source: the AWS Load Balancer Controller's iam_policy.json, which allows AddTags on both by these forms.
    """
    parent, made = _BELOW.get(call.operation, ("", ""))
    return f"{arn.replace(f':{parent}/', f':{made}/', 1)}/*" if parent else arn
