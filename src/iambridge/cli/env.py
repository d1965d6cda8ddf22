"""`iambridge env`: shell lines that point clients at a running sandbox."""

import argparse
import shlex
from pathlib import Path

from iambridge.sandbox.client_environment import client_environment
from iambridge.sandbox.data_dir import default_data_dir

_EXAMPLE = """example:
  eval "$(iambridge env)"
  kubectl get namespaces && aws sts get-caller-identity
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("--data-dir", type=Path, help="the sandbox's directory (default: the one that `up` uses)")


def run(arguments: argparse.Namespace) -> int:
    data_dir = (arguments.data_dir or default_data_dir()).absolute()
    for name, value in client_environment(data_dir).items():
        print(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")
    return 0
