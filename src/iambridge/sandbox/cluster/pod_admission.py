"""What built-in admission adds to a new pod: ServiceAccount and its token volume, priority, two tolerations.

Sources: plugin/pkg/admission/serviceaccount, /priority and /defaulttolerationseconds of Kubernetes.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from iambridge.errors import Forbidden
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.store import Key, Store

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a directory's name
_TOKEN_SECONDS = 3607  # what tells a default token from one that asked for an hour
_ALPHANUMERIC = "bcdfghjklmnpqrstvwxz2456789"
_TOLERATION_SECONDS = 300
_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def admit(pod: Object, namespace: str, store: Store) -> Object:
    """The pod with what every pod gets.

    Raises:
        Forbidden: its ServiceAccount or its priority class does not exist.
    """
    spec = {**(pod.get("spec") or {})}
    pod = {**pod, "spec": spec}
    _prioritise(pod, spec)
    _tolerate(spec)
    if "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {}):
        return pod
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    stored = store.get(Key("serviceaccounts", namespace, name))
    if stored is None:
        raise _forbidden(pod, f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found')
    account: Mapping[str, Any] = msgspec.json.decode(stored.raw)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = list(account["imagePullSecrets"])
    wanted = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    if wanted:
        _mount_token(spec)
    return pod


def tolerated(pod: Object) -> Object:
    """A changed pod with the two tolerations again, where the change dropped them."""
    spec = {**(pod.get("spec") or {})}
    _tolerate(spec)
    return {**pod, "spec": spec}


def _forbidden(pod: Object, why: str) -> Forbidden:
    name = pod["metadata"].get("name", "")
    return Forbidden(f'pods "{name}" is forbidden: {why}', details={"name": name, "kind": "pods"})


def _prioritise(pod: Object, spec: Object) -> None:
    name = spec.get("priorityClassName") or ""
    if name and name not in _PRIORITIES:
        raise _forbidden(pod, f"no PriorityClass with name {name} was found")
    priority = _PRIORITIES.get(name, 0)
    if spec.get("priority") not in {None, priority}:
        words = f"the integer value of priority ({spec['priority']}) must not be provided in pod spec;"
        raise _forbidden(
            pod, f"{words} priority admission controller computed {priority} from the given PriorityClass name"
        )
    spec["priority"] = priority
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _tolerate(spec: Object) -> None:
    tolerations = list(spec.get("tolerations") or ())
    for taint in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(_covers(each, taint) for each in tolerations):
            tolerations.append(
                {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
            )
    spec["tolerations"] = tolerations


def _covers(toleration: Mapping[str, Any], taint: str) -> bool:
    return toleration.get("key") in {None, "", taint} and toleration.get("effect") in {None, "", "NoExecute"}


def _mount_token(spec: Object) -> None:
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    if all(any(mount["mountPath"] == TOKEN_PATH for mount in each.get("volumeMounts") or ()) for each in containers):
        return
    name = "kube-api-access-" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(5))
    spec["volumes"] = [*(spec.get("volumes") or ()), _token_volume(name)]
    mount = {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}
    for part in ("initContainers", "containers"):
        if spec.get(part):
            spec[part] = [_mounted(each, mount) for each in spec[part]]


def _mounted(container: Mapping[str, Any], mount: Mapping[str, Any]) -> Object:
    mounts = container.get("volumeMounts") or ()
    if any(each["mountPath"] == TOKEN_PATH for each in mounts):
        return dict(container)
    return {**container, "volumeMounts": [*mounts, dict(mount)]}


def _token_volume(name: str) -> Object:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}
