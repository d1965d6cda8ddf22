"""`iambridge VERB ...`: finds the verb's file, lets it parse and run, and prints a refusal on one screen.

Exit codes: 0 done, 1 a finding or a refusal by the other side, 2 bad input, 3 unknown or a guard stopped it.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from iambridge import __version__
from iambridge.errors import BridgeError, InputError


class Verb(NamedTuple):
    """`module` offers `add_arguments(parser)` and `run(arguments) -> int`, both without heavy imports at its top."""

    module: str
    summary: str


VERBS: dict[str, Verb] = {
    "up": Verb("up", "run the sandbox: an embedded cluster and AWS account"),
    "env": Verb("env", "print the shell lines that point clients at a running sandbox"),
    "demo": Verb("demo", "play both crossings with real clients and check every step"),
    "token": Verb("token", "print an ExecCredential for kubectl (presigned GetCallerIdentity)"),
    "kubeconfig": Verb("kubeconfig", "print a kubeconfig that logs in with iambridge token"),
    "run": Verb("run", "run a local command with the identity of a ServiceAccount's pods"),
    "serve": Verb("serve", "run one server stand-alone: webhook or authenticator"),
    "manifests": Verb("manifests", "print the YAML that installs a server in a cluster"),
    "authenticator": Verb("authenticator", "make the IAM authenticator's certificates and webhook kubeconfig"),
    "explain": Verb("explain", "say which hop decided what, and the fix"),
    "whoami": Verb("whoami", "the AWS caller of this shell, and whom a cluster takes it for"),
    "who-can": Verb("who_can", "which AWS principals can do something in a cluster"),
    "aws-auth": Verb("aws_auth", "lint a ConfigMap aws-auth, and plan what an edit would change"),
    "simulate": Verb("simulate", "decide IAM requests against policies, offline"),
}

_EXAMPLE = """example:
  iambridge demo                    play both crossings on this machine
  iambridge up                      keep a sandbox running
  eval "$(iambridge env)"           point kubectl, aws and SDKs at it
"""


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """The whole grammar by name; only the module of `verb` is imported."""
    top = argparse.ArgumentParser(
        prog="iambridge",
        description="The identity bridge between Kubernetes and AWS.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"iambridge {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, entry in VERBS.items():
        sub = verbs.add_parser(
            name, help=entry.summary, description=entry.summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == verb:
            importlib.import_module(f"iambridge.cli.{entry.module}").add_arguments(sub)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    verb = next((word for word in words if not word.startswith("-")), None)
    try:
        arguments = parser(verb).parse_args(words)
        module = importlib.import_module(f"iambridge.cli.{VERBS[arguments.verb].module}")
        return int(module.run(arguments))
    except BridgeError as error:
        print(render(error), file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def render(error: BridgeError) -> str:
    """What, where, why and the fix, a line each."""
    lines = [f"iambridge: {error.message}"]
    where = getattr(error, "where", "")
    if where:
        lines.append(f"  where: {where}")
    if error.cause and error.cause != error.message:
        lines.append(f"  why:   {error.cause}")
    if error.fix:
        lines.append(f"  fix:   {error.fix}")
    return "\n".join(lines)
