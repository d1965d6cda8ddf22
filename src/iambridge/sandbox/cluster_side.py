"""Puts the cluster side together: API server, issuer, controllers, kubelet, and the daemons it asks over TLS."""

import asyncio
import time
from pathlib import Path

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.core.sigv4 import Credentials
from iambridge.errors import InputError
from iambridge.ports import DecisionLog
from iambridge.sandbox.aws.embedded_cluster import EmbeddedCluster
from iambridge.sandbox.aws_side import AwsSide
from iambridge.sandbox.client_environment import workload_environment
from iambridge.sandbox.cluster.cluster import Cluster
from iambridge.sandbox.cluster.controllers.control_plane import ControlPlane
from iambridge.sandbox.cluster.kubelet.command import ImageEntry
from iambridge.sandbox.cluster.kubelet.host import KubeletConfiguration
from iambridge.sandbox.cluster.kubelet.kubelet import Kubelet, kubelet_identity
from iambridge.sandbox.cluster.kubelet.mount_mode import MountMode
from iambridge.sandbox.cluster.token_review_webhook import TokenReviewWebhook
from iambridge.sandbox.cluster_addons import install
from iambridge.sandbox.cluster_identities import AUTHENTICATOR, WEBHOOK, open_identities
from iambridge.sandbox.daemons import AuthenticatorDaemon, WebhookDaemon
from iambridge.sandbox.data_dir import DataDir
from iambridge.sandbox.image_map import BUILT_IN
from iambridge.sandbox.service_account_keys import ServiceAccountKeys
from iambridge.wire.http import App

CLUSTER_NAME = "iambridge"
_READY_SECONDS = 30.0
_DESCRIBE_INSTANCES = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}],
}


class ClusterSide:
    """`apps` are served by the sandbox before `start`; `stop` ends what runs, `close` what is stored."""

    def __init__(
        self,
        data_dir: DataDir,
        *,
        authority: CertificateAuthority,
        keys: ServiceAccountKeys,
        aws: AwsSide,
        log: DecisionLog,
        token_webhook_cache_ttl: float,
        image_map: tuple[ImageEntry, ...] = (),
        mount_mode: MountMode | None = None,
    ) -> None:
        self._ports, self._ca_pem = data_dir.ports, authority.pem
        ports, ca_file = data_dir.ports, authority.certificate_file
        identities = open_identities(
            data_dir.cluster / "identities", data_dir.kubeconfig, server=ports.url("kubernetes"), ca_pem=authority.pem
        )
        self._token_review = TokenReviewWebhook(
            f"{ports.url('authenticator')}/authenticate",
            ca_file,
            cache_ttl_authorized=token_webhook_cache_ttl,
            cache_ttl_unauthorized=token_webhook_cache_ttl,
            now=time.monotonic,
        )
        self._cluster = Cluster(
            data_dir.cluster,
            issuer_url=ports.url("issuer"),
            server_url=ports.url("kubernetes"),
            signing_keys=keys.all,
            before_signing=keys.before_signing,
            static_tokens=identities.tokens,
            token_review=self._token_review,
            log=log,
        )
        self._webhook = WebhookDaemon(identities.kubeconfigs[WEBHOOK], log)
        key = aws.account.service_user("authenticator", _DESCRIBE_INSTANCES)
        self._authenticator = AuthenticatorDaemon(
            identities.kubeconfigs[AUTHENTICATOR],
            log,
            cluster_id=CLUSTER_NAME,
            aws_url=ports.url("aws"),
            ca_file=ca_file,
            instance_reader=Credentials(key.id, key.secret),
        )
        aws.account.embedded_cluster = EmbeddedCluster(
            CLUSTER_NAME, ports.url("issuer"), ports.url("kubernetes"), authority.pem.decode()
        )
        self._control_plane = ControlPlane(
            self._cluster.client, resources=self._cluster.served, certificate=authority.pem.decode(), now=time.time
        )
        self._cluster.on_served_change(self._control_plane.refresh)
        configuration = _node(data_dir, ca_file, image_map)
        node_client = self._cluster.client(*kubelet_identity(configuration.node_name))
        self._kubelet = Kubelet(configuration, node_client, now=time.time, mode=mount_mode)
        self._cluster.set_log_source(self._kubelet.logs)

    def apps(self) -> tuple[tuple[App, int], ...]:
        return (
            (self._cluster.app, self._ports.kubernetes),
            (self._cluster.issuer_app, self._ports.issuer),
            (self._webhook.app, self._ports.webhook),
            (self._authenticator.app, self._ports.authenticator),
        )

    async def start(self) -> None:
        """Start everything, in the order in which each needs the other, and wait until the daemons have synced.

        Raises:
            InputError: a daemon did not become ready.
        """
        await self._cluster.start()
        await self._control_plane.start()
        administrator = self._cluster.client("kubernetes-admin", ("system:masters", "system:authenticated"))
        await install(administrator, webhook_url=self._ports.url("webhook"), ca_pem=self._ca_pem)
        self._webhook.start()
        self._authenticator.start()
        await self._kubelet.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not (self._webhook.ready and self._authenticator.ready):
            if time.monotonic() > deadline:
                raise InputError("the webhook or the authenticator did not sync with the API server in time")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        await self._kubelet.close()
        await self._control_plane.close()
        await self._webhook.close()
        await self._authenticator.close()

    async def close(self) -> None:
        await self._token_review.close()
        await self._cluster.close()


def _node(data_dir: DataDir, ca_file: Path, image_map: tuple[ImageEntry, ...]) -> KubeletConfiguration:
    """The node adds endpoint, CA bundle and region to each container at exec time; no manifest names them."""
    return KubeletConfiguration(
        directory=data_dir.path / "pods",
        api_host="127.0.0.1",
        api_port=data_dir.ports.kubernetes,
        environment=workload_environment(data_dir.path, data_dir.ports),
        readable=(ca_file,),
        image_map=(*image_map, *BUILT_IN),
    )
