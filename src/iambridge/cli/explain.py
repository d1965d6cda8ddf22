"""`iambridge explain NOUN`: says which hop decided what, and the fix.

Exit codes: 0 healthy, 1 a finding, 2 bad input, 3 unknown.
"""

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path

from iambridge.cli import eks_access

NOUNS = {
    "pod": "why a pod has, or has not, its AWS identity",
    "serviceaccount": "whether a ServiceAccount's role can be assumed",
    "job": "why a Job's pods have, or have not, their AWS identity",
    "deployment": "why a Deployment's pods have, or have not, their AWS identity",
    "login": "why an AWS caller is, or is not, let into the cluster",
    "injection": "what the pod identity webhook does to a pod, and its patch",
    "error": "what an error message of AWS or Kubernetes means, and the fix",
}

_EXAMPLE = """examples:
  iambridge explain injection -f pod.yaml -f sa.yaml      judge the pod offline, against that ServiceAccount
  iambridge explain injection -f pod.yaml --kubeconfig K  judge it against the cluster's ServiceAccount
  iambridge explain login arn:aws:iam::111122223333:role/admin --kubeconfig K     is that principal let in, as whom?
  iambridge token -i demo --token-only | iambridge explain login - --cluster-id demo --kubeconfig K
  iambridge explain login --kubeconfig K                  after "You must be logged in to the server (Unauthorized)"

exit codes: 0 healthy, 1 a finding or a refusal, 2 bad input, 3 unknown: something that decides is not visible
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One grammar for all nouns; a noun's own module says what it needs of it."""
    parser.epilog = _EXAMPLE
    there = "; ".join(f"{noun}: {text}" for noun, text in NOUNS.items() if _is_there(noun))
    absent = ", ".join(noun for noun in NOUNS if not _is_there(noun))
    parser.add_argument(
        "noun", choices=tuple(NOUNS), metavar="NOUN", help=f"{there} (not there yet: {absent})" if absent else there
    )
    parser.add_argument("name", nargs="?", default="", help="the object's name")
    parser.add_argument("-f", "--file", action="append", type=Path, default=[], metavar="FILE", help="YAML or JSON")
    parser.add_argument("-n", "--namespace", default="", help="the object's namespace (default: its own, or default)")
    parser.add_argument("--kubeconfig", type=Path, help="ask this cluster for what the files do not hold")
    parser.add_argument("--context", help="the kubeconfig's context")
    parser.add_argument(
        "--webhook-flag", action="append", default=[], metavar="FLAG",
        help="injection: a flag that the cluster's webhook runs with, as --webhook-flag=--aws-default-region=eu-west-1",
    )  # fmt: skip
    parser.add_argument(
        "--cluster-id", default="", metavar="ID", help="login: ask STS who signed a token for this cluster"
    )
    parser.add_argument("--json", action="store_true", help="the decision for machines")
    eks_access.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    if not _is_there(arguments.noun):
        there = ", ".join(noun for noun in NOUNS if _is_there(noun))
        print(f"iambridge: explain {arguments.noun} is not there yet: no answer", file=sys.stderr)
        print(f"  fix:   these are: {there}; why a sandbox refused is in its logs/decisions.jsonl", file=sys.stderr)
        return 3
    return int(importlib.import_module(_module(arguments.noun)).run(arguments))


def _module(noun: str) -> str:
    return f"iambridge.cli.explain_{noun}"


def _is_there(noun: str) -> bool:
    return importlib.util.find_spec(_module(noun)) is not None
