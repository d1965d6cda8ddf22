"""`iambridge manifests webhook`: the YAML that installs a server, the same as `kubectl kustomize deploy/webhook`."""

import argparse
import sys

_SERVERS = ("webhook",)

_EXAMPLE = """examples:
  iambridge manifests webhook | kubectl apply --server-side -f -
  iambridge manifests webhook --component pod-disruption-budget --component ca-bundle-policy
  iambridge manifests webhook --list-components
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("server", choices=_SERVERS)
    parser.add_argument(
        "--component", action="append", default=[], metavar="NAME", help="add an optional part; repeat for more"
    )
    parser.add_argument("--list-components", action="store_true", help="print the names of the optional parts")
    parser.add_argument("--namespace", default="", help="install there (default: iambridge)")
    parser.add_argument("--image", default="", metavar="NAME[:TAG]", help="the image, where your nodes pull it from")


def run(arguments: argparse.Namespace) -> int:
    from iambridge.adapters.manifests import manifest_files  # noqa: PLC0415 - `--help` stays light
    from iambridge.wire.kustomization import components_of, render  # noqa: PLC0415 - as above

    files = manifest_files(arguments.server)
    if arguments.list_components:
        print("\n".join(components_of(files)))
        return 0
    sys.stdout.write(
        render(files, components=arguments.component, namespace=arguments.namespace, image=arguments.image)
    )
    return 0
