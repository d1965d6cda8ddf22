"""`iambridge manifests SERVER`: the YAML that installs a server, the same as `kubectl kustomize deploy/SERVER`."""

import argparse
import re
import sys

from iambridge.errors import InputError

_SERVERS = ("webhook", "authenticator")

_EXAMPLE = """examples:
  iambridge manifests webhook | kubectl apply --server-side -f -
  iambridge manifests webhook --component pod-disruption-budget --component ca-bundle-policy
  iambridge manifests webhook --list-components
  iambridge manifests authenticator --cluster-id prod-eu-1 | kubectl apply --server-side -f -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("server", choices=_SERVERS)
    parser.add_argument(
        "--component", action="append", default=[], metavar="NAME", help="add an optional part; repeat for more"
    )
    parser.add_argument("--list-components", action="store_true", help="print the names of the optional parts")
    parser.add_argument(
        "--namespace", default="", help="install there (default: iambridge; the authenticator: kube-system alone)"
    )
    parser.add_argument(
        "--cluster-id", default="", metavar="ID", help="the authenticator's: clients sign it into tokens"
    )
    parser.add_argument("--image", default="", metavar="NAME[:TAG]", help="the image, where your nodes pull it from")


def run(arguments: argparse.Namespace) -> int:
    from iambridge.adapters.manifests import manifest_files  # noqa: PLC0415 - `--help` stays light
    from iambridge.wire.kustomization import components_of, render  # noqa: PLC0415 - as above

    files = manifest_files(arguments.server)
    if arguments.server == "authenticator":
        files = _of_cluster(files, arguments)
    elif arguments.cluster_id:
        raise InputError("only the authenticator has a cluster id", where="--cluster-id", fix="leave it out")
    if arguments.list_components:
        print("\n".join(components_of(files)))
        return 0
    sys.stdout.write(
        render(files, components=arguments.component, namespace=arguments.namespace, image=arguments.image)
    )
    return 0


def _of_cluster(files: dict[str, str], arguments: argparse.Namespace) -> dict[str, str]:
    """The authenticator's files with the cluster id in place.

    Raises:
        InputError: another namespace: what it reads, aws-auth, is in kube-system; or an id that no header can carry.
    """
    if arguments.namespace not in {"", "kube-system"}:
        raise InputError("the authenticator is installed in kube-system", where="--namespace", fix="leave it out")
    if not arguments.cluster_id:
        return files
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", arguments.cluster_id):
        raise InputError(f"`{arguments.cluster_id}` is no cluster id", where="--cluster-id",
            fix="use letters, digits, dots, hyphens and underscores, 100 at most")  # fmt: skip
    configuration = files["configuration.yaml"]
    named = configuration.replace("clusterID: iambridge\n", f'clusterID: "{arguments.cluster_id}"\n')
    return {**files, "configuration.yaml": named}
