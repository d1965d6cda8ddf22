"""Plays the kubelet's part through pods/status, so that rollouts can be stepped on any cluster, with nodes or without.

The pods ask for a scheduler that nobody runs: they stay where they are, and no kubelet contradicts.
"""

import contextlib
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.errors import NotFound

from .conftest import Kubectl
from .plumbing import asked, eventually

Object = dict[str, Any]

NOBODY = "nobody"


def workload(kind: str, name: str, image: str = "example:1", /, **spec: object) -> Object:
    """A Deployment, ReplicaSet or DaemonSet of pods that nobody schedules; `spec` adds or replaces fields of it."""
    pod = {"schedulerName": NOBODY, "containers": [{"name": "main", "image": image}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    whole = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": whole}


def apply(kubectl: Kubectl, obj: Object, *words: str) -> str:
    return kubectl.ok("apply", "-f", "-", *words, stdin=json.dumps(obj))


def pods(kubectl: Kubectl, app: str) -> list[Object]:
    """Those that are not being deleted, by name."""
    query = {"labelSelector": f"app={app}"}
    found = asked(kubectl.kubeconfig, lambda client: client.get(_path(kubectl), query))["items"]
    return sorted((each for each in found if "deletionTimestamp" not in each["metadata"]), key=_name)


def _path(kubectl: Kubectl, *below: str) -> str:
    return path_of("api", "v1", "namespaces", kubectl.namespace, "pods", *below)


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def serve(kubectl: Kubectl, *chosen: Object) -> bool:
    """Say of each pod that it runs and is ready; whether that was news."""
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
    change = {"status": {"phase": "Running", "conditions": [ready]}}
    waiting = [_name(pod) for pod in chosen if not is_ready(pod)]

    async def tell(client: KubernetesClient) -> None:
        for name in waiting:
            with contextlib.suppress(NotFound):  # it may be gone by now
                await client.patch(_path(kubectl, name, "status"), change)

    if waiting:
        asked(kubectl.kubeconfig, tell)
    return bool(waiting)


def roll_out(kubectl: Kubectl, kind: str, name: str, watch: Callable[[list[Object]], None] = lambda _: None) -> None:
    """Serve pods until `kubectl rollout status` is content; `watch` sees the pods before each step."""

    def done() -> bool:
        there = pods(kubectl, name)
        watch(there)
        if serve(kubectl, *there):
            return False  # it takes the controllers a moment
        said = kubectl.run("rollout", "status", f"{kind}/{name}", "--watch=false")
        return said.code == 0 and "successfully rolled out" in said.out

    eventually(done)
