"""What the aws-auth verbs ask of EKS before they judge: authenticationMode, access entries, access policies."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from iambridge.core.aws_auth import Mappings, Section, load, load_as_original
from iambridge.core.cluster_access import NOT_EKS, AuthenticationMode, EksAccess
from iambridge.errors import BridgeError, InputError
from iambridge.wire.eks import EksCluster, cluster_of_kubeconfig, region_of_endpoint
from iambridge.wire.eks_access import documents, eks_access

if TYPE_CHECKING:
    from iambridge.adapters.kubeconfig import ClusterAccess

UNKNOWN = "unknown: access entries not visible"
HELP = """
On EKS the access entries are read first, by eks:DescribeCluster, ListAccessEntries, DescribeAccessEntry and
ListAssociatedAccessPolicies with this shell's AWS credentials, or from files (--access-entries). Where they cannot be
read the answer is `unknown: access entries not visible`, and never that somebody is denied or locked out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    eks = parser.add_argument_group("on EKS")
    eks.add_argument(
        "--access-entries", action="append", type=Path, default=[], metavar="FILE",
        help="saved output of aws eks describe-cluster, list-access-entries, describe-access-entry and "
        "list-associated-access-policies, or a directory of such files; may be repeated; nothing is asked live",
    )  # fmt: skip
    eks.add_argument("--authentication-mode", default="", choices=("", *AuthenticationMode), metavar="MODE",
                     help="in place of describe-cluster: CONFIG_MAP, API_AND_CONFIG_MAP or API")  # fmt: skip
    eks.add_argument(
        "--authenticator", default="", choices=("", "iambridge", "original"), metavar="WHICH",
        help="who reads the ConfigMap: iambridge, which keeps the last good version of what it cannot read, or the "
        "original, which drops it (default: the original on EKS, else iambridge)",
    )  # fmt: skip
    eks.add_argument("--eks-cluster", default="", metavar="NAME", help="its name, where the kubeconfig does not say it")
    eks.add_argument("--eks-region", default="", metavar="REGION", help="its region, as --eks-cluster")


async def access_of(arguments: argparse.Namespace, access: "ClusterAccess | None") -> EksAccess:
    """From files when given, else live when the kubeconfig means an EKS cluster, else none.

    Raises:
        InputError: a file is wrong.
    """
    if arguments.access_entries or arguments.authentication_mode:
        return _from_files(arguments.access_entries, arguments.authentication_mode)
    cluster = _cluster(arguments, access)
    if cluster is None:
        return NOT_EKS
    # the profile that the kubeconfig's plugin uses is the one that reaches the cluster's account
    pairs = ((access.exec if access is not None else None) or {}).get("env") or ()
    return await _live(cluster, {**os.environ, **{str(pair["name"]): str(pair["value"]) for pair in pairs}})


def files_only(arguments: argparse.Namespace) -> EksAccess:
    """Without a cluster to ask."""
    if arguments.access_entries or arguments.authentication_mode:
        return _from_files(arguments.access_entries, arguments.authentication_mode)
    return NOT_EKS


def read_by_original(arguments: argparse.Namespace, access: EksAccess, server: str = "") -> bool:
    """Whether aws-iam-authenticator, which is EKS's, reads the ConfigMap, and not `serve authenticator`."""
    if arguments.authenticator:
        return bool(arguments.authenticator == "original")
    return access.platform.startswith("eks.") or bool(region_of_endpoint(server)) or bool(arguments.access_entries)


def mappings_of(sections: Mapping[str, Section], *, by_original: bool, previous: Mappings | None = None) -> Mappings:
    """As that authenticator reads them, which had read `previous` before."""
    return load_as_original(sections) if by_original else load(sections, previous=previous)


def say_unknown(access: EksAccess) -> None:
    if access.unknown:
        print(f"{UNKNOWN}: {access.unknown}", file=sys.stderr)


def document(access: EksAccess) -> dict[str, object]:
    """For --json."""
    return {
        "authenticationMode": access.mode.value if access.visible else None,
        "visible": access.visible,
        "entries": len(access.entries),
        "why": access.unknown,
    }


def _from_files(files: list[Path], mode: str) -> EksAccess:
    found = []
    for file in files:
        try:
            names = sorted(file.glob("*.json")) if file.is_dir() else [file]
            for name in names:
                text = sys.stdin.read() if str(name) == "-" else name.read_text(encoding="utf-8")
                found += list(documents(text, str(name)))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {file}: {error}", where="--access-entries",
                             fix="name a readable JSON file") from error  # fmt: skip
    return eks_access(found, mode)


def _cluster(arguments: argparse.Namespace, access: "ClusterAccess | None") -> EksCluster | None:
    told = None
    if access is not None:
        told = cluster_of_kubeconfig(access.server, access.cluster_name, access.exec)
    if told is None and not arguments.eks_cluster:
        return None
    name = arguments.eks_cluster or (told.name if told is not None else "")
    region = arguments.eks_region or (told.region if told is not None else "")
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    return EksCluster(name, region)


async def _live(cluster: EksCluster, environment: Mapping[str, str]) -> EksAccess:
    if not cluster.name or not cluster.region:
        wanted = "name" if not cluster.name else "region"
        return EksAccess(
            unknown=f"nothing says the EKS cluster's {wanted}: give --eks-{wanted.replace('name', 'cluster')}"
        )
    from iambridge.adapters.aws_credentials import find_credentials  # noqa: PLC0415 - only where EKS is asked
    from iambridge.adapters.eks_access import endpoint_of, read_eks_access  # noqa: PLC0415 - as above

    try:
        credentials = find_credentials(environment)
    except InputError:
        raise
    except BridgeError as error:
        return EksAccess(unknown=f"{error.message}: {error.fix}")
    return await read_eks_access(
        credentials, endpoint=endpoint_of(environment, cluster.region), region=cluster.region, cluster=cluster.name,
        ca_file=environment.get("AWS_CA_BUNDLE", ""),
    )  # fmt: skip
