"""The webhook as a daemon: facts, server, metrics, certificate, signals. Composition only."""

import argparse
import asyncio
import gc
import logging
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from iambridge.adapters import kubeconfig
from iambridge.adapters.certificates import Leaf
from iambridge.adapters.decision_log import LINGER_SECONDS, JsonLinesDecisionLog, NoDecisionLog
from iambridge.adapters.eks_webhook import has_eks_webhook
from iambridge.adapters.instance_identity import instance_identity, partition_of
from iambridge.adapters.kubernetes import KubernetesClient
from iambridge.adapters.pod_identity_events import IdentityEvents
from iambridge.adapters.pod_identity_facts import ClusterFacts
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.adapters.serving_certificate import CertificateMetrics
from iambridge.cli.serve_webhook import refuse_beside_eks
from iambridge.cli.webhook_certificate import Certificate, certificate_from_files, self_managed_certificate
from iambridge.cli.webhook_settings import settings_of
from iambridge.core.pod_identity import ComposeRoleArn, Settings
from iambridge.servers.pod_identity_webhook import PodIdentityWebhook, WebhookMetrics
from iambridge.wire.http import App, Request, Response

_BODY_SECONDS = 30.0  # the longest timeoutSeconds of a webhook: nobody waits for an answer after that
_MAX_BODY = 8 * 1024 * 1024  # bytes: a request of the API server holds at most two objects of 3 MiB


def run(arguments: argparse.Namespace, *, minimum_tls: str) -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return int(uvloop.run(_serve(arguments, minimum_tls)))


def client_of(arguments: argparse.Namespace) -> KubernetesClient:
    """By --kubeconfig, else as a pod; --kube-api takes the place of the server's URL."""
    if arguments.kubeconfig:
        access = kubeconfig.from_kubeconfig(Path(arguments.kubeconfig))
    elif arguments.kube_api:
        access = kubeconfig.anonymous(arguments.kube_api)
    else:
        access = kubeconfig.in_cluster()
    if arguments.kube_api:
        access.server = arguments.kube_api.rstrip("/")
    return KubernetesClient(access)


class _Stopping:
    """SIGTERM gives the Service time to forget us; SIGINT, a person's, does not."""

    def __init__(self, delay: float) -> None:
        self.asked = asyncio.Event()
        self.delay = delay
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.asked.set)
        loop.add_signal_handler(signal.SIGINT, self._at_once)

    def _at_once(self) -> None:
        self.delay = 0.0
        self.asked.set()


class _Readiness:
    """Whether requests should be sent here. `beside` is set once it is known that we may serve beside who else does."""

    def __init__(self, stopping: _Stopping, certificate: Certificate) -> None:
        self._stopping = stopping
        self._certificate = certificate
        self.beside = asyncio.Event()

    def lacks(self) -> str:
        """Why not, or empty."""
        if self._stopping.asked.is_set():
            return "shutting down"
        if not self.beside.is_set():
            return "not known whether EKS's webhook is here"
        return self._certificate.not_ready


async def _serve(arguments: argparse.Namespace, minimum_tls: str) -> int:
    stopping = _Stopping(arguments.shutdown_delay)
    compose = None
    if arguments.compose_role_arn:
        identity = await instance_identity()
        compose = ComposeRoleArn(partition_of(identity.region), identity.account)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="iambridge-webhook-")))
        certificate_metrics = CertificateMetrics("pod_identity_webhook")
        files = None
        if not arguments.self_managed_tls:  # wrong files are said before anything else
            files = certificate_from_files(arguments, directory, certificate_metrics)
        client = client_of(arguments)
        stack.push_async_callback(client.close)
        certificate = files or self_managed_certificate(arguments, client, directory, certificate_metrics)
        metrics = WebhookMetrics(certificate_metrics.all)
        facts = _facts_of(arguments, settings_of(arguments, compose), client, metrics)
        events = IdentityEvents(client, now=time.time)
        readiness = _Readiness(stopping, certificate)
        log = _decision_log(arguments)
        stack.callback(log.flush)
        webhook = PodIdentityWebhook(
            facts,
            settings_of(arguments, compose),
            log,
            metrics=metrics,
            not_injected=events.not_injected,
            not_ready=readiness.lacks,
        )
        server, metrics_server = _servers(arguments, webhook, facts, certificate.leaf, minimum_tls)
        await metrics_server.start()
        stack.push_async_callback(metrics_server.stop)
        stack.push_async_callback(server.stop)
        await _until_stopped(
            stopping,
            server,
            facts.run(),
            events.run(),
            certificate.run(server.reload),
            _start(certificate, server),
            _refuse_beside_eks(arguments, client, readiness.beside),
            _announce(facts, certificate, client.server, arguments.port),
        )
    return 0


