"""`iambridge env`: shell lines that point clients at a running sandbox."""

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path

from iambridge.errors import InputError
from iambridge.sandbox import readiness
from iambridge.sandbox.client_environment import client_environment, past_the_proxy
from iambridge.sandbox.data_dir import default_data_dir

_POLL_SECONDS = 0.05
_EXAMPLE = """examples:
  eval "$(iambridge env)"
  kubectl get namespaces && aws sts get-caller-identity

  iambridge up --aws-only --data-dir ./aws > up.log 2>&1 &      in CI: start, and go on when it is ready
  eval "$(iambridge env --data-dir ./aws --wait 60)"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    parser.add_argument("--data-dir", type=Path, help="the sandbox's directory (default: the one that `up` uses)")
    parser.add_argument(
        "--wait", type=float, metavar="SECONDS", help="wait until `up` is ready, scripts of --init-dir included"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object of names and values; null means unset")


def run(arguments: argparse.Namespace) -> int:
    data_dir = (arguments.data_dir or default_data_dir()).absolute()
    if arguments.wait is not None:
        _wait(data_dir, arguments.wait)
    changes = {**client_environment(data_dir), **past_the_proxy(os.environ)}
    if arguments.wait is None and not readiness.listens(data_dir):
        print(f"iambridge: nothing runs on {data_dir} now: `iambridge up --data-dir {data_dir}`", file=sys.stderr)
    if arguments.json:
        print(json.dumps(changes, indent=2))
        return 0
    for name, value in changes.items():
        print(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")
    return 0


def _wait(data_dir: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not _ready(data_dir):
        if time.monotonic() >= end:
            raise InputError(
                f"no sandbox came up on {data_dir} within {seconds:g} s",
                where=str(data_dir),
                fix="read what `iambridge up` printed, and give both the same --data-dir",
            )
        time.sleep(_POLL_SECONDS)


def _ready(data_dir: Path) -> bool:
    try:
        return readiness.is_ready(data_dir)
    except InputError:
        return False  # `up` has not made the directory yet
