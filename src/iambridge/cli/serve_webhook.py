"""`iambridge serve webhook`: the flags of amazon-eks-pod-identity-webhook, and the daemon they describe."""

import argparse
import re
from pathlib import Path

from iambridge.errors import InputError

_EXAMPLE = """example:
  iambridge serve webhook --namespace eks --tls-cert /etc/webhook/certs/tls.crt --tls-key /etc/webhook/certs/tls.key
"""
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_KLOG = ("v", "vmodule", "logtostderr", "alsologtostderr", "stderrthreshold", "skip_headers", "skip_log_headers",
         "one_output", "add_dir_header", "log_backtrace_at")  # fmt: skip
_KLOG_REFUSED = ("log_dir", "log_file", "log_file_max_size")
# what rustls offers for TLS 1.2, as Go names it; TLS 1.3 suites cannot be chosen in Go either
_SUITES = frozenset(
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
)
_TLS = {"1.2": "1.2", "VersionTLS12": "1.2", "1.3": "1.3", "VersionTLS13": "1.3", "": "1.2"}


def boolean(text: str) -> bool:
    """A boolean as pflag spells it."""
    if text in {"1", "t", "T", "TRUE", "true", "True"}:
        return True
    if text in {"0", "f", "F", "FALSE", "false", "False"}:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is not true or false")


