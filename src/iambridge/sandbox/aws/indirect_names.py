"""Resources that a call names by something else: looked up before it is authorized."""

from dataclasses import replace

from iambridge.sandbox.aws import moto_calls
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Call

_BY_INSTANCE = frozenset({"autoscaling:SetInstanceHealth", "autoscaling:TerminateInstanceInAutoScalingGroup"})
# stand for what is not there: a policy for anything covers them, one for a certain resource or its tags does not
_NO_GROUP, _NO_TEMPLATE = "-", "lt-00000000"


async def resolved(moto: MotoBackend, call: Call) -> Call:
    """The call with the names that its resources' ARNs are made of."""
    if call.action in _BY_INSTANCE:
        group = await moto_calls.auto_scaling_group_of(moto, call.region, call.flat.get("InstanceId", ""))
        return replace(call, flat={**call.flat, "AutoScalingGroupName": group or _NO_GROUP})
    if call.action == "ec2:DeleteLaunchTemplate" and (name := call.flat.get("LaunchTemplateName")):
        root = await moto_calls.launch_template(moto, call.region, {"LaunchTemplateName": name}, "$Default")
        found = root.findtext("launchTemplateId") if root is not None else ""
        return replace(call, flat={**call.flat, "LaunchTemplateId": found or _NO_TEMPLATE})
    return call
