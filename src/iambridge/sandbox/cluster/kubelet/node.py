"""The Node object and its heartbeat."""

import asyncio
import logging
import os
import platform
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from iambridge import __version__
from iambridge.errors import AlreadyExists, KubernetesError, NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.kubelet.host import Host
from iambridge.sandbox.cluster.kubelet.pod_status import HOST_ADDRESS
from iambridge.sandbox.cluster.timestamps import timestamp

_log = logging.getLogger(__name__)

_LEASE_SECONDS = 40
_HEARTBEAT_SECONDS = 10.0
_LEASE_NAMESPACE = "kube-node-lease"
_MOST_PODS = 110

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_WARNING = (
    "not a sandbox: pods are processes of this machine with the rights of the user who started iambridge,"
    " or of the user that they name where that was root"
)


def node_object(name: str, mount_mode: str, pod_network: IPv4Network | None = None) -> dict[str, Any]:
    """The Node as it is registered: pods here are processes, and it says so wherever a person looks."""
    system, architecture = platform.system().lower(), _ARCHITECTURES.get(platform.machine(), platform.machine())
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": system,
                "kubernetes.io/arch": architecture,
                "iambridge.dev/runtime": "process",
            },
            "annotations": {"iambridge.dev/isolation": _WARNING, "iambridge.dev/mount-mode": mount_mode},
        },
        "spec": {"podCIDR": str(pod_network), "podCIDRs": [str(pod_network)]} if pod_network else {},
    }


def allocatable() -> dict[str, str]:
    """What this machine has, as quantities."""
    return {"cpu": str(os.cpu_count() or 1), "memory": _memory(), "pods": str(_MOST_PODS)}


def node_status(now: str, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """Real figures of this machine, where it tells them."""
    resources = allocatable()
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "the process kubelet is ready",
        "lastHeartbeatTime": now,
        "lastTransitionTime": next((c["lastTransitionTime"] for c in conditions if c.get("type") == "Ready"), now),
    }
    return {
        "addresses": [
            {"type": "InternalIP", "address": HOST_ADDRESS},
            {"type": "Hostname", "address": platform.node()},
        ],
        "capacity": resources,
        "allocatable": resources,
        "conditions": [ready],
        "nodeInfo": {
            "machineID": _read("/etc/machine-id"),
            "systemUUID": "",
            "bootID": _read("/proc/sys/kernel/random/boot_id"),
            "kernelVersion": platform.release(),
            "osImage": _os_image(),
            "containerRuntimeVersion": f"process://{__version__}",
            "kubeletVersion": f"v{__version__}+iambridge",
            "kubeProxyVersion": "",
            "operatingSystem": platform.system().lower(),
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        },
    }


async def register(host: Host) -> dict[str, Any]:
    """Create or renew the Node and its status; returns it."""
    client, name = host.client, host.configuration.node_name
    wanted = node_object(name, host.mode.value, host.pod_network)
    try:
        node: dict[str, Any] = await client.create("nodes", "", wanted)
    except AlreadyExists:
        metadata = {key: wanted["metadata"][key] for key in ("labels", "annotations")}
        change = {"metadata": metadata, "spec": wanted["spec"]}
        node = await client.patch("nodes", "", name, change, kind="merge")
    await _write_status(client, name, node, timestamp(host.now()))
    return node


async def heartbeat(host: Host) -> None:
    """Renew the node's Lease until cancelled, as a kubelet does each 10 seconds."""
    while True:
        try:
            await _renew(host)
        except KubernetesError as error:
            _log.warning("lease of node %s not renewed: %s", host.configuration.node_name, error.message)
        await asyncio.sleep(_HEARTBEAT_SECONDS)


async def _renew(host: Host) -> None:
    client, name = host.client, host.configuration.node_name
    now = timestamp(host.now()).replace("Z", ".000000Z")
    spec = {"holderIdentity": name, "leaseDurationSeconds": _LEASE_SECONDS, "renewTime": now}
    try:
        await client.patch("leases.coordination.k8s.io", _LEASE_NAMESPACE, name, {"spec": spec}, kind="merge")
    except NotFound:
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": _LEASE_NAMESPACE},
            "spec": spec,
        }
        await client.create("leases.coordination.k8s.io", _LEASE_NAMESPACE, lease)


async def _write_status(client: SystemClient, name: str, node: dict[str, Any], now: str) -> None:
    status = node_status(now, (node.get("status") or {}).get("conditions") or [])
    await client.patch("nodes", "", name, {"status": status}, kind="merge", subresource="status")


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 1024}Ki"
    except (ValueError, OSError):
        return "0"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return f"{platform.system()} {platform.release()}"
