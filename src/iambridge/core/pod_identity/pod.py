"""The part of a pod that the webhook reads. Everything else in the object is neither decoded nor touched.

Source: k8s.io/api core/v1 types.
"""

from typing import Any

import msgspec


class _View(msgspec.Struct, rename="camel", gc=False):
    """A typed view: unknown fields are skipped, null means absent."""


class EnvVar(_View):
    name: str = ""


class VolumeMount(_View):
    name: str = ""
    mount_path: str = ""
    sub_path: str | None = None
    sub_path_expr: str | None = None


class Container(_View):
    name: str = ""
    env: list[EnvVar] | None = None
    volume_mounts: list[VolumeMount] | None = None


class ServiceAccountTokenProjection(_View):
    audience: str | None = None
    path: str | None = None


class VolumeProjection(_View):
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(_View):
    sources: list[VolumeProjection] | None = None


class Volume(_View):
    name: str = ""
    projected: ProjectedVolumeSource | None = None


class PodOS(_View):
    name: str | None = None


class PodSpec(_View):
    service_account_name: str | None = None
    node_selector: dict[str, str] | None = None
    os: PodOS | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None


class ObjectMeta(_View):
    name: str | None = None
    generate_name: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Pod(_View):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)

    @classmethod
    def of(cls, pod: Any) -> "Pod":
        """The view of a decoded pod.

        Raises:
            msgspec.ValidationError: a field that is read has another type; the message names the field, not its value.
        """
        return msgspec.convert(pod, cls)

    @property
    def shown_name(self) -> str:
        """The pod's name, or its generateName when the name is not drawn yet."""
        return self.metadata.name or self.metadata.generate_name or ""

    @property
    def windows(self) -> bool:
        selector = self.spec.node_selector or {}
        return (
            selector.get("kubernetes.io/os") == "windows"
            or selector.get("beta.kubernetes.io/os") == "windows"
            or (self.spec.os is not None and self.spec.os.name == "windows")
        )
