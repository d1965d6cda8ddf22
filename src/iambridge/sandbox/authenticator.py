"""The IAM authenticator as the sandbox runs it: the production server, pointed at the sandbox's own AWS and cluster."""

import asyncio
import contextlib
import datetime as dt
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from iambridge.adapters.aws_auth_config_map import ConfigMapMappings
from iambridge.adapters.ec2_names import Ec2InstanceNames
from iambridge.adapters.kubernetes import KubernetesClient
from iambridge.adapters.sts_client import StsClient
from iambridge.core import sigv4
from iambridge.core.authenticator_token import HostRules
from iambridge.core.aws_auth import Source
from iambridge.ports import DecisionLog
from iambridge.servers.caller_identity_cache import CachedCallerIdentities
from iambridge.servers.iam_authenticator import AuthenticatorSettings, IamAuthenticator
from iambridge.wire.http import App

_CACHE_SECONDS = 60.0


class EmbeddedAuthenticator:
    """Answers at `app` after `start`. `aws_url` is the sandbox's gateway, `ca_file` its authority.

    `client` reaches the cluster as somebody who may watch the ConfigMap aws-auth and create Events in kube-system;
    `credentials` allow ec2:DescribeInstances. Tokens for AWS's own hosts are sent to the gateway as well, as are those
    for the gateway itself.
    """

    def __init__(
        self,
        client: KubernetesClient,
        *,
        cluster_id: str,
        aws_url: str,
        ca_file: Path,
        credentials: sigv4.Credentials,
        region: str,
        decision_log: DecisionLog,
    ) -> None:
        self._client = client
        self._config_map = ConfigMapMappings(client, now=time.time)
        self._sts = StsClient(endpoint=aws_url, ca_file=ca_file)

        async def known() -> sigv4.Credentials:
            return credentials

        self._names = Ec2InstanceNames(known, endpoint=aws_url, region=region, now=_utc, ca_file=ca_file)
        self._server = IamAuthenticator(
            AuthenticatorSettings(cluster_id, HostRules.of(extra=[urlsplit(aws_url).netloc])),
            callers=CachedCallerIdentities(
                self._sts, cluster_id=cluster_id, endpoint=aws_url, ttl=_CACHE_SECONDS, now=time.monotonic
            ),
            instances=self._names,
            sources=lambda: (Source("EKSConfigMap", self._config_map.mappings),),
            not_ready=lambda: "" if self._config_map.synced else "ConfigMap kube-system/aws-auth is not read yet",
            decision_log=decision_log,
            now=_utc,
            new_id=lambda: str(uuid.uuid4()),
        )
        self._watching: asyncio.Task[None] | None = None

    @property
    def app(self) -> App:
        return self._server.app

    async def start(self) -> None:
        """Begin to watch; it does not wait for the cluster."""
        self._watching = asyncio.create_task(self._config_map.run(), name="aws-auth")

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        for part in (self._sts, self._names, self._client):
            await part.close()


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
