"""`iambridge simulate`: decide IAM requests against policies, offline, in the shapes of SimulateCustomPolicy."""

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from iambridge.cli.simulation import answer, is_request
from iambridge.errors import InputError

_EXAMPLE = """example:
  iambridge simulate <<'END'
  {"CallerArn": "arn:aws:iam::111122223333:user/pod-reader",
   "ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::reports/2026.csv"],
   "PolicyInputList": [{"Version": "2012-10-17", "Statement":
     {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::reports/*"}}]}
  END

input keys:
  CallerArn                 an ARN, a service's name (ec2.amazonaws.com), a provider's ARN, or "anonymous"
  ActionNames               each is judged on each of ResourceArns (default: *), in this order
  ResourceOwner             the account of resources whose ARN names none, as S3's; default: the caller's own
  PolicyInputList, PermissionsBoundaryPolicyInputList, SessionPolicies, EndpointPolicies    lists of documents
  ResourcePolicy            one document; a role's trust policy where every action is one of sts:AssumeRole and the like
  ServiceControlPolicies, ResourceControlPolicies    lists of levels (root, OUs, account), each a list of documents
  ContextEntries            {ContextKeyName, ContextKeyValues, ContextKeyType}; what a key is given here wins
A document is an object or its text. What is left out, or an empty list, is not in play; a level without documents
allows nothing. Leave ServiceControlPolicies out for a caller of the management account, ResourceControlPolicies for
its resources; tell a role's path, or that it is service-linked, by aws:PrincipalArn: no session's ARN says them.
Exit code 0: every request was judged, whatever the decision. 2: at least one was malformed; its line has Errors.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--file", metavar="FILE", help="read from FILE (default, and -: standard input)")
    parser.add_argument(
        "--jsonl", action="store_true",
        help="read one request a line; without it that is seen by a FILE's name, or by a line that is a whole request",
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
    if arguments.file not in (None, "-"):
        text = _file(Path(arguments.file))
        yield from _split(text, lines=arguments.jsonl or arguments.file.endswith(".jsonl"))
    elif arguments.jsonl:
        yield from (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    else:
        yield from _split(sys.stdin.buffer.read(), lines=False)


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", where=str(path), fix="name a readable file"
        ) from error


def _split(text: bytes, *, lines: bool) -> list[bytes]:
    """A request that spans lines is never mistaken for several: no part of one names actions of its own."""
    if not lines:
        filled = [line for line in text.split(b"\n") if line.strip()]
        lines = len(filled) > 1 and any(is_request(line) for line in filled)
    if not lines:
        return [text]
    # only a line feed ends a line, as on standard input; a lone carriage return is JSON's white space
    return [line.rstrip(b"\r\n") for line in io.BytesIO(text)]
