"""What every pod of a node shares: its configuration, and the node's own parts."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.kubelet.command import ImageEntry
from iambridge.sandbox.cluster.kubelet.memory_volumes import MemoryVolumes
from iambridge.sandbox.cluster.kubelet.mount_mode import MountMode
from iambridge.sandbox.cluster.kubelet.process import Warden

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def search_path() -> str:
    """The PATH of a pod's process: this Python's own bin directory first, where what is installed with us is."""
    return os.pathsep.join((str(Path(sys.executable).parent), _SYSTEM_PATH))


@dataclass(frozen=True, slots=True)
class KubeletConfiguration:
    """`directory` holds the pods' volumes, logs and homes, and must be private to the user.

    `environment` is what the node adds to every container that does not set the name itself: endpoint, CA bundle and
    region. `readable` are the files that these variables name: every pod can read them, whatever its user.
    `instance_metadata_endpoint` is the URL of the node's IMDS when it has an instance profile; without one,
    SDKs in pods are told that there is none.
    """

    directory: Path
    api_host: str
    api_port: int
    node_name: str = "iambridge"
    environment: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    image_map: tuple[ImageEntry, ...] = ()
    instance_metadata_endpoint: str = ""
    path: str = field(default_factory=search_path)

    def aws_environment(self) -> dict[str, str]:
        if self.instance_metadata_endpoint:
            return {**self.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.instance_metadata_endpoint}
        return {**self.environment, "AWS_EC2_METADATA_DISABLED": "true"}

    def service_environment(self) -> dict[str, str]:
        """What in-cluster configuration reads. Source: client-go rest.InClusterConfig."""
        port = str(self.api_port)
        return {
            "KUBERNETES_SERVICE_HOST": self.api_host,
            "KUBERNETES_SERVICE_PORT": port,
            "KUBERNETES_SERVICE_PORT_HTTPS": port,
        }


@dataclass(frozen=True, slots=True)
class Host:
    """`now` gives seconds since the epoch, `random` a number in [0, 1) for jitter.

    `pod_network` is where pods have their addresses; None when they share the host's.
    """

    configuration: KubeletConfiguration
    client: SystemClient
    events: EventRecorder
    mode: MountMode
    warden: Warden
    now: Callable[[], float]
    random: Callable[[], float]
    pod_network: IPv4Network | None = None
    memory: MemoryVolumes = field(default_factory=lambda: MemoryVolumes(None))
