"""`iambridge up`: runs the sandbox in the foreground until SIGTERM or Ctrl-C, then drains."""

import argparse
import asyncio
import gc
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iambridge.sandbox.cluster.kubelet.command import ImageEntry
    from iambridge.sandbox.data_dir import DataDir

_GC_THRESHOLDS = (5000, 20, 20)

_EXAMPLE = """examples:
  iambridge up                                keep state in the default data directory
  iambridge up --ephemeral                    leave nothing behind
  iambridge up --data-dir ./b --init-dir ./fill    a second sandbox, filled by the scripts in ./fill at every start
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EXAMPLE
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data-dir", type=Path, help="where state is kept (default: ~/.local/share/iambridge)")
    where.add_argument(
        "--ephemeral", action="store_true", help="keep state in a temporary directory, removed at the end"
    )
    parser.add_argument("--aws-only", action="store_true", help="run the AWS account alone, without a cluster")
    parser.add_argument(
        "--init-dir", type=Path, metavar="D", help="run the executable files of D, in order of name, at every start"
    )
    parser.add_argument(
        "--image-map", type=Path, metavar="FILE", help="which commands stand for the images of pods without a command"
    )
    parser.add_argument(
        "--authentication-token-webhook-cache-ttl",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="how long the API server keeps an answer of the authenticator (default: 1; a kube-apiserver's is 120)",
    )
    _add_key_arguments(parser)


def _add_key_arguments(parser: argparse.ArgumentParser) -> None:
    keys = parser.add_argument_group(
        "service account keys",
        "An earlier key stays in the issuer's JWKS, and accepted, until the last token signed with it has expired.",
    )
    keys.add_argument(
        "--service-account-signing-algorithm",
        choices=("RS256", "ES256"),
        help="the kind of key that signs; one of the other kind is rotated out (default: what there is, or RS256)",
    )
    keys.add_argument(
        "--rotate-service-account-key", action="store_true", help="make a new key at this start, and sign with it"
    )


def run(arguments: argparse.Namespace) -> int:
    from iambridge.sandbox.data_dir import DataDir, default_data_dir  # noqa: PLC0415 - `--help` stays light
    from iambridge.sandbox.image_map import read_image_map  # noqa: PLC0415 - as above

    _refuse_keys_without_cluster(arguments)
    image_map = read_image_map(arguments.image_map) if arguments.image_map else ()
    temporary = Path(tempfile.mkdtemp(prefix="iambridge-")) if arguments.ephemeral else None
    try:
        data_dir = DataDir(temporary or (arguments.data_dir or default_data_dir()).absolute())
        try:
            return _serve(data_dir, arguments, image_map)
        finally:
            data_dir.close()
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _refuse_keys_without_cluster(arguments: argparse.Namespace) -> None:
    if arguments.aws_only and (arguments.service_account_signing_algorithm or arguments.rotate_service_account_key):
        from iambridge.errors import InputError  # noqa: PLC0415 - `--help` stays light

        raise InputError(
            "--aws-only runs no cluster, so there is no service account key to choose or rotate",
            fix="leave out --aws-only, or leave out the service account key's flags",
        )


def _serve(data_dir: "DataDir", arguments: argparse.Namespace, image_map: "tuple[ImageEntry, ...]") -> int:
    import uvloop  # noqa: PLC0415 - `--help` stays light

    from iambridge.sandbox.sandbox import Options, Sandbox  # noqa: PLC0415

    options = Options(
        token_webhook_cache_ttl=arguments.authentication_token_webhook_cache_ttl,
        aws_only=arguments.aws_only,
        init_dir=arguments.init_dir.absolute() if arguments.init_dir else None,
        image_map=image_map,
        signing_algorithm=arguments.service_account_signing_algorithm,
        rotate_key=arguments.rotate_service_account_key,
    )

    async def main() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        sandbox = Sandbox(data_dir, options)
        try:
            await sandbox.start()
            print(sandbox.banner(), flush=True)
            # what is loaded stays: collections need not walk it, nor come with every second request
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            print("iambridge is ready", flush=True)
            await stop.wait()
            print("iambridge is draining", file=sys.stderr, flush=True)
        finally:
            await sandbox.stop()
        return 0

    return int(uvloop.run(main()))
