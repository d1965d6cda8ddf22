"""Plays the kubelet's part through pods/status, so that rollouts can be stepped on any cluster, with nodes or without.

The pods ask for a scheduler that nobody runs: they stay where they are, and no kubelet contradicts.
"""

import datetime as dt
import json
import time
from collections.abc import Callable
from typing import Any

from .conftest import Kubectl

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
    found = kubectl.json("get", "pods", "-l", f"app={app}")["items"]
    return sorted((each for each in found if "deletionTimestamp" not in each["metadata"]), key=_name)


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def serve(kubectl: Kubectl, *chosen: Object) -> None:
    """Say of each pod that it runs and is ready."""
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
    change = json.dumps({"status": {"phase": "Running", "conditions": [ready]}})
    for pod in chosen:
        if not is_ready(pod):
            # it may be gone by now
            kubectl.run("patch", "pod", _name(pod), "--subresource=status", "--type=merge", "-p", change)


def eventually(is_so: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def roll_out(kubectl: Kubectl, kind: str, name: str, watch: Callable[[list[Object]], None] = lambda _: None) -> None:
    """Serve pods until `kubectl rollout status` is content; `watch` sees the pods before each step."""

    def done() -> bool:
        there = pods(kubectl, name)
        watch(there)
        serve(kubectl, *there)
        said = kubectl.run("rollout", "status", f"{kind}/{name}", "--watch=false")
        return said.code == 0 and "successfully rolled out" in said.out

    eventually(done)