def _servers(
    arguments: argparse.Namespace, webhook: PodIdentityWebhook, facts: ClusterFacts, leaf: Leaf, minimum_tls: str
) -> tuple[RunningServer, RunningServer]:
    """The webhook's on TLS and the metrics' on plain HTTP, not started."""
    metrics_app = _with_debug(webhook, facts) if arguments.enable_debugging_handlers else webhook.metrics_app
    host = arguments.bind_address or _any_address()
    secured = Listener(host, arguments.port, leaf.certificate, leaf.key, max_body=_MAX_BODY, minimum_tls=minimum_tls)
    return RunningServer(webhook.app, secured), RunningServer(metrics_app, Listener(host, arguments.metrics_port))


async def _until_stopped(stopping: _Stopping, server: RunningServer, *work: Coroutine[Any, Any, None]) -> None:
    """Do all the work until a signal; then drain while it goes on. The first refusal ends everything."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            await stopping.asked.wait()
            await server.drain(stopping.delay)
            await server.stop()
            for task in tasks:
                task.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _start(certificate: Certificate, server: RunningServer) -> None:
    await certificate.loaded.wait()
    await server.start()


async def _refuse_beside_eks(arguments: argparse.Namespace, client: KubernetesClient, beside: asyncio.Event) -> None:
    """Set `beside` when we may serve.

    Raises:
        InputError: EKS's webhook is here and nobody said that both shall be, or they would not do the same.
    """
    if await has_eks_webhook(client):
        refuse_beside_eks(arguments)
        logging.getLogger(__name__).warning("EKS's own pod identity webhook is here too (--beside-eks)")
    beside.set()


def _decision_log(arguments: argparse.Namespace) -> JsonLinesDecisionLog | NoDecisionLog:
    return (
        JsonLinesDecisionLog(sys.stdout, time.time, linger=LINGER_SECONDS)
        if arguments.decision_log
        else NoDecisionLog()
    )


def _facts_of(
    arguments: argparse.Namespace, settings: Settings, client: KubernetesClient, metrics: WebhookMetrics
) -> ClusterFacts:
    credentials = arguments.watch_container_credentials_config
    return ClusterFacts(
        client,
        settings,
        now=time.time,
        config_map_namespace=arguments.namespace if arguments.watch_config_map else "",
        credentials_file=Path(credentials) if credentials else None,
        read_throughs=metrics.read_throughs,
        used=metrics.used,
    )


async def _announce(facts: ClusterFacts, certificate: Certificate, api_server: str, port: int) -> None:
    await certificate.loaded.wait()
    while not facts.synced:  # noqa: ASYNC110 - several informers, each with an event of its own
        await asyncio.sleep(0.05)
    gc.collect()
    gc.freeze()  # the cache lives as long as the process: collections need not walk it
    print(f"webhook is ready on port {port}, {len(facts.accounts)} ServiceAccounts of {api_server}", file=sys.stderr)


def _with_debug(webhook: PodIdentityWebhook, facts: ClusterFacts) -> App:
    async def app(request: Request) -> Response:
        if request.path == "/debug/alpha/cache":
            cache = {
                key: {
                    "RoleARN": identity.role_arn,
                    "Audience": identity.audience,
                    "UseRegionalSTS": identity.regional_sts,
                    "TokenExpiration": identity.token_expiration,
                }
                for key, identity in facts.accounts.items()
            }
            return Response(200, (("content-type", "application/json"),), msgspec.json.encode(cache))
        return await webhook.metrics_app(request)

    return app


def _any_address() -> str:
    """All addresses, of both families where the machine has IPv6: as Go binds an empty host."""
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - the API server reaches us from outside
