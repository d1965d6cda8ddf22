"""The tags of a resource that moto holds, by its ARN, as each service tells them.

Read before a decision when a policy in play has a word on them. A service that is not here has its conditions on
resource tags refused by name.
"""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.moto_calls import get, json_call, query

Tags = dict[str, str]
Reader = Callable[[MotoBackend, str, str], Awaitable[Tags]]
"""Of a backend, a region and an ARN."""


async def read(moto: MotoBackend, prefix: str, region: str, arn: str) -> Tags | None:
    """Empty for a resource that is not there yet; None where the sandbox cannot read them."""
    resource = arn.split(":", 5)[5] if arn.startswith("arn:") else ""
    if resource.endswith("/*") or not resource:
        return {}
    owner = arn.split(":")[2]
    reader = _READERS.get(owner) if owner == prefix else None
    return None if reader is None else await reader(moto, region, arn)


async def _ec2(moto: MotoBackend, region: str, arn: str) -> Tags:
    named = {"Filter.1.Name": "resource-id", "Filter.1.Value.1": arn.rpartition("/")[2]}
    return await _told(moto, "ec2", region, {"Version": "2016-11-15", **named}, path="tagSet/item", key="key")


async def _auto_scaling(moto: MotoBackend, region: str, arn: str) -> Tags:
    group = {"Filters.member.1.Name": "auto-scaling-group", "Filters.member.1.Values.member.1": arn.rpartition("/")[2]}
    path = "DescribeTagsResult/Tags/member"
    return await _told(moto, "autoscaling", region, {"Version": "2011-01-01", **group}, path=path, key="Key")


async def _load_balancing(moto: MotoBackend, region: str, arn: str) -> Tags:
    named = {"Version": "2015-12-01", "ResourceArns.member.1": arn}
    path = "DescribeTagsResult/TagDescriptions/member/Tags/member"
    return await _told(moto, "elasticloadbalancing", region, named, path=path, key="Key")


async def _topic(moto: MotoBackend, region: str, arn: str) -> Tags:
    named = {"Action": "ListTagsForResource", "Version": "2010-03-31", "ResourceArn": arn}
    return await _told(moto, "sns", region, named, path="ListTagsForResourceResult/Tags/member", key="Key")


async def _told(moto: MotoBackend, service: str, region: str, named: Tags, *, path: str, key: str) -> Tags:
    _, root = await query(moto, service, region, {"Action": "DescribeTags", **named})
    value = "value" if key == "key" else "Value"
    items = root.findall(path) if root is not None else []
    return {item.findtext(key) or "": item.findtext(value) or "" for item in items}


def _json(service: str, operation: str, parameter: str, member: str, *, of: Callable[[str], str] = str) -> Reader:
    """`of` makes the parameter's value of the ARN."""

    async def reader(moto: MotoBackend, region: str, arn: str) -> Tags:
        return _plain((await json_call(moto, service, region, operation, {parameter: of(arn)})).get(member))

    return reader


def _rest(service: str, path: str, member: str, *, of: Callable[[str], str] = str) -> Reader:
    async def reader(moto: MotoBackend, region: str, arn: str) -> Tags:
        status, body = await get(moto, service, region, path + quote(of(arn), safe=""))
        return _plain(json.loads(body).get(member)) if status == HTTPStatus.OK and body[:1] == b"{" else {}

    return reader


async def _parameter(moto: MotoBackend, region: str, arn: str) -> Tags:
    kind, _, name = arn.split(":", 5)[5].partition("/")
    if kind != "parameter":
        return {}
    found: Tags = {}
    for spelled in (name, f"/{name}"):
        asked = {"ResourceType": "Parameter", "ResourceId": spelled}
        found |= _plain((await json_call(moto, "ssm", region, "ListTagsForResource", asked)).get("TagList"))
    return found


async def _queue(moto: MotoBackend, region: str, arn: str) -> Tags:
    account, name = arn.split(":")[4:6]
    url = f"https://sqs.{region}.amazonaws.com/{account}/{name}"
    return _plain((await json_call(moto, "sqs", region, "ListQueueTags", {"QueueUrl": url})).get("Tags"))


def _plain(value: Any) -> Tags:
    if isinstance(value, dict):
        return {str(key): str(item) for key, item in value.items()}
    items = value if isinstance(value, list) else []
    return {
        str(item.get("Key", item.get("TagKey", item.get("key")))): str(
            item.get("Value", item.get("TagValue", item.get("value", "")))
        )
        for item in items
    }


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]


_READERS: dict[str, Reader] = {
    "acm": _json("acm", "ListTagsForCertificate", "CertificateArn", "Tags"),
    "autoscaling": _auto_scaling,
    "dynamodb": _json("dynamodb", "ListTagsOfResource", "ResourceArn", "Tags", of=lambda a: a.partition("/index/")[0]),
    "ec2": _ec2,
    "ecr": _json("ecr", "ListTagsForResource", "resourceArn", "tags"),
    "eks": _rest("eks", "/tags/", "tags"),
    "elasticfilesystem": _rest("elasticfilesystem", "/2015-02-01/resource-tags/", "Tags", of=_last),
    "elasticloadbalancing": _load_balancing,
    "events": _json("events", "ListTagsForResource", "ResourceARN", "Tags"),
    "kms": _json("kms", "ListResourceTags", "KeyId", "Tags", of=_last),
    "lambda": _rest("lambda", "/2017-03-31/tags/", "Tags", of=lambda a: ":".join(a.split(":")[:7])),
    "logs": _json("logs", "ListTagsForResource", "resourceArn", "tags", of=lambda a: a.partition(":log-stream:")[0]),
    "secretsmanager": _json("secretsmanager", "DescribeSecret", "SecretId", "Tags"),
    "sns": _topic,
    "sqs": _queue,
    "ssm": _parameter,
    "states": _json("states", "ListTagsForResource", "resourceArn", "tags"),
}
