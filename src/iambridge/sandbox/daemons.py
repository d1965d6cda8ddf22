"""The two daemons inside the sandbox: the same servers as stand-alone, with adapters that point at this sandbox."""

import asyncio
import datetime as dt
import time
from pathlib import Path

from iambridge.adapters.aws_auth_config_map import ConfigMapMappings
from iambridge.adapters.ec2_names import Ec2InstanceNames
from iambridge.adapters.kubernetes import KubernetesClient
from iambridge.adapters.pod_identity_events import IdentityEvents
from iambridge.adapters.pod_identity_facts import ClusterFacts
from iambridge.adapters.randomness import uuid4
from iambridge.adapters.sts_client import StsClient
from iambridge.core.authenticator_token import HostRules
from iambridge.core.aws_auth import Source
from iambridge.core.pod_identity import Settings
from iambridge.core.sigv4 import Credentials
from iambridge.ports import DecisionLog
from iambridge.sandbox.client_environment import REGION
from iambridge.sandbox.cluster.cancellation import cancel_all
from iambridge.servers.caller_identity_cache import CachedCallerIdentities
from iambridge.servers.iam_authenticator import AuthenticatorSettings, IamAuthenticator
from iambridge.servers.pod_identity_webhook import PodIdentityWebhook, WebhookMetrics

_TOKEN_CACHE_SECONDS = 60.0


class WebhookDaemon:
    """The pod identity webhook over the API server that `kubeconfig` names."""

    def __init__(self, kubeconfig: Path, log: DecisionLog) -> None:
        self._client = KubernetesClient.from_kubeconfig(kubeconfig)
        settings, metrics = Settings(), WebhookMetrics()
        self._facts = ClusterFacts(
            self._client, settings, now=time.time, read_throughs=metrics.read_throughs, used=metrics.used
        )
        self._events = IdentityEvents(self._client, now=time.time)
        server = PodIdentityWebhook(self._facts, settings, log, metrics=metrics, not_injected=self._events.not_injected)
        self.app = server.app
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._facts.run()), asyncio.create_task(self._events.run())]

    @property
    def ready(self) -> bool:
        return self._facts.synced

    async def close(self) -> None:
        await cancel_all(self._tasks)
        await self._client.close()


class AuthenticatorDaemon:
    """The IAM authenticator: aws-auth from the API server, STS and EC2 from the account at `aws_url`.

    `instance_reader` may call ec2:DescribeInstances and nothing else.
    """

    def __init__(
        self,
        kubeconfig: Path,
        log: DecisionLog,
        *,
        cluster_id: str,
        aws_url: str,
        ca_file: Path,
        instance_reader: Credentials,
    ) -> None:
        self._client = KubernetesClient.from_kubeconfig(kubeconfig)
        self._aws_auth = ConfigMapMappings(self._client, now=time.time)
        self._sts = StsClient(endpoint=aws_url, ca_file=ca_file)

        async def credentials() -> Credentials:
            return instance_reader

        self._instances = Ec2InstanceNames(credentials, endpoint=aws_url, region=REGION, now=_now, ca_file=ca_file)
        server = IamAuthenticator(
            AuthenticatorSettings(cluster_id, HostRules.of("aws", extra=[aws_url.removeprefix("https://")])),
            callers=CachedCallerIdentities(
                self._sts, cluster_id=cluster_id, endpoint=aws_url, ttl=_TOKEN_CACHE_SECONDS, now=time.monotonic
            ),
            instances=self._instances,
            sources=lambda: (Source("EKSConfigMap", self._aws_auth.mappings),),
            not_ready=lambda: "" if self._aws_auth.synced else "aws-auth has not been read yet",
            decision_log=log,
            now=_now,
            new_id=uuid4,
        )
        self.app = server.app
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._aws_auth.run())]

    @property
    def ready(self) -> bool:
        return self._aws_auth.synced

    async def close(self) -> None:
        await cancel_all(self._tasks)
        await self._sts.close()
        await self._instances.close()
        await self._client.close()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
