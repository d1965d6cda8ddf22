"""The authenticator's way to AWS: which STS hosts count, STS itself, and EC2's instance names."""

import argparse
import asyncio
import datetime as dt
import os
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from iambridge.adapters.aws_credentials import assume_role, find_credentials
from iambridge.adapters.ec2_names import Ec2InstanceNames, NoInstanceNames
from iambridge.adapters.sts_client import StsClient
from iambridge.core import sigv4
from iambridge.core.arn import Arn
from iambridge.core.authenticator_token import HostRules, regional_host
from iambridge.errors import InputError
from iambridge.servers.authenticator_metrics import AuthenticatorMetrics

_CREDENTIALS_SECONDS = 300.0


def host_rules(arguments: argparse.Namespace) -> HostRules:
    """Raises InputError for a partition that does not exist."""
    extra = list(arguments.sts_host)
    if arguments.sts_endpoint:
        extra.append(urlsplit(arguments.sts_endpoint).netloc)
    try:
        return HostRules.of(
            arguments.partition,
            regions=arguments.sts_region or None,
            extra=extra,
            global_endpoint=not arguments.no_global_sts,
        )
    except ValueError as error:
        raise InputError(str(error), where="--partition", fix="name an AWS partition") from error


def sts_client(arguments: argparse.Namespace, metrics: AuthenticatorMetrics) -> StsClient:
    def responded(code: str, region: str) -> None:
        if code == "0":
            metrics.sts_failures.add(region)
        else:
            metrics.sts_responses.add(code, region)

    return StsClient(endpoint=arguments.sts_endpoint, ca_file=arguments.sts_ca_file, responded=responded)


def instance_names(arguments: argparse.Namespace, metrics: AuthenticatorMetrics) -> Ec2InstanceNames | NoInstanceNames:
    if arguments.source_arn:
        source_account(arguments.source_arn)
    if arguments.ec2_role:
        _check_role(arguments.ec2_role)
    if not arguments.region:
        return NoInstanceNames()
    suffix = regional_host(arguments.region).removeprefix(f"sts.{arguments.region}.")
    return Ec2InstanceNames(
        _credentials(arguments),
        endpoint=arguments.ec2_endpoint or f"https://ec2.{arguments.region}.{suffix}",
        region=arguments.region,
        now=_utc,
        ca_file=arguments.sts_ca_file if arguments.ec2_endpoint else None,
        qps=arguments.ec2_describeInstances_qps,
        burst=arguments.ec2_describeInstances_burst,
        called=metrics.ec2_calls.add,
    )


def source_account(source_arn: str) -> str:
    """The account of `sourceARN`, for aws:SourceAccount. Raises InputError when it is no ARN with an account."""
    try:
        account = Arn.parse(source_arn).account
    except ValueError:
        account = ""
    if not account:
        raise InputError(
            f"`{source_arn}` is not an ARN with an account", where="server.sourceARN", fix="write the cluster's ARN"
        )
    return account


def _check_role(arn: str) -> None:
    try:
        is_role = Arn.parse(arn).resource_type == "role"
    except ValueError:
        is_role = False
    if not is_role:
        raise InputError(f"`{arn}` is not a role's ARN", where="server.ec2DescribeInstancesRoleARN",
            fix="write it as `aws iam get-role` prints it")  # fmt: skip


def _credentials(arguments: argparse.Namespace) -> Callable[[], "asyncio.Future[sigv4.Credentials]"]:
    """Found anew every five minutes, in a thread: sources may block."""
    kept: tuple[float, sigv4.Credentials] | None = None

    def find() -> sigv4.Credentials:
        nonlocal kept
        if kept is None or time.monotonic() - kept[0] > _CREDENTIALS_SECONDS:
            kept = (time.monotonic(), _found(arguments))
        return kept[1]

    return lambda: asyncio.ensure_future(asyncio.to_thread(find))


def _found(arguments: argparse.Namespace) -> sigv4.Credentials:
    own = find_credentials(os.environ)
    if not arguments.ec2_role:
        return own
    # Against the confused deputy: the role's trust policy may ask for aws:SourceArn and aws:SourceAccount.
    source = {}
    if arguments.source_arn:
        account = source_account(arguments.source_arn)
        source = {"x-amz-source-account": account, "x-amz-source-arn": arguments.source_arn}
    return assume_role(
        own,
        endpoint=arguments.sts_endpoint or f"https://{regional_host(arguments.region)}",
        region=arguments.region,
        role_arn=arguments.ec2_role,
        session_name="iambridge-authenticator",
        external_id="",
        ca_file=str(arguments.sts_ca_file or ""),
        now=_utc(),
        headers=source,
    )


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