def duration(text: str) -> float:
    """Go's durations ("100ms", "1m30s"), in seconds."""
    parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|ms|s|m|h)", text)
    if text != "0" and (not text or "".join(f"{number}{unit}" for number, unit in parts) != text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 100ms")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    _serving(parser.add_argument_group("serving"))
    _injection(parser.add_argument_group("injection"))
    _own(parser.add_argument_group("not in the original"))
    log = parser.add_argument_group("logging flags of the original, accepted")
    for name in _KLOG:
        for spelled in (f"--{name}", *(("-v",) if name == "v" else ())):
            log.add_argument(spelled, nargs="?", dest=f"klog_{name}", help=argparse.SUPPRESS)
    for name in _KLOG_REFUSED:
        log.add_argument(f"--{name}", dest=f"klog_{name}", help=argparse.SUPPRESS)


def _flag(group: argparse._ArgumentGroup, name: str, text: str, *, default: bool = False) -> None:
    group.add_argument(name, type=boolean, nargs="?", const=True, default=default, metavar="BOOL", help=text)


def _serving(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--port", type=int, default=443, help="TLS port of the webhook, on all addresses (default: 443)")
    group.add_argument("--metrics-port", type=int, default=9999, help="plain HTTP port of /metrics (default: 9999)")
    group.add_argument("--bind-address", default="", help="listen on this address only (default: all)")
    group.add_argument("--kubeconfig", default="", help="reach the API server by this file (default: as a pod)")
    group.add_argument("--kube-api", default="", help="the API server's URL, in place of the kubeconfig's")
    group.add_argument(
        "--tls-key", type=Path, default=Path("/etc/webhook/certs/tls.key"), help="PEM file, hot reloaded"
    )
    group.add_argument(
        "--tls-cert", type=Path, default=Path("/etc/webhook/certs/tls.crt"), help="PEM file, hot reloaded"
    )
    group.add_argument("--tls-cipher-suites", default="", help="Go names; refused when they cannot be honoured")
    group.add_argument("--tls-min-version", default="", help="1.2 (default) or 1.3")
    _flag(group, "--in-cluster", "refused when true: its certificate signer does not exist any more")
    group.add_argument("--service-name", default="pod-identity-webhook", help="the Service, for --self-managed-tls")
    group.add_argument("--tls-secret", default="pod-identity-webhook", help="the Secret, for --self-managed-tls")
    group.add_argument(
        "--namespace", default="eks", help="where ConfigMap, Service, Secret and Lease are (default: eks)"
    )
    _flag(group, "--enable-debugging-handlers", "serve /debug/alpha/cache on the metrics port")
    group.add_argument(
        "--service-account-lookup-grace-period", type=duration, default=0.0, metavar="DURATION",
        help="accepted: a ServiceAccount that the cache lacks is read from the API in any case",
    )  # fmt: skip
    group.add_argument(
        "--resync-period", type=duration, default=60.0, metavar="DURATION", help="accepted: the cache needs no resync"
    )


def _injection(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--annotation-prefix", default="eks.amazonaws.com", help="prefix of every annotation read")
    group.add_argument("--token-audience", default="sts.amazonaws.com", help="audience unless annotated")
    group.add_argument("--token-mount-path", default="/var/run/secrets/eks.amazonaws.com/serviceaccount")
    group.add_argument("--token-expiration", type=int, default=86400, help="seconds, at least 600 (default: 86400)")
    group.add_argument("--aws-default-region", default="", help="inject AWS_DEFAULT_REGION and AWS_REGION")
    _flag(group, "--sts-regional-endpoint", "inject AWS_STS_REGIONAL_ENDPOINTS=regional")
    _flag(group, "--watch-config-map", "read the ConfigMap pod-identity-webhook in --namespace")
    _flag(group, "--compose-role-arn", "make role names and paths ARNs, with the account from IMDS")
    group.add_argument("--watch-container-credentials-config", default="", metavar="FILE")
    group.add_argument("--container-credentials-audience", default="pods.eks.amazonaws.com")
    group.add_argument(
        "--container-credentials-token-mount-path", default="/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
    )
    group.add_argument("--container-credentials-token-volume-name", default="eks-pod-identity-token")
    group.add_argument("--container-credentials-token-path", default="eks-pod-identity-token")
    group.add_argument("--container-credentials-full-uri", default="http://169.254.170.23/v1/credentials")


def _own(group: argparse._ArgumentGroup) -> None:
    _flag(group, "--inject-role-session-name", "inject AWS_ROLE_SESSION_NAME, the pod's name")
    _flag(group, "--token-expiration-jitter", "spread the default expiration over its last two hours")
    _flag(group, "--include-containers", "honour the pod annotation include-containers")
    group.add_argument(
        "--fail-closed-label", default="", metavar="KEY",
        help="refuse a pod that has this label when it asks for an identity and cannot be given it;"
        " never in kube-system or --namespace",
    )  # fmt: skip
    _flag(
        group, "--self-managed-tls",
        "be the certificate authority: keep CA and certificate in --tls-secret and the caBundle of"
        " --webhook-configuration right, one replica at a time by --lease; all three must exist",
    )  # fmt: skip
    group.add_argument("--webhook-configuration", default="iambridge-webhook", metavar="NAME")
    group.add_argument("--lease", default="iambridge-webhook", metavar="NAME")
    _flag(group, "--beside-eks", "start although the cluster has EKS's own pod identity webhook")
    group.add_argument(
        "--shutdown-delay", type=duration, default=5.0, metavar="DURATION",
        help="after SIGTERM be not ready, and answer on, for so long before the port closes (default: 5s)",
    )  # fmt: skip
    _flag(group, "--decision-log", "a JSON line a decision on standard output", default=True)


def run(arguments: argparse.Namespace) -> int:
    refuse(arguments)
    from iambridge.cli import webhook_daemon  # noqa: PLC0415 - `--help` stays light

    return webhook_daemon.run(arguments, minimum_tls=_TLS[arguments.tls_min_version])


def refuse(arguments: argparse.Namespace) -> None:
    """Raises InputError for what the original takes and this server cannot honour, by name."""
    if arguments.in_cluster:
        raise InputError(
            "--in-cluster=true cannot work: the signer kubernetes.io/legacy-unknown signs no serving certificate",
            fix="leave it out, and give --tls-cert and --tls-key",
        )
    if arguments.tls_min_version not in _TLS:
        raise InputError(
            f"--tls-min-version {arguments.tls_min_version} cannot be honoured", fix="use 1.2 (the default) or 1.3"
        )
    for name in _KLOG_REFUSED:
        if getattr(arguments, f"klog_{name}"):
            raise InputError(f"--{name} cannot be honoured: logs go to standard error", fix=f"leave --{name} out")
    if arguments.tls_cipher_suites and _TLS[arguments.tls_min_version] == "1.2":
        wanted = {name.strip() for name in arguments.tls_cipher_suites.split(",") if name.strip()}
        wanted = {f"{name}_SHA256" if name.endswith("POLY1305") else name for name in wanted}
        for what, names in (("not offered", wanted - _SUITES), ("always offered", _SUITES - wanted)):
            if names:
                raise InputError(
                    f"--tls-cipher-suites cannot be honoured: {what}: {', '.join(sorted(names))}",
                    fix="leave it out, or use --tls-min-version 1.3",
                )


def refuse_beside_eks(arguments: argparse.Namespace) -> None:
    """Raises InputError unless we may serve on a cluster that has EKS's webhook.

    Each of the two adds only what is not there, so under the same annotations they must name the same volume and
    audience: then whoever is asked second finds everything in place. Under a prefix of our own they never meet.
    """
    here = "the cluster has EKS's own pod identity webhook (MutatingWebhookConfiguration pod-identity-webhook)"
    if not arguments.beside_eks:
        raise InputError(
            f"{here}, which injects the same ServiceAccounts' roles",
            fix="run it only where that one is not, or add --beside-eks if both shall be there",
        )
    if arguments.annotation_prefix != "eks.amazonaws.com":
        return
    defaults = {
        "token_mount_path": "/var/run/secrets/eks.amazonaws.com/serviceaccount",
        "token_audience": "sts.amazonaws.com",
    }
    for name, value in defaults.items():
        if getattr(arguments, name) != value:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{here}, and would not agree with {flag}={getattr(arguments, name)}: a pod would get two identities",
                fix=f"leave {flag} out, or choose an --annotation-prefix of your own",
            )
