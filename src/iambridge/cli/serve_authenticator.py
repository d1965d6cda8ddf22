"""`iambridge serve authenticator`: the flags of aws-iam-authenticator's `server`, and the daemon they describe."""

import argparse
from pathlib import Path

from iambridge.cli.serve_webhook import boolean, duration
from iambridge.errors import InputError

BACKENDS = ("EKSConfigMap", "MountedFile", "DynamicFile", "CRD")
ALIASES = {"ConfigMap": "EKSConfigMap", "File": "MountedFile"}
_ALWAYS_ON = ("SSORoleMatch", "IAMIdentityMappingCRD")
_KLOG = ("v", "vmodule", "logtostderr", "alsologtostderr", "stderrthreshold")

STATE_DIR = "/var/aws-iam-authenticator"
_KUBECONFIG = "/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml"

_EXAMPLE = """example:
  iambridge serve authenticator --cluster-id demo --backend-mode EKSConfigMap --state-dir /var/aws-iam-authenticator

kube-apiserver is told of it by --authentication-token-webhook-config-file (the file of --generate-kubeconfig) and keeps
its answers for --authentication-token-webhook-cache-ttl, two minutes by default: a removal lags by that.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    _original(parser.add_argument_group("as in aws-iam-authenticator"))
    _sts(parser.add_argument_group("STS and EC2"))
    _own(parser.add_argument_group("mapping and log"))


def _original(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-i", "--cluster-id", default="", metavar="ID", help="the id that tokens must be signed for; make it unique")
    add("-c", "--config", type=Path, metavar="FILE", help="aws-iam-authenticator's configuration file")
    add("--partition", default="", help="AWS partition (default: aws)")
    add("--address", default="", help="listen here (default: 127.0.0.1)")
    add("--port", type=int, default=0, help="TLS port (default: 21362)")
    add(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help="cert.pem and key.pem, or a CA made here (default: /var/aws-iam-authenticator)",
    )
    add("--hostname", default="", help="name in the certificate and the kubeconfig (default: localhost)")
    add(
        "--generate-kubeconfig",
        type=Path,
        metavar="FILE",
        help="webhook kubeconfig to write (default: in a --state-dir of one's own, else below /etc/kubernetes)",
    )
    add(
        "--kubeconfig-pregenerated",
        type=boolean,
        nargs="?",
        const=True,
        default=None,
        metavar="BOOL",
        help="write no kubeconfig",
    )
    add("--kubeconfig", type=Path, metavar="FILE", help="reach the API server by this file (default: as a pod)")
    add("--master", default="", metavar="URL", help="the API server's URL, in place of the kubeconfig's")
    add(
        "--backend-mode",
        action="append",
        default=[],
        metavar="MODE",
        help="MountedFile, EKSConfigMap, DynamicFile, CRD; repeat or separate by commas",
    )
    add("--ec2-describeInstances-qps", type=float, metavar="N", help="DescribeInstances calls a second (15)")
    add("--ec2-describeInstances-burst", type=int, metavar="N", help="DescribeInstances calls at once (5)")
    add(
        "--feature-gates",
        default="",
        metavar="GATE=BOOL",
        help="SSORoleMatch and IAMIdentityMappingCRD are always on; others are refused",
    )
    add("-l", "--log-format", choices=("text", "json"), default="text", help="accepted: decisions are JSON lines")
    for name in _KLOG:
        spelled = (f"--{name}", "-v") if name == "v" else (f"--{name}",)
        add(*spelled, nargs="?", dest=f"klog_{name}", help=argparse.SUPPRESS)


def _sts(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--sts-endpoint",
        default="",
        metavar="URL",
        help="send every token's call here; its host is allowed in tokens too",
    )
    add("--sts-ca-file", type=Path, metavar="FILE", help="PEM authorities of that endpoint (default: the system's)")
    add(
        "--sts-host",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="allow this STS host in tokens: a VPC endpoint",
    )
    add(
        "--sts-region",
        action="append",
        default=[],
        metavar="REGION",
        help="allow only these regions' hosts (default: all)",
    )
    add("--no-global-sts", action="store_true", help="refuse tokens for sts.amazonaws.com")
    add(
        "--token-cache-ttl",
        type=duration,
        default=60.0,
        metavar="DURATION",
        help="keep what STS said of a token (default: 60s; 0: off)",
    )
    add("--region", default="", help="region of DescribeInstances (default: AWS_REGION)")
    add(
        "--ec2-endpoint",
        default="",
        metavar="URL",
        help="EC2's endpoint (default: the region's; --sts-ca-file counts here too)",
    )


def _own(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--break-glass-arn", action="append", default=[], metavar="ARN",
        help="an exact IAM user or role that is always system:masters; each use is an Event")  # fmt: skip
    add("--match-role-path", type=boolean, nargs="?", const=True, default=True, metavar="BOOL",
        help="role ARNs with a path match (default); false: they never do, as in the original")  # fmt: skip
    add("--aws-auth-copy-max-age", type=duration, default=3600.0, metavar="DURATION",
        help="how long the copy of aws-auth in the state dir may stand in for one that cannot be had or read at a start"
        " (default: 1h; 0: keep none)")  # fmt: skip
    add("--pin-principal-ids", type=boolean, nargs="?", const=True, default=False, metavar="BOOL",
        help="an entry's `userid` (AROA..., AIDA...) must be the caller's: a role made again stays out")  # fmt: skip
    add(
        "--allow-session-name-in-groups",
        action="store_true",
        help="let {{SessionName}} choose groups, as the original does",
    )
    add(
        "--decision-log",
        type=boolean,
        nargs="?",
        const=True,
        default=True,
        metavar="BOOL",
        help="decisions on stdout (default)",
    )


def default_kubeconfig(state_dir: Path) -> Path:
    """Where the original puts it; but all in one place for a state directory of one's own."""
    return Path(_KUBECONFIG) if state_dir == Path(STATE_DIR) else state_dir / "kubeconfig.yaml"


def backends(named: list[str]) -> tuple[str, ...]:
    """The backends in their order; the original's default is MountedFile.

    Raises:
        InputError: an unknown or repeated one.
    """
    words = [word for value in named for word in value.replace(",", " ").split()] or ["MountedFile"]
    found = tuple(ALIASES.get(word, word) for word in words)
    for name in found:
        if name not in BACKENDS:
            raise InputError(f"`{name}` is not a backend", where="--backend-mode", fix=f"use {' or '.join(BACKENDS)}")
    if len(set(found)) != len(found):
        raise InputError("a backend is given twice", where="--backend-mode", fix="give each once, in the order to ask")
    return found


def check_feature_gates(text: str) -> None:
    """Raises InputError for a gate that would change something here."""
    for gate in filter(None, text.split(",")):
        name, _, value = gate.partition("=")
        if value.lower() == "false" or (name in _ALWAYS_ON and value.lower() == "true"):
            continue
        raise InputError(f"feature gate `{gate}` is not known here", where="--feature-gates", fix="leave it out")


def run(arguments: argparse.Namespace) -> int:
    from iambridge.cli import authenticator_daemon  # noqa: PLC0415 - --help needs no server

    check_feature_gates(arguments.feature_gates)
    return authenticator_daemon.run(arguments)
