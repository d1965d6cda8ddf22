"""The sandbox: an AWS account and a cluster on one machine, wired to each other over TLS like strangers."""

import asyncio
import datetime as dt
import logging
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from iambridge import __version__
from iambridge.adapters.certificates import CertificateAuthority, Leaf
from iambridge.adapters.decision_log import LINGER_SECONDS, JsonLinesDecisionLog
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.errors import InputError
from iambridge.sandbox import readiness
from iambridge.sandbox.aws_side import AwsSide
from iambridge.sandbox.client_environment import client_environment, past_the_proxy
from iambridge.sandbox.data_dir import SIGNING_KEY, DataDir
from iambridge.wire.http import App

if TYPE_CHECKING:
    from iambridge.sandbox.cluster.kubelet.command import ImageEntry
    from iambridge.sandbox.cluster.kubelet.mount_mode import MountMode
    from iambridge.sandbox.cluster_side import ClusterSide

_log = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"
# An S3 object is read whole; moto keeps it in memory anyway.
_AWS_MAX_BODY = 256 * 1024 * 1024
_AWS_BODY_SECONDS = 600.0
_SCRIPT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Options:
    """`token_webhook_cache_ttl` is in seconds. `init_dir` holds executables to run at every start.

    `image_map` says which commands stand for which images of pods. `mount_mode` spares the probe for how this machine
    mounts volumes. `signing_algorithm` is the kind of service account key, None for the kind there is; `rotate_key`
    makes a new one at this start.
    """

    token_webhook_cache_ttl: float = 1.0
    aws_only: bool = False
    init_dir: Path | None = None
    image_map: tuple["ImageEntry", ...] = ()
    mount_mode: "MountMode | None" = None
    signing_algorithm: str | None = None
    rotate_key: bool = False


