"""As which user a container's process runs: pure, from its securityContext and the kubelet's own user.

A kubelet that is root gives a process the user and groups that the pod names, and an unprivileged one to a pod that
says runAsNonRoot and no more. Any other kubelet has only its own user to give.
Sources: core/v1 SecurityContext; kubernetes pkg/kubelet/kuberuntime/security_context.go.
"""

from dataclasses import dataclass
from typing import Any

from iambridge.errors import CreateContainerConfigError
from iambridge.sandbox.cluster.kubelet.environment import Object

NON_ROOT = 65532  # what `nonroot` is in distroless images; there is no image here to name another


@dataclass(frozen=True, slots=True)
class ProcessUser:
    """Numeric ids; `groups` are the supplementary ones."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rights:
    """`user` None is the kubelet's own. `read_only` is the whole file system but for the pod's writable volumes.

    `confined`: no set-user-ID program gives the process more. `powerless`: no capability is left to it.
    """

    user: ProcessUser | None = None
    confined: bool = False
    powerless: bool = False
    read_only: bool = False


def security_context(pod: Object, container: Object) -> dict[str, Any]:
    """The container's effective securityContext: its own fields over the pod's."""
    return {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}


def process_user(pod: Object, container: Object, kubelet_uid: int) -> ProcessUser | None:
    """Whom to become before exec; None for the kubelet's own user.

    Without a runAsGroup the group has the user's number: the host's group 0 would be no less than root's files.

    Raises:
        CreateContainerConfigError: a user that cannot be given, or root under runAsNonRoot, in the kubelet's words.
    """
    security = security_context(pod, container)
    user, group = security.get("runAsUser"), security.get("runAsGroup")
    if security.get("runAsNonRoot") and user == 0:
        metadata = pod["metadata"]
        named = f"{metadata['name']}_{metadata['namespace']}({metadata.get('uid', '')})"
        raise CreateContainerConfigError(
            f'container\'s runAsUser breaks non-root policy (pod: "{named}", container: {container["name"]})',
            fix="leave runAsUser out, or name another user",
        )
    if kubelet_uid != 0:
        if user not in (None, kubelet_uid):
            raise CreateContainerConfigError(
                f"the embedded node runs containers as user {kubelet_uid}, not as runAsUser {user}",
                fix=f"leave runAsUser out, or set it to {kubelet_uid}",
            )
        return None
    if user is None and security.get("runAsNonRoot"):
        user = NON_ROOT
    extra = [security["fsGroup"]] if security.get("fsGroup") is not None else []
    groups = tuple(dict.fromkeys([*extra, *(security.get("supplementalGroups") or ())]))
    if user in (None, 0) and group is None and not groups:
        return None
    uid = int(user or 0)
    return ProcessUser(uid, uid if group is None else int(group), groups)


def rights(pod: Object, container: Object, kubelet_uid: int) -> Rights:
    """What a container's process may be; only root has capabilities to lose.

    Raises:
        CreateContainerConfigError: as `process_user`.
    """
    security = security_context(pod, container)
    capabilities = security.get("capabilities") or {}
    drops_all = "ALL" in (capabilities.get("drop") or ()) and not capabilities.get("add")
    return Rights(
        process_user(pod, container, kubelet_uid),
        confined=security.get("allowPrivilegeEscalation") is False,
        powerless=drops_all and kubelet_uid == 0,
        read_only=bool(security.get("readOnlyRootFilesystem")),
    )


def volume_owner(pod: Object) -> tuple[int | None, int | None]:
    """The user that token files belong to, when all containers name the same, and the group of all files (fsGroup).

    Sources: kubernetes pkg/volume/util FsUserFrom; KEP-1205.
    """
    spec = pod["spec"]
    users = {
        security_context(pod, container).get("runAsUser")
        for key in ("initContainers", "containers")
        for container in spec.get(key) or ()
    }
    user = users.pop() if len(users) == 1 else None
    return user, (spec.get("securityContext") or {}).get("fsGroup")
