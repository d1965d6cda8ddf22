"""What a node that runs pods as host processes cannot honour: warned of, or refused where meaning would change."""

from collections.abc import Iterator, Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, service_target
from iambridge.sandbox.cluster.objects.field_error import FieldError

_TEMPLATES = {"Pod": ("spec",), "Job": ("spec", "template", "spec")}
_TEMPLATES |= dict.fromkeys(("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"), ("spec", "template", "spec"))
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_REFUSED_VOLUMES = (
    "persistentVolumeClaim",
    "csi",
    "ephemeral",
    "nfs",
    "iscsi",
    "awsElasticBlockStore",
    "image",
)


def _pod_spec(kind: str, obj: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    path = _TEMPLATES.get(kind)
    if path is None:
        return None
    here: Any = obj
    for name in path:
        here = (here or {}).get(name)
    return ".".join(path), here or {}


def _contexts(field: str, spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield f"{field}.securityContext", spec.get("securityContext") or {}
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            yield f"{field}.{key}[{index}].securityContext", container.get("securityContext") or {}


def refusals(kind: str, obj: Mapping[str, Any], kubelet_uid: int) -> list[FieldError]:
    """What would silently change the pod's meaning, as 422 causes. `kubelet_uid` is the kubelet's own user."""
    if kind == "Service":
        return service_target.refusals(obj)
    found = _pod_spec(kind, obj)
    if found is None:
        return []
    field, spec = found
    errors = []
    for place, context in _contexts(field, spec):
        if context.get("privileged"):
            errors.append(
                field_error.forbidden(f"{place}.privileged", "this node runs pods as unprivileged host processes")
            )
        user = context.get("runAsUser")
        if user is not None and kubelet_uid not in (0, user):
            words = f"this node runs every process as its own user, {kubelet_uid}"
            errors.append(field_error.forbidden(f"{place}.runAsUser", words))
    errors += _unknown_behaviour(field, spec)
    for index, volume in enumerate(spec.get("volumes") or ()):
        errors += [
            field_error.forbidden(f"{field}.volumes[{index}].{name}", "this node has no such volumes")
            for name in _REFUSED_VOLUMES
            if volume.get(name) is not None
        ]
    errors += _unknown_placement(field, spec)
    if spec.get("ephemeralContainers"):
        errors.append(field_error.forbidden(f"{field}.ephemeralContainers", "this node has no ephemeral containers"))
    return errors


def _unknown_behaviour(field: str, spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """A readiness probe that is not run would leave the container ready for ever, or never; rules decide restarts."""
    for key in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(key) or ()):
            if container.get("restartPolicyRules"):
                place = f"{field}.{key}[{index}].restartPolicyRules"
                yield field_error.forbidden(place, "this node restarts containers by their restartPolicy only")
            for name in ("exec", "grpc"):
                if (container.get("readinessProbe") or {}).get(name) is not None:
                    place = f"{field}.{key}[{index}].readinessProbe.{name}"
                    yield field_error.forbidden(place, "this node has readiness probes by httpGet and tcpSocket only")


def _unknown_placement(field: str, spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """What the scheduler here does not model of a placement that is required."""
    for kind in ("podAffinity", "podAntiAffinity"):
        required = ((spec.get("affinity") or {}).get(kind) or {}).get(_REQUIRED) or ()
        for index, term in enumerate(required):
            if term.get("namespaceSelector"):
                place = f"{field}.affinity.{kind}.{_REQUIRED}[{index}].namespaceSelector"
                yield field_error.forbidden(place, "this scheduler knows only the empty one, which selects all")
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        if constraint.get("whenUnsatisfiable") != "DoNotSchedule":
            continue
        for name, default in (("nodeAffinityPolicy", "Honor"), ("nodeTaintsPolicy", "Ignore")):
            if constraint.get(name, default) != default:
                place = f"{field}.topologySpreadConstraints[{index}].{name}"
                yield field_error.forbidden(place, f"this scheduler knows only {default}")


def warnings(kind: str, obj: Mapping[str, Any], kubelet_uid: int) -> list[str]:
    """Fields that are stored and not honoured, one warning for each."""
    if kind == "Service":
        return service_target.warnings(obj)
    found = _pod_spec(kind, obj)
    if found is None:
        return []
    field, spec = found
    out = [
        f"{field}.{name}: not honoured: pods run as host processes on this node"
        for name in (
            "hostPID",
            "hostIPC",
            "dnsConfig",
            "hostAliases",
            "hostname",
            "runtimeClassName",
            "subdomain",
        )
        if spec.get(name)
    ]
    out += [
        f"{field}.volumes[{index}].emptyDir.sizeLimit: not enforced by this node"
        for index, volume in enumerate(spec.get("volumes") or ())
        if (volume.get("emptyDir") or {}).get("sizeLimit")
    ]
    for key in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(key) or ()):
            place = f"{field}.{key}[{index}]"
            if (container.get("resources") or {}).get("limits"):
                out.append(f"{place}.resources.limits: not enforced: pods run as host processes on this node")
            skipped = (name for name in ("livenessProbe", "startupProbe", "lifecycle") if container.get(name))
            out += [f"{place}.{name}: not run by this node" for name in skipped]
    for place, context in _contexts(field, spec):
        out += [
            f"{place}.{name}: not enforced: pods run as host processes on this node"
            for name in _not_enforced(context, kubelet_uid)
        ]
    return out


def _not_enforced(context: Mapping[str, Any], kubelet_uid: int) -> Iterator[str]:
    """Fields of a securityContext. A node that is not root has no other group to give and no capability to drop."""
    if kubelet_uid != 0:
        yield from (name for name in ("runAsGroup", "fsGroup", "supplementalGroups") if context.get(name) is not None)
    capabilities = context.get("capabilities") or {}
    if capabilities.get("add"):
        yield "capabilities.add"
    if capabilities.get("drop") and kubelet_uid == 0 and (capabilities["drop"] != ["ALL"] or capabilities.get("add")):
        yield "capabilities.drop"
    for name in ("seccompProfile", "appArmorProfile", "seLinuxOptions", "procMount", "sysctls"):
        if context.get(name):
            yield name
