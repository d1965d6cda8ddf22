"""Tags of S3 objects as condition keys: those that a request gives, and those that the object has.

Source: S3 User Guide, "Tagging and access control policies".
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote

from iambridge.core.iam_policy import NamedDocument
from iambridge.sandbox.aws import xml_documents
from iambridge.sandbox.aws.authorization import Caller
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Asked, Call

_BUCKET_ARN = "arn:aws:s3:::"
_GIVEN_IN_BODY = frozenset({"PutObjectTagging"})


def requested(call: Call, content: bytes) -> dict[str, str | tuple[str, ...]]:
    """s3:RequestObjectTag and s3:RequestObjectTagKeys."""
    header = call.headers.get("x-amz-tagging") or call.flat.get("x-amz-tagging", "")
    tags = dict(parse_qsl(header, keep_blank_values=True))
    if call.operation in _GIVEN_IN_BODY:
        tags |= dict(_pairs(xml_documents.read(content)))
    keys: dict[str, str | tuple[str, ...]] = {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}
    return keys | ({"s3:RequestObjectTagKeys": tuple(tags)} if tags else {})


async def with_existing(
    moto: MotoBackend,
    call: Call,
    caller: Caller,
    asked: list[Asked],
    policies: Mapping[str, tuple[NamedDocument, ...]],
) -> list[Asked]:
    """`asked` with s3:ExistingObjectTag of each object, where a policy in play looks at them."""
    found = []
    for item in asked:
        bucket, _, key = item.resource.removeprefix(_BUCKET_ARN).partition("/")
        if not key or not caller.reads_object_tags(item.action.lower(), *policies.get(item.resource, ())):
            found.append(item)
            continue
        version = f"&versionId={quote(call.flat['versionId'], safe='')}" if call.flat.get("versionId") else ""
        status, _, body = await moto.call(
            method="GET", path=f"/{quote(bucket)}/{quote(key, safe='/~')}", query=f"tagging{version}",
            headers=(("Host", "s3.amazonaws.com"),), service="s3", region=call.region,
        )  # fmt: skip
        tags = dict(_pairs(xml_documents.read(body))) if status == HTTPStatus.OK else {}
        keys = tuple((f"s3:ExistingObjectTag/{name}", value) for name, value in tags.items())
        found.append(item._replace(context=(*item.context, *keys), tags_read=True))
    return found


def _pairs(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for tags in document.get("TagSet", []):
        for tag in tags.get("Tag", []) if isinstance(tags, dict) else []:
            yield "".join(tag.get("Key", [])), "".join(tag.get("Value", []))
