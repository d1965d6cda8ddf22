"""`iambridge simulate`: decide IAM requests against policies, offline, in the shapes of SimulateCustomPolicy."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from iambridge.cli.simulation import answer, is_object
from iambridge.errors import InputError

_EXAMPLE = """example:
  iambridge simulate <<'END'
  {"CallerArn": "arn:aws:iam::111122223333:user/pod-reader",
   "ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::reports/2026.csv"],
   "PolicyInputList": [{"Version": "2012-10-17", "Statement":
     {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::reports/*"}}]}
  END

input keys: CallerArn (an ARN, a service's name, or "anonymous"), ActionNames, ResourceArns, ResourceOwner,
PolicyInputList, PermissionsBoundaryPolicyInputList, ResourcePolicy, SessionPolicies, ServiceControlPolicies and
ResourceControlPolicies (lists of levels, each a list of documents), EndpointPolicies, ContextEntries.
Exit code 0: every request was judged, whatever the decision. 2: at least one was malformed; its line has Errors.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--file", metavar="FILE", help="read from FILE (default: standard input)")
    parser.add_argument(
        "--jsonl", action="store_true",
        help="read one request a line; for a FILE it is seen by its name, or by a first line that is a whole request",
    )  # fmt: skip
    parser.epilog = _EXAMPLE


def run(arguments: argparse.Namespace) -> int:
    """Print one line of JSON a request, in order. Raises InputError for a file that cannot be read."""
    bad = 0
    for text in _requests(arguments):
        result = answer(text)
        bad += "Errors" in result
        print(json.dumps(result), flush=arguments.jsonl)
    return 2 if bad else 0


def _requests(arguments: argparse.Namespace) -> Iterator[bytes]:
    if arguments.file is not None:
        yield from _in_file(Path(arguments.file), lines=arguments.jsonl)
    elif arguments.jsonl:
        yield from (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    else:
        yield sys.stdin.buffer.read()


def _in_file(path: Path, *, lines: bool) -> list[bytes]:
    """A request that spans lines is never mistaken for several: no part of one is an object followed by more."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", where=str(path), fix="name a readable file"
        ) from error
    first, _, rest = text.partition(b"\n")
    if lines or path.suffix == ".jsonl" or (rest.strip() and is_object(first)):
        return text.splitlines()
    return [text]
