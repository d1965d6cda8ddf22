"""`iambridge whoami`: the AWS caller of this shell, and whom a cluster takes it for.

Exit codes: 0 let in, 1 refused, 2 bad input, 3 unknown.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from iambridge.adapters.aws_credentials import find_credentials
from iambridge.cli import eks_access
from iambridge.cli.explain_login import judge
from iambridge.cli.token import make_token, sts_endpoint
from iambridge.core.authenticator_token import CallerIdentity, HostRules, PresignedCallerIdentity, admissible
from iambridge.core.decision import Reason
from iambridge.errors import NoCredentials

_EXAMPLE = """examples:
  iambridge whoami                                 the AWS caller
  iambridge whoami --kubeconfig ~/.kube/config     and its user and groups by that cluster's mapping

exit codes: 0 let in, 1 refused, or no AWS credentials, 2 bad input, 3 unknown: something that decides is not visible
"""
_CLUSTER_ID = "iambridge-whoami"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("--region", default="", help="STS region (default: AWS_REGION, then us-east-1)")
    parser.add_argument("--kubeconfig", type=Path, help="map the caller by this cluster's aws-auth")
    parser.add_argument("--context", help="the kubeconfig's context")
    parser.add_argument(
        "-f", "--file", action="append", type=Path, default=[], metavar="FILE", help="or by this ConfigMap"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    eks_access.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    from iambridge.adapters.sts_client import StsClient  # noqa: PLC0415 - --help needs no client

    region = arguments.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = sts_endpoint(os.environ, region)
    now = dt.datetime.now(dt.UTC)
    token = make_token(find_credentials(os.environ), _CLUSTER_ID, endpoint=endpoint, region=region, now=now)
    presigned = admissible(token, now=now, hosts=HostRules.only([urlsplit(endpoint).netloc]))
    assert isinstance(presigned, PresignedCallerIdentity)
    bundle = os.environ.get("AWS_CA_BUNDLE")
    client = StsClient(endpoint=endpoint, ca_file=Path(bundle) if bundle else None)

    async def ask() -> CallerIdentity | Reason:
        try:
            return await client.caller_identity(presigned, _CLUSTER_ID)
        finally:
            await client.close()

    identity = asyncio.run(ask())
    if isinstance(identity, Reason):
        raise NoCredentials(identity.text, fix="check the secret key, and that the AWS session has not expired")
    if arguments.kubeconfig is None and not arguments.file and not arguments.access_entries:
        print(json.dumps({"arn": identity.arn, "account": identity.account}) if arguments.json else identity.arn)
        return 0
    return judge(identity, arguments)
