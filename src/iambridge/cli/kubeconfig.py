"""`iambridge kubeconfig`: a kubeconfig that logs in with `iambridge token`."""

import argparse
import base64
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from iambridge.errors import InputError
from iambridge.wire.exec_credential import kubeconfig

_EXAMPLE = """example:
  iambridge kubeconfig --cluster-name demo --server https://10.0.0.1:6443 --certificate-authority ca.crt > demo.yaml
  kubectl --kubeconfig demo.yaml get pods
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument(
        "--cluster-name", required=True, metavar="NAME", help="the cluster id that tokens are signed for"
    )
    parser.add_argument("--server", required=True, metavar="URL", help="the Kubernetes API, https://...")
    parser.add_argument("--certificate-authority", type=Path, metavar="FILE", help="PEM file of the API's authority")
    parser.add_argument("--role-arn", metavar="ARN", help="assume this role before logging in")
    parser.add_argument("--region", help="STS region of the tokens")
    parser.add_argument("--profile", metavar="NAME", help="AWS profile to use, written as AWS_PROFILE")
    parser.add_argument("--namespace", default="", help="default namespace of the context")
    parser.add_argument("--user", metavar="NAME", help="name of the user entry (default: the cluster's name)")
    parser.add_argument("--command", metavar="PATH", help="the plugin to run (default: this iambridge)")
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="environment of the plugin; may be repeated"
    )


def run(arguments: argparse.Namespace) -> int:
    if urlsplit(arguments.server).scheme != "https":
        raise InputError("--server is not an https URL", where="--server", fix="give https://HOST[:PORT]")
    words = ["token", "--cluster-name", arguments.cluster_name]
    for flag, value in (("--region", arguments.region), ("--role-arn", arguments.role_arn)):
        if value:
            words += [flag, value]
    environment = {"AWS_PROFILE": arguments.profile} if arguments.profile else {}
    for pair in arguments.env:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise InputError(f"--env `{pair}` is not NAME=VALUE", where="--env", fix="write --env NAME=VALUE")
        environment[name] = value
    text = kubeconfig(
        cluster=arguments.cluster_name,
        server=arguments.server,
        certificate_authority_data=_authority(arguments.certificate_authority),
        user=arguments.user or arguments.cluster_name,
        command=arguments.command or _this_command(),
        arguments=words,
        environment=environment,
        namespace=arguments.namespace,
    )
    print(text, end="")
    return 0


def _authority(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}", where="--certificate-authority", fix="give the PEM file's path"
        ) from error
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise InputError(
            f"{file} holds no PEM certificate", where="--certificate-authority", fix="give the API's CA in PEM"
        )
    return base64.b64encode(pem).decode()


def _this_command() -> str:
    """The absolute path of this program, so that kubectl finds it whatever its PATH."""
    beside = Path(sys.executable).with_name("iambridge")
    if beside.exists() and os.access(beside, os.X_OK):
        return str(beside)
    return shutil.which("iambridge") or "iambridge"
