"""`iambridge authenticator init`: certificates and webhook kubeconfig for a server, and the change of authority."""

import argparse
import datetime as dt
from pathlib import Path

from iambridge.cli.serve_authenticator import STATE_DIR, default_kubeconfig
from iambridge.errors import InputError

_EXAMPLE = """example:
  iambridge authenticator init --state-dir /var/aws-iam-authenticator --generate-kubeconfig webhook.yaml
  kube-apiserver ... --authentication-token-webhook-config-file=webhook.yaml

The kubeconfig pins an authority of ten years; the leaf under it is renewed by the server, without a restart of anybody.
A change of authority has two phases, `--rotate-ca begin` and `--rotate-ca finish`; between them every API server is
restarted once, so that it reads the kubeconfig that pins both.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    init = actions.add_parser(
        "init",
        help="make the certificates and the webhook kubeconfig",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLE,
    )
    add = init.add_argument
    add("--hostname", default="", help="name in the certificate and the kubeconfig (default: localhost)")
    add("--address", default="", help="address in the certificate (default: 127.0.0.1)")
    add("--port", type=int, default=0, help="the server's port (default: 21362)")
    add("--state-dir", type=Path, metavar="DIR", help="the server's --state-dir (default: /var/aws-iam-authenticator)")
    add("--generate-kubeconfig", type=Path, metavar="FILE", help="webhook kubeconfig (default: in the state dir)")
    add("-c", "--config", type=Path, metavar="FILE", help="aws-iam-authenticator's configuration file, for defaults")
    add("-i", "--cluster-id", default="", metavar="ID", help="accepted: certificates do not depend on it")
    add("--rotate-ca", choices=("begin", "finish"), help="the phases of a change of authority")


def run(arguments: argparse.Namespace) -> int:
    from iambridge.adapters.authenticator_state import (  # noqa: PLC0415 - --help needs no cryptography
        StateDirectory,
        write_webhook_kubeconfig,
    )

    server = _server(arguments.config)
    hostname = arguments.hostname or server.get("hostname", "localhost")
    address = arguments.address or server.get("address", "127.0.0.1")
    port = arguments.port or server.get("port", "21362")
    path = arguments.state_dir or Path(server.get("statedir", STATE_DIR))
    kubeconfig = arguments.generate_kubeconfig or Path(server.get("generatekubeconfig", default_kubeconfig(path)))
    state = StateDirectory(path, hosts=(hostname, address), now=lambda: dt.datetime.now(dt.UTC))
    try:
        match arguments.rotate_ca:
            case "begin":
                state.begin_rotation()
            case "finish":
                state.finish_rotation()
            case _:
                state.prepare()
        pinned = state.pinned
    except OSError as error:
        raise InputError(f"cannot use {path}: {error.strerror}", where="--state-dir",
            fix="name a directory that this user may write")  from error  # fmt: skip
    write_webhook_kubeconfig(kubeconfig, url=f"https://{hostname}:{port}/authenticate", authority=pinned)
    print(f"certificate: {state.sources.certificate}")
    print(f"webhook kubeconfig: {kubeconfig}, which pins {pinned.count(b'BEGIN CERTIFICATE')} certificate(s)")
    if arguments.rotate_ca == "begin":
        print("next: restart every API server that reads this kubeconfig, then init --rotate-ca finish")
    elif arguments.rotate_ca != "finish":
        print(f"next: start kube-apiserver with --authentication-token-webhook-config-file={kubeconfig}")
    return 0


def _server(config: Path | None) -> dict[str, str]:
    from iambridge.cli.authenticator_configuration import read_configuration  # noqa: PLC0415 - as above
    from iambridge.core.aws_auth import Rules  # noqa: PLC0415 - as above

    return dict(read_configuration(config, Rules(session_arns=True)).server) if config is not None else {}
