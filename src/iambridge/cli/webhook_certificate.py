"""Where the webhook's serving certificate comes from: files that somebody renews, or its own authority."""

import argparse
import asyncio
import datetime as dt
import socket
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from iambridge.adapters.certificates import Leaf
from iambridge.adapters.kubernetes import KubernetesClient
from iambridge.adapters.leader_lease import LeaderLease
from iambridge.adapters.self_managed_tls import Names, SelfManagedCertificate
from iambridge.adapters.serving_certificate import CertificateMetrics, ServingCertificate


class Certificate(Protocol):
    """`leaf` is there once `loaded` is set; `run` calls `changed` whenever it is another one."""

    leaf: Leaf
    loaded: asyncio.Event

    @property
    def not_ready(self) -> str:
        """Why no client can trust it, or empty."""

    async def run(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled."""


class _FromFiles:
    def __init__(self, source: ServingCertificate) -> None:
        source.load()
        self._source = source
        self.leaf = source.leaf
        self.loaded = asyncio.Event()
        self.loaded.set()

    @property
    def not_ready(self) -> str:
        return ""  # whether the caBundle fits is known to whoever renews the files

    async def run(self, changed: Callable[[], Awaitable[None]]) -> None:
        await self._source.watch(changed)


def certificate_from_files(arguments: argparse.Namespace, directory: Path, metrics: CertificateMetrics) -> Certificate:
    """Of --tls-cert and --tls-key, copied to `directory`.

    Raises:
        InputError: a file is missing or wrong.
    """
    return _FromFiles(ServingCertificate(arguments.tls_cert, arguments.tls_key, directory, metrics=metrics))


def self_managed_certificate(
    arguments: argparse.Namespace, client: KubernetesClient, directory: Path, metrics: CertificateMetrics
) -> Certificate:
    """Of the Secret, copied to `directory`; there when an API server has been reached."""
    names = Names(
        namespace=arguments.namespace,
        service=arguments.service_name,
        secret=arguments.tls_secret,
        lease=arguments.lease,
        configuration=arguments.webhook_configuration,
    )
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    lease = LeaderLease(client, names.namespace, names.lease, identity=identity, now=_now)
    return SelfManagedCertificate(client, names, lease, directory, now=_now, metrics=metrics)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
