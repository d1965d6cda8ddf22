"""`iambridge run --serviceaccount SA -- CMD`: a local command with the identity that a pod of the ServiceAccount has.

Exit codes: the command's own, 128 + N when signal N ended it, 125 when no identity could be had, 126 and 127 when the
command could not be run or found.
"""

import argparse
import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from iambridge.cli.run_command import NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, Command
from iambridge.cli.run_environment import KEPT, asked_environment, machine_environment, tell
from iambridge.errors import BridgeError, InputError

if TYPE_CHECKING:
    from iambridge.adapters.kubeconfig import ClusterAccess
    from iambridge.adapters.kubernetes import KubernetesClient
    from iambridge.adapters.token_directory import TokenDirectory

_EPILOG = f"""examples:
  iambridge run -n shop --serviceaccount orders -- aws s3 ls
  iambridge run -n shop --serviceaccount orders --env DEBUG=1 -- python -m orders
  iambridge run --data-dir ~/.local/share/iambridge -n shop --serviceaccount orders -- aws sts get-caller-identity

What is injected is the webhook's own decision on a pod of this ServiceAccount: role, region, STS endpoint, audience,
expiration, with the webhook's precedence and the flags that it runs with: those of its pods, EKS's own on EKS, or
--webhook-flag. The token comes from TokenRequest, as `kubectl create token` asks for it, and
is replaced at 80 % of its life. It lies in a private directory, which is not the path it has in a pod:
AWS_WEB_IDENTITY_TOKEN_FILE names it. The directory is removed when the command ends.

The environment is clean, as a pod's is. Kept: {", ".join(KEPT)}, LC_*.
AWS files below HOME are hidden (AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name an empty file), and KUBECONFIG
names one whose user is the ServiceAccount. Anything else comes in by --env.

With a sandbox's kubeconfig, or --data-dir, the command gets what the sandbox's node gives its pods: AWS_ENDPOINT_URL
(and _STS), AWS_CA_BUNDLE and the region. --aws real leaves that out.

exit codes: the command's; 128 + N when signal N ended it; 125 no identity, 126 cannot be run, 127 not found
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("-n", "--namespace", default="", help="the ServiceAccount's (default: the context's)")
    parser.add_argument("--serviceaccount", required=True, metavar="NAME", help="whose identity the command gets")
    parser.add_argument("--kubeconfig", type=Path, help="the cluster (default: as kubectl finds it)")
    parser.add_argument("--context", help="the kubeconfig's context")
    parser.add_argument(
        "--token-expiration", type=int, metavar="SECONDS", help="as a pod's annotation of that name, at least 600"
    )
    parser.add_argument("--audience", default="", help="in place of the ServiceAccount's audience")
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME[=VALUE]",
        help="set a variable as the pod's manifest would, or hand on this shell's; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--refresh-at", type=float, default=0.8, metavar="FRACTION", help="of the token's life (default: 0.8)"
    )
    sandbox = parser.add_argument_group("which AWS")
    sandbox.add_argument("--data-dir", type=Path, help="a sandbox's directory: its cluster, unless named, and its AWS")
    sandbox.add_argument("--aws", choices=("sandbox", "real"), help="default: the sandbox's when it is one's cluster")
    parser.add_argument(
        "--webhook-flag", action="append", default=[], metavar="FLAG",
        help="a flag that the cluster's webhook runs with, as --webhook-flag=--aws-default-region=eu-west-1 (default: "
        "those of its pods, as far as they can be seen)",
    )  # fmt: skip
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD ARG...", help="what to run")


def run(arguments: argparse.Namespace) -> int:
    words = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    try:
        if not words:
            raise InputError("there is no command to run", where="run", fix="write it after --: run ... -- aws s3 ls")
        if not 0.0 < arguments.refresh_at < 1.0:
            raise InputError("--refresh-at is a fraction between 0 and 1", where="--refresh-at", fix="leave it out")
        return asyncio.run(_run(arguments, words))
    except BridgeError as error:
        from iambridge.cli.main import render  # noqa: PLC0415 - main imports the verbs by name

        tell(render(error))
        return NOT_STARTED


async def _run(arguments: argparse.Namespace, words: list[str]) -> int:
    from iambridge.adapters.kubeconfig import from_kubeconfig  # noqa: PLC0415 - `--help` needs no client
    from iambridge.adapters.kubernetes import KubernetesClient  # noqa: PLC0415 - as above

    sandbox = _sandbox(arguments, os.environ)
    kubeconfig = arguments.kubeconfig or (sandbox / "kubeconfig" if arguments.data_dir and sandbox else None)
    access = from_kubeconfig(kubeconfig, arguments.context)
    client = KubernetesClient(access)
    try:
        return await _as_service_account(arguments, words, access, client)
    finally:
        await client.close()


async def _as_service_account(
    arguments: argparse.Namespace, words: list[str], access: "ClusterAccess", client: "KubernetesClient"
) -> int:
    from iambridge.adapters.service_account_tokens import TokenFiles, TokenRequest  # noqa: PLC0415 - as above
    from iambridge.adapters.token_directory import TokenDirectory, default_base  # noqa: PLC0415 - as above
    from iambridge.cli.run_identity import identity_of_pods  # noqa: PLC0415 - as above

    node = _node(_sandbox(arguments, os.environ), arguments)
    namespace, name = arguments.namespace or access.namespace or "default", arguments.serviceaccount
    own = asked_environment(arguments.env, os.environ)
    identity, automount = await identity_of_pods(arguments, client, namespace, own)
    with contextlib.closing(Command()) as command, TokenDirectory(default_base(os.environ)) as directory:
        files = TokenFiles(client, directory, now=time.time, tell=tell, fraction=arguments.refresh_at)
        await files.hold(TokenRequest(namespace, name, identity.audience, identity.expiration), "token")
        if automount:
            await files.hold(TokenRequest(namespace, name), "kubernetes-token")
        environment = {
            **machine_environment(os.environ),
            **node,
            **_files(directory, access, namespace, name if automount else ""),
            **identity.environment_with(str(directory.path / "token")),
        }
        renewing = asyncio.create_task(files.keep_current())
        try:
            return await command.run(words, environment)
        except OSError as error:
            tell(f"iambridge: cannot run {words[0]}: {error.strerror}")
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)


def _files(
    directory: "TokenDirectory", access: "ClusterAccess", namespace: str, service_account: str
) -> dict[str, str]:
    """Files that stand before those below HOME, where clients would find the person's own role, region and cluster."""
    from iambridge.wire.service_account_kubeconfig import service_account_kubeconfig  # noqa: PLC0415 - `--help`

    empty = str(directory.write("aws-config", ""))
    text = service_account_kubeconfig(
        access.cluster_for_exec or {}, user=f"system:serviceaccount:{namespace}:{service_account}", namespace=namespace,
        token_file=str(directory.path / "kubernetes-token") if service_account else "",
    )  # fmt: skip
    kubeconfig = str(directory.write("kubeconfig", text))
    return {"AWS_CONFIG_FILE": empty, "AWS_SHARED_CREDENTIALS_FILE": empty, "KUBECONFIG": kubeconfig}


def _sandbox(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Path | None:
    """The sandbox whose AWS the command gets: --data-dir's, or the one that the kubeconfig belongs to."""
    if arguments.data_dir is not None:
        return Path(arguments.data_dir).absolute()
    named = str(arguments.kubeconfig or environment.get("KUBECONFIG", ""))
    directory = Path(named).absolute().parent
    if Path(named).name == "kubeconfig" and (directory / "sandbox.json").exists():
        return directory
    if arguments.aws == "sandbox":
        raise InputError("the kubeconfig is no sandbox's", where="--aws sandbox", fix="give --data-dir")
    return None


def _node(sandbox: Path | None, arguments: argparse.Namespace) -> dict[str, str]:
    if sandbox is None or arguments.aws == "real":
        return {}
    from iambridge.sandbox.client_environment import workload_environment  # noqa: PLC0415 - a sandbox only
    from iambridge.sandbox.data_dir import read_ports  # noqa: PLC0415 - as above

    return {**workload_environment(sandbox, read_ports(sandbox)), "AWS_EC2_METADATA_DISABLED": "true"}
