"""Answers that controllers ask for and moto lacks, after authorization: what is true of an account without such things.

An empty list is the truth where nothing of the kind can be made here. All else that moto lacks is refused by name.
Sources: EC2 API Reference, Elastic Load Balancing API Reference 2015-12-01, AWS Shield, AWS WAF Classic Regional, AWS
Price List API Reference.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from xml.sax.saxutils import escape

from iambridge.errors import AwsError, InternalFailure, NotImplementedBySandbox
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.moto_calls import query
from iambridge.sandbox.aws.operations import Call
from iambridge.wire.http import Response

_EC2_VERSION = "2016-11-15"
# operation -> the element of its empty set
_EMPTY_SETS = {
    "DescribeCapacityReservations": "capacityReservationSet",
    "DescribeCoipPools": "coipPoolSet",
    "DescribeIpamPools": "ipamPoolSet",
    "DescribePlacementGroups": "placementGroupSet",
}
_DOCUMENTS: dict[str, dict[str, object]] = {
    "pricing:GetProducts": {"FormatVersion": "aws_v1", "PriceList": []},
    "shield:GetSubscriptionState": {"SubscriptionState": "INACTIVE"},
    "waf-regional:GetWebACLForResource": {},
}
# services of which moto has nothing at all
_WHOLLY_LACKING = frozenset({"waf-regional"})
_FILTERS = {"primary-vpc-id": "vpc-id", "group-id": "group-id", "group-name": "group-name", "owner-id": "owner-id",
            "description": "description", "tag-key": "tag-key"}  # fmt: skip


async def answer(call: Call, moto: MotoBackend, request_id: str) -> Response | None:
    """The answer; None where moto has one of its own.

    Raises:
        NotImplementedBySandbox: a filter that is not known, or a service that moto lacks.
    """
    if call.protocol == "ec2" and call.operation in _EMPTY_SETS:
        return _ec2(call.operation, f"<{_EMPTY_SETS[call.operation]}/>", request_id)
    if call.action == "ec2:GetSecurityGroupsForVpc":
        return await _security_groups_for_vpc(call, moto, request_id)
    if call.action == "elasticloadbalancing:DescribeTrustStores" and call.protocol == "query":
        return _trust_stores(request_id)
    document = _DOCUMENTS.get(call.action)
    if document is None and call.service.prefix in _WHOLLY_LACKING:
        raise failed_behind(call, HTTPStatus.NOT_IMPLEMENTED)
    if document is None:
        return None
    return Response(200, (("content-type", "application/x-amz-json-1.1"),), json.dumps(document).encode())


def _trust_stores(request_id: str) -> Response:
    body = (
        '<DescribeTrustStoresResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">'
        "<DescribeTrustStoresResult><TrustStores/></DescribeTrustStoresResult>"
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></DescribeTrustStoresResponse>"
    )
    return Response(200, (("content-type", "text/xml"), ("x-amzn-requestid", request_id)), body.encode())


def _ec2(operation: str, content: str, request_id: str) -> Response:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="http://ec2.amazonaws.com/doc/'
        f'{_EC2_VERSION}/"><requestId>{request_id}</requestId>{content}</{operation}Response>'
    )
    return Response(200, (("content-type", "text/xml;charset=UTF-8"), ("x-amzn-requestid", request_id)), body.encode())


async def _security_groups_for_vpc(call: Call, moto: MotoBackend, request_id: str) -> Response:
    """The VPC's security groups: there are none of other VPCs' that could be associated with it."""
    asked = {"Action": "DescribeSecurityGroups", "Version": _EC2_VERSION, **_filters(call.flat)}
    _, root = await query(moto, "ec2", call.region, asked)
    items = [] if root is None else root.findall("securityGroupInfo/item")
    groups = "".join(
        f"<item><groupId>{_text(item.findtext('groupId'))}</groupId>"
        f"<groupName>{_text(item.findtext('groupName'))}</groupName>"
        f"<description>{_text(item.findtext('groupDescription'))}</description>"
        f"<ownerId>{_text(item.findtext('ownerId'))}</ownerId>"
        f"<primaryVpcId>{_text(item.findtext('vpcId'))}</primaryVpcId><tagSet>"
        + "".join(
            f"<item><key>{_text(tag.findtext('key'))}</key><value>{_text(tag.findtext('value'))}</value></item>"
            for tag in item.findall("tagSet/item")
        )
        + "</tagSet></item>"
        for item in items
    )
    return _ec2("GetSecurityGroupsForVpc", f"<securityGroupForVpcSet>{groups}</securityGroupForVpcSet>", request_id)


def _text(value: str | None) -> str:
    return escape(value or "")


def _filters(flat: Mapping[str, str]) -> dict[str, str]:
    """The request's filters as DescribeSecurityGroups spells them, and the VPC as one more."""
    found = {"Filter.1.Name": "vpc-id", "Filter.1.Value.1": flat.get("VpcId", "")}
    number = 1
    while name := flat.get(f"Filter.{number}.Name"):
        known = name if name.startswith("tag:") else _FILTERS.get(name)
        if known is None:
            raise NotImplementedBySandbox(
                f"ec2:GetSecurityGroupsForVpc by the filter {name[:64]} is not available in this sandbox.",
                fix=f"filter by a tag or one of {', '.join(_FILTERS)}",
            )
        found[f"Filter.{number + 1}.Name"] = known
        prefix = f"Filter.{number}.Value."
        for key, value in flat.items():
            if key.startswith(prefix):
                found[f"Filter.{number + 1}.Value.{key.removeprefix(prefix)}"] = value
        number += 1
    return found


def failed_behind(call: Call, status: int) -> AwsError:
    """What moto raised instead of answering."""
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return NotImplementedBySandbox(
            f"{call.action} is allowed, and moto, which answers for {call.service.prefix} in this sandbox, has no"
            " implementation of it or of something that it asks for.",
            fix="report the operation and the client that needs it",
        )
    return InternalFailure(
        f"{call.action} is allowed, and moto, which answers for {call.service.prefix} in this sandbox, failed on it.",
        cause="the traceback is in the data directory, aws/moto.log",
        fix="check the request's values; else report the operation with the traceback",
    )
