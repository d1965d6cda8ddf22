"""The sandbox's own calls to moto, and what it asks moto before it decides."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from iambridge.errors import ServiceUnavailable
from iambridge.sandbox.aws.catalogue import SERVICES
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.service_models import service_model

_EC2_VERSION = "2016-11-15"
_AUTO_SCALING_VERSION = "2011-01-01"
_IAM_VERSION = "2010-05-08"
_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


class Instance(NamedTuple):
    """An EC2 instance as its metadata service needs it. `profile_arn` is empty without an instance profile."""

    id: str
    state: str
    region: str
    zone: str
    private_dns_name: str
    private_ip: str
    image: str
    type: str
    profile_arn: str


async def query(
    moto: MotoBackend, service: str, region: str, parameters: dict[str, str]
) -> tuple[int, ET.Element | None]:
    """A Query protocol call; the element tree of what moto answered, namespaces removed, or None when it is no XML."""
    status, _, body = await moto.call(
        method="POST",
        path="/",
        headers=(("Host", f"{service}.{region}.amazonaws.com"), *_FORM),
        body=urlencode(parameters).encode(),
        service=service,
        region=region,
        form=True,
    )
    try:
        # the document is moto's own, made in our child process
        root = ET.fromstring(body)  # noqa: S314
    except ET.ParseError:
        return status, None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return status, root


async def json_call(
    moto: MotoBackend, service: str, region: str, operation: str, document: Mapping[str, object]
) -> dict[str, Any]:
    """A JSON protocol call; empty when moto answers anything but an object and 200."""
    model = service_model(SERVICES[service][0].model).metadata
    status, _, body = await moto.call(
        method="POST",
        path="/",
        headers=(
            ("Host", f"{service}.{region}.amazonaws.com"),
            ("Content-Type", f"application/x-amz-json-{model.json_version}"),
            ("X-Amz-Target", f"{model.target_prefix}.{operation}"),
        ),
        body=json.dumps(document).encode(),
        service=service,
        region=region,
    )
    found = json.loads(body or b"{}") if status == HTTPStatus.OK else {}
    return found if isinstance(found, dict) else {}


async def get(moto: MotoBackend, service: str, region: str, path: str, query: str = "") -> tuple[int, bytes]:
    """A REST call; `path` and `query` are percent-encoded."""
    host = (("Host", f"{service}.{region}.amazonaws.com"),)
    status, _, body = await moto.call(
        method="GET", path=path, query=query, headers=host, service=service, region=region
    )
    return status, body


async def instances(moto: MotoBackend, region: str) -> list[Instance]:
    """Every instance of a region.

    Raises:
        ServiceUnavailable: moto does not answer.
    """
    status, root = await query(moto, "ec2", region, {"Action": "DescribeInstances", "Version": _EC2_VERSION})
    if status != HTTPStatus.OK or root is None:
        raise ServiceUnavailable("The service is unavailable.", cause="moto did not list its instances")
    return [_instance(item, region) for item in root.iterfind("reservationSet/item/instancesSet/item")]


def _instance(item: ET.Element, region: str) -> Instance:
    def text(path: str) -> str:
        return item.findtext(path) or ""

    return Instance(
        id=text("instanceId"),
        state=text("instanceState/name"),
        region=region,
        zone=text("placement/availabilityZone"),
        private_dns_name=text("privateDnsName"),
        private_ip=text("privateIpAddress"),
        image=text("imageId"),
        type=text("instanceType"),
        profile_arn=text("iamInstanceProfile/arn"),
    )


async def tag_instance(moto: MotoBackend, region: str, instance_id: str, key: str, value: str) -> None:
    parameters = {
        "Action": "CreateTags",
        "Version": _EC2_VERSION,
        "ResourceId.1": instance_id,
        "Tag.1.Key": key,
        "Tag.1.Value": value,
    }
    await query(moto, "ec2", region, parameters)


async def give_instance_profile(moto: MotoBackend, region: str, instance_id: str, name: str) -> None:
    """Associate an instance that has no profile with the one of that name, which moto must know."""
    parameters = {
        "Action": "AssociateIamInstanceProfile",
        "Version": _EC2_VERSION,
        "InstanceId": instance_id,
        "IamInstanceProfile.Name": name,
    }
    await query(moto, "ec2", region, parameters)


async def know_instance_profile(moto: MotoBackend, region: str, name: str, path: str) -> None:
    """EC2 in moto looks profiles up in moto's own IAM."""
    parameters = {
        "Action": "CreateInstanceProfile",
        "Version": _IAM_VERSION,
        "InstanceProfileName": name,
        "Path": path,
    }
    await query(moto, "iam", region, parameters)


async def know_role(moto: MotoBackend, region: str, arn: str, service: str) -> None:
    """Services in moto look the roles that they are handed up in moto's own IAM, and who may assume them."""
    path, _, name = arn.partition(":role")[2].rpartition("/")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    parameters = {
        "Action": "CreateRole",
        "Version": _IAM_VERSION,
        "RoleName": name,
        "Path": f"{path}/",
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    }
    await query(moto, "iam", region, parameters)


async def auto_scaling_group_arn(moto: MotoBackend, region: str, name: str) -> str:
    """The ARN with the group's UUID; empty for a group that is not there."""
    parameters = {
        "Action": "DescribeAutoScalingGroups",
        "Version": _AUTO_SCALING_VERSION,
        "AutoScalingGroupNames.member.1": name,
    }
    _, root = await query(moto, "autoscaling", region, parameters)
    path = "DescribeAutoScalingGroupsResult/AutoScalingGroups/member/AutoScalingGroupARN"
    return (root.findtext(path) or "") if root is not None else ""


async def launch_template(moto: MotoBackend, region: str, named: dict[str, str], version: str) -> ET.Element | None:
    """One version of a launch template, by `LaunchTemplateId` or `LaunchTemplateName`; None when it is not there."""
    parameters = {
        "Action": "DescribeLaunchTemplateVersions",
        "Version": _EC2_VERSION,
        "LaunchTemplateVersion.1": version,
    }
    _, root = await query(moto, "ec2", region, parameters | named)
    return root.find("launchTemplateVersionSet/item") if root is not None else None


async def auto_scaling_group_of(moto: MotoBackend, region: str, instance_id: str) -> str:
    """The name of the Auto Scaling group that an instance is in; empty when it is in none."""
    parameters = {
        "Action": "DescribeAutoScalingInstances",
        "Version": _AUTO_SCALING_VERSION,
        "InstanceIds.member.1": instance_id,
    }
    _, root = await query(moto, "autoscaling", region, parameters)
    path = "DescribeAutoScalingInstancesResult/AutoScalingInstances/member/AutoScalingGroupName"
    return (root.findtext(path) or "") if root is not None else ""


async def topic_policy(moto: MotoBackend, region: str, arn: str) -> str:
    """The policy of an SNS topic; empty for a topic that is not there."""
    parameters = {"Action": "GetTopicAttributes", "Version": "2010-03-31", "TopicArn": arn}
    _, root = await query(moto, "sns", region, parameters)
    entries = root.iterfind("GetTopicAttributesResult/Attributes/entry") if root is not None else ()
    return next((entry.findtext("value") or "" for entry in entries if entry.findtext("key") == "Policy"), "")