class Sandbox:
    """`start` returns when everything answers; `stop` drains and may be called at any time."""

    def __init__(self, data_dir: DataDir, options: Options) -> None:
        self._data_dir = data_dir
        self._options = options
        self._servers: list[RunningServer] = []
        self._decisions: IO[str] | None = None
        self._log: JsonLinesDecisionLog | None = None
        self._aws: AwsSide | None = None
        self._cluster: ClusterSide | None = None
        self._key_changes: list[str] = []

    async def start(self) -> None:
        """Open state, start servers, run the user's scripts.

        Raises:
            InputError: a port is taken, state is unreadable, or a script of `init_dir` failed.
        """
        data_dir, ports = self._data_dir, self._data_dir.ports
        # a killed predecessor may have left its mark, and this process may have its number
        readiness.unmark(data_dir.path)
        authority = CertificateAuthority(data_dir.pki, name="iambridge sandbox CA", now=dt.datetime.now(dt.UTC))
        leaf = authority.leaf("servers", hosts=(_LOOPBACK, "localhost"))
        self._decisions = (data_dir.logs / "decisions.jsonl").open("a", encoding="utf-8")
        log = self._log = JsonLinesDecisionLog(self._decisions, time.time, linger=LINGER_SECONDS)
        self._aws = AwsSide(data_dir, log)
        await self._serve(self._aws.app, ports.aws, leaf, max_body=_AWS_MAX_BODY, body_timeout=_AWS_BODY_SECONDS)
        if not self._options.aws_only:
            # the AWS side alone should not pay for the cluster's imports
            from iambridge.sandbox.cluster_side import ClusterSide  # noqa: PLC0415
            from iambridge.sandbox.service_account_keys import ServiceAccountKeys  # noqa: PLC0415

            keys = ServiceAccountKeys(
                data_dir.pki,
                data_dir.path / SIGNING_KEY,
                algorithm=self._options.signing_algorithm,
                rotate=self._options.rotate_key,
                now=time.time(),
            )
            self._key_changes = keys.changes
            self._cluster = ClusterSide(
                data_dir,
                authority=authority,
                keys=keys,
                aws=self._aws,
                log=log,
                token_webhook_cache_ttl=self._options.token_webhook_cache_ttl,
                image_map=self._options.image_map,
                mount_mode=self._options.mount_mode,
            )
            for app, port in self._cluster.apps():
                await self._serve(app, port, leaf)
            await self._cluster.start()
        if self._options.init_dir is not None:
            await asyncio.to_thread(_run_scripts, self._options.init_dir, data_dir.path)
        readiness.mark(data_dir.path)

    async def stop(self) -> None:
        readiness.unmark(self._data_dir.path)
        if self._cluster is not None:
            await self._cluster.stop()
        await asyncio.gather(*(server.stop() for server in self._servers))
        if self._cluster is not None:
            await self._cluster.close()
        if self._aws is not None:
            await self._aws.close()
        if self._log is not None and self._decisions is not None:
            self._log.flush()
            self._decisions.close()

    async def _serve(self, app: App, port: int, leaf: Leaf, **limits: Any) -> None:
        server = RunningServer(app, Listener(_LOOPBACK, port, leaf.certificate, leaf.key, **limits))
        await server.start()
        self._servers.append(server)

    def banner(self) -> str:
        """What runs, what is enforced, what is lost at stop, and how to point clients at it."""
        ports, path = self._data_dir.ports, self._data_dir.path
        lines = [
            f"iambridge {__version__} on {path}",
            "",
            f"  AWS             {ports.url('aws')}   IAM and STS; all else is moto's",
        ]
        if not self._options.aws_only:
            lines += [
                f"  Kubernetes API  {ports.url('kubernetes')}",
                f"  OIDC issuer     {ports.url('issuer')}",
                f"  webhook         {ports.url('webhook')}/mutate",
                f"  authenticator   {ports.url('authenticator')}/authenticate",
                *(f"  service account keys: {change}" for change in self._key_changes),
            ]
        cluster = not self._options.aws_only
        lines += [
            "",
            "  Enforced: SigV4 on every AWS request (AssumeRoleWithWebIdentity carries a token instead);",
            "            web identity tokens against their issuer's keys and the role's trust policy; IAM policies,",
            f"            default deny{'; RBAC and admission on every Kubernetes request' if cluster else ''}.",
            "  In memory: what moto holds (S3 objects, EC2 instances and the like) is gone when this stops;",
            "            --init-dir D runs your scripts at every start to put it back. All else is kept.",
            *(
                ["  Not a sandbox for code: pods are processes of this machine with your own rights."]
                if cluster
                else []
            ),
            f"  Decisions: {path / 'logs/decisions.jsonl'}",
            "",
            f'  Point clients at it:  eval "$(iambridge env --data-dir {path})"',
        ]
        return "\n".join(lines)


def _run_scripts(folder: Path, data_dir: Path) -> None:
    """Run the executables of `folder` in order of name, with clients pointed at this sandbox."""
    if not folder.is_dir():
        raise InputError(f"--init-dir {folder} is not a directory", fix="give a directory of executable scripts")
    changes = client_environment(data_dir) | past_the_proxy(os.environ)
    environment = {name: value for name, value in os.environ.items() if name not in changes}
    environment.update({name: value for name, value in changes.items() if value is not None})
    for script in sorted(folder.iterdir()):
        if not script.is_file() or not os.access(script, os.X_OK):
            if script.is_file() and script.read_bytes()[:2] == b"#!":
                _log.warning("%s is a script and not executable, so it is left out: chmod +x", script)
            continue
        done = subprocess.run(  # noqa: S603 - the user's own scripts
            [script], cwd=folder, env=environment, timeout=_SCRIPT_SECONDS, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise InputError(
                f"the start script {script.name} failed with exit code {done.returncode}",
                where=str(script),
                cause=(done.stderr or done.stdout).strip()[-500:],
                fix="mend the script; state in the data directory is as it was",
            )
