"""The EC2 instance identity document, by IMDSv2. Source: the EC2 user guide, "Instance identity documents"."""

import os
from typing import NamedTuple

import aiohttp

from iambridge.errors import InputError

_ENDPOINT = "http://169.254.169.254"
_TOKEN_SECONDS = "60"  # noqa: S105 - a duration


class InstanceIdentity(NamedTuple):
    account: str
    region: str


async def instance_identity() -> InstanceIdentity:
    """Of this machine; $AWS_EC2_METADATA_SERVICE_ENDPOINT is honoured.

    Raises:
        InputError: IMDS does not answer.
    """
    endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _ENDPOINT).rstrip("/")
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": _TOKEN_SECONDS}
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), raise_for_status=True) as session:
            async with session.put(f"{endpoint}/latest/api/token", headers=headers) as answer:
                token = await answer.text()
            url = f"{endpoint}/latest/dynamic/instance-identity/document"
            async with session.get(url, headers={"x-aws-ec2-metadata-token": token}) as answer:
                document = await answer.json(content_type=None)
        return InstanceIdentity(str(document["accountId"]), str(document["region"]))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "--compose-role-arn needs the instance identity document, and IMDS does not give it",
            cause=type(error).__name__,
            fix="allow this pod to reach IMDS (hop limit 2), or write whole ARNs",
        ) from error


def partition_of(region: str) -> str:
    """The partition of a region, by its prefix."""
    prefixes = (
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-iso-", "aws-iso"),
        ("eusc-", "aws-eusc"),
    )
    return next((partition for prefix, partition in prefixes if region.startswith(prefix)), "aws")
