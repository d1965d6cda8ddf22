"""`iambridge token`: a presigned GetCallerIdentity as an ExecCredential. kubectl runs it often: it stays light."""

import argparse
import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from iambridge.adapters.token_cache import KeptToken, TokenCache, default_directory, identity_facts, key_of
from iambridge.errors import InputError
from iambridge.wire.exec_credential import api_version, exec_credential

if TYPE_CHECKING:
    from iambridge.core import sigv4

_EXAMPLE = """example:
  iambridge token --cluster-name demo --region eu-west-1
  iambridge token --cluster-name demo --role-arn arn:aws:iam::111122223333:role/admin --token-only

Credentials come from where AWS SDKs look. AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL name another STS: the token is
then presigned for that host, and only an authenticator that allows the host takes it.

A token is kept for its 14 minutes in a file of its own (0600, in a directory of mode 0700; one that others may read is
refused), under all that chose the identity: cluster, STS host, region, role, external id, session name, the AWS_*
variables, and the times of the AWS files. IAMBRIDGE_TOKEN_CACHE=off, or --no-cache, keeps none.

exit codes: 0 a token, 1 no credentials or AWS refused, 2 bad input
"""

_EXPIRES_SECONDS = 60  # as the other clients write it; STS takes the token for 15 minutes whatever it says
_RENEW_AFTER = dt.timedelta(minutes=14)
_DEFAULT_REGION = "us-east-1"
_CLUSTER_ID, _ROLE = "KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID", "DEFAULT_ROLE"  # as the original's client reads them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument(
        "--cluster-name", "--cluster-id", "-i", metavar="NAME", default=os.environ.get(_CLUSTER_ID, ""),
        help=f"the cluster id that is signed in (default: {_CLUSTER_ID})",
    )  # fmt: skip
    parser.add_argument("--region", help="STS region (default: AWS_REGION, AWS_DEFAULT_REGION, then us-east-1)")
    parser.add_argument(
        "--role-arn", "--role", "-r", default=os.environ.get(_ROLE, ""), metavar="ARN",
        help=f"assume this role first (default: {_ROLE})",
    )  # fmt: skip
    parser.add_argument("--external-id", default="", metavar="ID", help="external id for --role-arn")
    parser.add_argument("--session-name", default="", metavar="NAME", help="session name for --role-arn")
    parser.add_argument(
        "--forward-session-name", action="store_true", help="for --role-arn: keep the name of this shell's own session"
    )
    parser.add_argument("--no-cache", action="store_true", help="make a new token, and keep none")
    parser.add_argument("--cache", action="store_true", help="accepted: a cache is the default here")
    parser.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="default: IAMBRIDGE_TOKEN_CACHE, then ~/.kube/cache/iambridge"
    )
    parser.add_argument("--token-only", action="store_true", help="print the token alone, not an ExecCredential")


def run(arguments: argparse.Namespace) -> int:
    environment = os.environ
    region = arguments.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    region = region or _DEFAULT_REGION
    if not arguments.cluster_name:
        raise InputError("a token is for one cluster", where="--cluster-name", fix=f"give it, or set {_CLUSTER_ID}")
    named = arguments.session_name or arguments.forward_session_name
    if (arguments.external_id or named) and not arguments.role_arn:
        raise InputError("--external-id and --session-name belong to --role-arn", fix="give --role-arn as well")
    if arguments.session_name and arguments.forward_session_name:
        raise InputError("--session-name and --forward-session-name exclude each other", fix="give one of them")
    kept = _cached(arguments, environment, region)
    if arguments.token_only:
        print(kept.token)
    else:
        version = api_version(environment.get("KUBERNETES_EXEC_INFO", ""))
        print(exec_credential(kept.token, expires=dt.datetime.fromtimestamp(kept.expires, dt.UTC), version=version))
    return 0


def _cached(arguments: argparse.Namespace, environment: Mapping[str, str], region: str) -> KeptToken:
    """STS's host is in the key by the region and the AWS_ENDPOINT_URL variables that choose it."""
    directory = arguments.cache_dir or environment.get("IAMBRIDGE_TOKEN_CACHE") or default_directory(environment)
    if arguments.no_cache or directory is None or str(directory) == "off":
        return _fresh(arguments, environment, region)
    forwarded = str(arguments.forward_session_name)
    role = (arguments.role_arn, arguments.external_id, arguments.session_name, forwarded)
    key = key_of(arguments.cluster_name, region, *role, *identity_facts(environment))
    return TokenCache(Path(directory)).get(key, lambda: _fresh(arguments, environment, region))


def _fresh(arguments: argparse.Namespace, environment: Mapping[str, str], region: str) -> KeptToken:
    from iambridge.adapters.aws_credentials import Sts, assume_role, find, session_name_of  # noqa: PLC0415 - not if kept

    endpoint = sts_endpoint(environment, region)
    now = dt.datetime.now(dt.UTC)
    credentials, ends = find(environment)
    if arguments.role_arn:
        sts = Sts(endpoint, region, environment.get("AWS_CA_BUNDLE", ""), now)
        name = session_name_of(credentials, sts) if arguments.forward_session_name else arguments.session_name
        credentials = assume_role(
            credentials, **sts._asdict(), role_arn=arguments.role_arn, session_name=name or "iambridge-token",
            external_id=arguments.external_id,
        )  # fmt: skip
        ends = None  # the session outlives the token
    token = make_token(credentials, arguments.cluster_name, endpoint=endpoint, region=region, now=now)
    expires = (now + _RENEW_AFTER).timestamp()
    return KeptToken(token, expires if ends is None else min(expires, ends))


def make_token(
    credentials: "sigv4.Credentials", cluster_id: str, *, endpoint: str, region: str, now: dt.datetime
) -> str:
    """The `k8s-aws-v1.` token of `credentials` for one cluster. `endpoint` is `https://host[:port]`."""
    from iambridge.core import sigv4  # noqa: PLC0415 - a kept token needs no signature
    from iambridge.core.authenticator_token import CLUSTER_ID_HEADER, encode  # noqa: PLC0415 - as above

    if not cluster_id or not cluster_id.isascii() or not cluster_id.isprintable() or cluster_id != cluster_id.strip():
        raise InputError("the cluster name is not printable ASCII", fix="give the name that the authenticator serves")
    url = sigv4.presign(
        credentials,
        method="GET",
        url=f"{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15",
        region=region,
        service="sts",
        headers={CLUSTER_ID_HEADER: cluster_id},
        expires=_EXPIRES_SECONDS,
        now=now,
    )
    return encode(url)


def sts_endpoint(environment: Mapping[str, str], region: str) -> str:
    """`https://host[:port]` of STS: the configured endpoint, else the region's.

    Raises:
        InputError: a configured endpoint that is not plain https, which no authenticator calls, or a malformed region.
    """
    if not region.replace("-", "").isalnum() or not region.isascii():
        raise InputError(f"`{region}` is not a region", fix="give --region, for instance us-east-1")
    ignored = environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
    for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"):
        configured = "" if ignored else environment.get(name, "")
        if configured:
            parts = urlsplit(configured)
            if parts.scheme != "https" or not parts.hostname or parts.path not in {"", "/"} or "@" in parts.netloc:
                raise InputError(
                    f"{name} is not an https URL without a path",
                    where=name,
                    fix="set it to https://HOST[:PORT], or unset it",
                )
            host = parts.netloc.removesuffix(":443")
            return f"https://{host}"
    from iambridge.core.authenticator_token import regional_host  # noqa: PLC0415 - a kept token needs no host

    return f"https://{regional_host(region)}"
