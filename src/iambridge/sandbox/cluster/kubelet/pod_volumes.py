"""The volumes of one pod: fetched, written, and kept current while the pod runs."""

import asyncio
import logging
import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from iambridge.core.service_account_token import refresh_time
from iambridge.errors import FailedMount, KubernetesError, NotFound
from iambridge.sandbox.cluster.kubelet import volumes
from iambridge.sandbox.cluster.kubelet.environment import Object, Sources
from iambridge.sandbox.cluster.kubelet.host import Host
from iambridge.sandbox.cluster.kubelet.host_path import host_path
from iambridge.sandbox.cluster.kubelet.mounts import Mount
from iambridge.sandbox.cluster.kubelet.node import allocatable
from iambridge.sandbox.cluster.kubelet.process_user import volume_owner

_log = logging.getLogger(__name__)

_SYNC_SECONDS = 60.0
_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token with the times, in seconds since the epoch, at which it ends and at which to replace it."""

    token: str = field(repr=False)
    expires: float
    refresh: float


class PodVolumes:
    """Writes below `directory`, one directory a volume."""

    def __init__(self, host: Host, pod: Object, directory: Path) -> None:
        self._host = host
        self._pod = pod
        self._directory = directory
        self._tokens: dict[tuple[str, int], HeldToken] = {}

    async def prepare(self) -> None:
        """Bring every volume up to date.

        Raises:
            FailedMount: a volume of a type that is not supported, or one that needs an object that is not there.
            KubernetesError: the API server refused.
        """
        volumes.refuse_unsupported(self._pod)
        sources = await self.fetch(volumes.named_sources(self._pod))
        for projection in volumes.token_projections(self._pod):
            await self._hold_token(projection)
        tokens = {key: held.token for key, held in self._tokens.items()}
        group = volume_owner(self._pod)[1] if os.getuid() == 0 else None
        for volume in self._pod["spec"].get("volumes") or ():
            directory = self._place(volume)
            content = volumes.files(self._pod, volume, sources, tokens)
            if "emptyDir" in volume:
                _make(directory, group)
            elif content is not None:
                volumes.write(directory, volumes.owned(content, group), dated=self._dated)

    async def keep_current(self) -> None:
        """Renew tokens in time and follow ConfigMaps and Secrets, until cancelled. What fails keeps its old content."""
        while True:
            due = min((held.refresh for held in self._tokens.values()), default=float("inf"))
            await asyncio.sleep(min(_SYNC_SECONDS, max(due - self._host.now(), _RETRY_SECONDS)))
            try:
                await self.prepare()
            except (FailedMount, KubernetesError) as error:
                await self._host.events.warning(self._pod, "FailedMount", error.message)

    async def fetch(self, names: tuple[set[str], set[str]]) -> Sources:
        """The ConfigMaps and Secrets with these names, as far as they exist."""
        found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        namespace = self._pod["metadata"]["namespace"]
        for resource, wanted, into in zip(("configmaps", "secrets"), names, found, strict=True):
            for name in wanted:
                try:
                    into[name] = await self._host.client.get(resource, namespace, name)
                except NotFound:
                    continue
        return Sources(*found, allocatable())

    def mounts(self, container: Object) -> list[Mount]:
        """Where the container wants which volume.

        Raises:
            FailedMount, CreateContainerConfigError: a mount that cannot be given, by name.
        """
        known = {volume["name"]: volume for volume in self._pod["spec"].get("volumes") or ()}
        result = []
        for mount in container.get("volumeMounts") or ():
            if mount["name"] not in known or mount.get("subPathExpr"):
                why = (
                    "subPathExpr is not supported by the embedded node"
                    if mount.get("subPathExpr")
                    else "no such volume"
                )
                raise FailedMount(
                    f"volumeMount {mount['name']!r} of container {container['name']!r}: {why}",
                    fix="correct the container's volumeMounts",
                )
            source = self._place(known[mount["name"]])
            if mount.get("subPath"):
                source = volumes.subpath(source, mount["subPath"])
            # what the kubelet writes is read-only, whatever the mount says, as in Kubernetes since 1.9
            read_only = bool(mount.get("readOnly")) or not {"emptyDir", "hostPath"} & set(known[mount["name"]])
            result.append(Mount(mount["name"], mount["mountPath"], source, read_only))
        return result

    def _place(self, volume: Object) -> Path:
        """The directory that holds a volume.

        Raises:
            FailedMount: a hostPath that is not as its type says, or an emptyDir of a medium that is not to be had.
        """
        if "hostPath" in volume:
            return host_path(volume)
        medium = (volume.get("emptyDir") or {}).get("medium")
        if not medium:
            return self._directory / str(volume["name"])
        place = self._host.memory.place(self._pod["metadata"]["uid"], volume["name"]) if medium == "Memory" else None
        if place is None:
            raise FailedMount(
                f"volume {volume['name']!r}: the embedded node does not support emptyDir medium {medium} here",
                fix="leave medium out; the directory is then on disk",
            )
        return place

    async def _hold_token(self, projection: volumes.TokenProjection) -> None:
        held = self._tokens.get(projection.key)
        now = self._host.now()
        if held is not None and now < held.refresh:
            return
        try:
            self._tokens[projection.key] = await self._request_token(projection, now)
        except KubernetesError as error:
            if held is None or now >= held.expires:
                raise FailedMount(
                    f"volume {projection.volume!r}: failed to fetch token: {error.message}",
                    fix=error.fix or "correct what the API server names",
                ) from error
            _log.warning("token of %s not renewed: %s", self._pod["metadata"]["name"], error.message)

    async def _request_token(self, projection: volumes.TokenProjection, now: float) -> HeldToken:
        metadata = self._pod["metadata"]
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": self._pod["spec"].get("serviceAccountName") or "default"},
            "spec": {
                "audiences": [projection.audience] if projection.audience else [],
                "expirationSeconds": projection.seconds,
                "boundObjectRef": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                },
            },
        }
        status = (
            await self._host.client.create("serviceaccounts", metadata["namespace"], request, subresource="token")
        )["status"]
        expires = datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
        return HeldToken(status["token"], expires, refresh_time(now, expires, self._host.random()))

    def _dated(self) -> str:
        return f"{datetime.fromtimestamp(self._host.now()).astimezone():%Y_%m_%d_%H_%M_%S}.{secrets.token_hex(4)}"


def _make(directory: Path, group: int | None) -> None:
    """An emptyDir: anyone in the pod may write it, and with fsGroup what is made in it belongs to that group."""
    if directory.exists():
        return
    directory.mkdir(parents=True)
    if group is not None:
        os.chown(directory, -1, group)
    directory.chmod(0o777 if group is None else 0o2777)
