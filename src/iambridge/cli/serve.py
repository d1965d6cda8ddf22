"""`iambridge serve webhook|authenticator`: one server stand-alone, as it runs in a cluster."""

import argparse
import importlib

_SERVERS = {
    "webhook": "the pod identity webhook: gives pods the role of their ServiceAccount",
    "authenticator": "the IAM authenticator: tells the API server who an AWS caller is",
}

_EXAMPLE = """examples:
  iambridge serve webhook --kubeconfig ~/.kube/config --tls-cert tls.crt --tls-key tls.key --port 8443
  iambridge serve authenticator --help
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("server", choices=tuple(_SERVERS), help="; ".join(f"{k}: {v}" for k, v in _SERVERS.items()))
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="the server's own flags: see --help behind its name"
    )


def run(arguments: argparse.Namespace) -> int:
    module = importlib.import_module(f"iambridge.cli.serve_{arguments.server}")
    parser = argparse.ArgumentParser(
        prog=f"iambridge serve {arguments.server}",
        description=_SERVERS[arguments.server],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(arguments.arguments)))
