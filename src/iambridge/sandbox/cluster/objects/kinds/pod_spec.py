"""Defaults of a pod's spec, wherever it stands. Source: kubernetes pkg/apis/core/v1/defaults.go."""

import copy
from typing import Any

_VOLUME_MODES = ("secret", "configMap", "downwardAPI", "projected")
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def default_pod_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """Defaults that a Pod and a pod template share."""
    out = copy.deepcopy(spec)
    account = out.get("serviceAccountName") or out.get("serviceAccount")
    if account:
        out["serviceAccountName"] = out["serviceAccount"] = account
    out.setdefault("dnsPolicy", "ClusterFirst")
    out.setdefault("restartPolicy", "Always")
    out.setdefault("securityContext", {})
    out.setdefault("terminationGracePeriodSeconds", 30)
    out.setdefault("schedulerName", "default-scheduler")
    for volume in out.get("volumes") or ():
        _default_volume(volume)
    for key in CONTAINER_LISTS:
        for container in out.get(key) or ():
            _default_container(container)
    return out


def default_pod_only(spec: dict[str, Any]) -> dict[str, Any]:
    """Defaults that a Pod has and a pod template has not; `spec` is already a copy."""
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1
    spec.setdefault("enableServiceLinks", True)
    for key in ("containers", "initContainers"):
        for container in spec.get(key) or ():
            resources = container.get("resources") or {}
            if resources.get("limits"):
                resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
            if spec.get("hostNetwork"):
                for port in container.get("ports") or ():
                    port.setdefault("hostPort", port.get("containerPort"))
    return spec


def image_tag(image: str) -> str:
    """The tag of an image reference: `latest` where neither tag nor digest is given."""
    name = image.rpartition("/")[2]
    if "@" in name:
        return name.partition("@")[0].partition(":")[2]
    return name.partition(":")[2] or "latest"


def _default_container(container: dict[str, Any]) -> None:
    policy = "Always" if image_tag(container.get("image", "")) == "latest" else "IfNotPresent"
    container["imagePullPolicy"] = container.get("imagePullPolicy") or policy
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            _default_probe(container[name])
    for name in ("postStart", "preStop"):
        _default_http_get((container.get("lifecycle") or {}).get(name) or {})


def _default_probe(probe: dict[str, Any]) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        probe[name] = probe.get(name) or value
    _default_http_get(probe)


def _default_http_get(action: dict[str, Any]) -> None:
    request = action.get("httpGet")
    if request is not None:
        request["path"] = request.get("path") or "/"
        request["scheme"] = request.get("scheme") or "HTTP"


def _default_volume(volume: dict[str, Any]) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    if volume.get("hostPath") is not None:
        volume["hostPath"].setdefault("type", "")
    for key in _VOLUME_MODES:
        if volume.get(key) is not None:
            volume[key].setdefault("defaultMode", 0o644)
    items = list((volume.get("downwardAPI") or {}).get("items") or ())
    for source in (volume.get("projected") or {}).get("sources") or ():
        if source.get("serviceAccountToken") is not None:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        items += (source.get("downwardAPI") or {}).get("items") or ()
    for item in items:
        if item.get("fieldRef") is not None:
            item["fieldRef"].setdefault("apiVersion", "v1")
