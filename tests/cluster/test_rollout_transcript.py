"""A Deployment's life, step by step, as kube-controller-manager 1.37.2 played it: cases/cluster/rollout_transcript.json.

Each step is a request and the state in which all came to rest. `python -m tests.cluster.test_rollout_transcript
KUBECONFIG` records it anew on a real cluster.
"""

import datetime as dt
import json
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .api_client import ApiClient
from .played_kubelet import Object, is_ready, workload

TRANSCRIPT = Path(__file__).parents[1] / "cases/cluster/rollout_transcript.json"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
REVISION = "deployment.kubernetes.io/revision"


def image(name: str) -> tuple[str, Object]:
    return STRATEGIC, {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": name}]}}}}


def spec(**fields: object) -> tuple[str, Object]:
    return MERGE, {"spec": fields}


# what is asked, and whether pods get ready meanwhile
STEPS: tuple[tuple[str, list[tuple[str, Object]], bool], ...] = (
    ("a first template that does not serve", [], False),
    ("it serves", [], True),
    ("a second template that does not serve", [image("example:2")], False),
    ("more replicas amid that rollout", [spec(replicas=7)], False),
    ("it serves", [], True),
    ("a third template that does not serve", [image("example:3")], False),
    ("a fourth template meanwhile", [image("example:4")], False),
    ("it serves", [], True),
    ("paused, a fifth template, fewer replicas", [spec(paused=True), image("example:5"), spec(replicas=3)], True),
    ("resumed with minReadySeconds", [spec(paused=None, minReadySeconds=1)], True),
    ("the first template again", [image("example:1")], True),
    (
        "an annotation and a shorter history",
        [(MERGE, {"metadata": {"annotations": {"note": "two"}}}), spec(revisionHistoryLimit=1)],
        True,
    ),
    ("Recreate", [spec(strategy={"type": "Recreate", "rollingUpdate": None}), image("example:6")], True),
    ("no replicas", [spec(replicas=0)], True),
    ("two again", [spec(replicas=2)], True),
)


class Stage:
    """A namespace of its own on one cluster."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self.namespace = f"test-{uuid.uuid4().hex[:8]}"
        self._apps = f"/apis/apps/v1/namespaces/{self.namespace}"
        self._core = f"/api/v1/namespaces/{self.namespace}"
        self._ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        while client.ask("GET", f"{self._core}/serviceaccounts/default")[0] != 200:
            time.sleep(0.05)
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}}
        obj = workload("Deployment", "web", replicas=4, strategy=rolling)
        obj["metadata"]["annotations"] = {"note": "one"}
        self._ask("POST", f"{self._apps}/deployments", obj)

    def _ask(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Any:
        code, _, answer = self._client.ask(method, path, body, {"Content-Type": kind} if body is not None else None)
        assert code < 300, (method, path, answer)
        return answer

    def change(self, kind: str, patch: Object) -> None:
        self._ask("PATCH", f"{self._apps}/deployments/web", patch, kind)

    def serve(self) -> None:
        """Every pod that is there gets ready."""
        now = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        for pod in self._ask("GET", f"{self._core}/pods")["items"]:
            if not is_ready(pod) and "deletionTimestamp" not in pod["metadata"]:
                path = f"{self._core}/pods/{pod['metadata']['name']}/status"
                change = {"status": {"phase": "Running", "conditions": [ready]}}
                self._client.ask("PATCH", path, change, {"Content-Type": MERGE})

    def state(self) -> Object:
        """The Deployment and its ReplicaSets, less names, times, and what only some versions count."""
        deployment = self._ask("GET", f"{self._apps}/deployments/web")
        sets = self._ask("GET", f"{self._apps}/replicasets")["items"]
        sets.sort(key=lambda each: int(each["metadata"]["annotations"][REVISION]))
        whole = {
            "generation": deployment["metadata"]["generation"],
            "annotations": deployment["metadata"].get("annotations"),
            "status": _status(deployment),
            "replicaSets": [
                {
                    "annotations": each["metadata"]["annotations"],
                    "replicas": each["spec"]["replicas"],
                    "minReadySeconds": each["spec"].get("minReadySeconds", 0),
                    "status": {key: value for key, value in _status(each).items() if key != "observedGeneration"},
                }
                for each in sets
            ],
        }
        text = json.dumps(whole, sort_keys=True)
        for each in sets:
            text = text.replace(each["metadata"]["name"], f"revision {each['metadata']['annotations'][REVISION]}")
        return dict(json.loads(text))


def _status(item: Object) -> Object:
    status = {key: value for key, value in (item.get("status") or {}).items() if key != "terminatingReplicas"}
    for condition in status.get("conditions") or ():
        for name in ("lastTransitionTime", "lastUpdateTime"):
            condition.pop(name, None)
    if status.get("conditions"):
        status["conditions"].sort(key=lambda each: each["type"])
    return status


@pytest.fixture
def stage(kubeconfig: Path) -> Iterator[Stage]:
    client = ApiClient(kubeconfig)
    made = Stage(client)
    yield made
    client.ask("DELETE", f"/api/v1/namespaces/{made.namespace}")


def test_a_deployments_life(stage: Stage) -> None:
    """After each step everything comes to rest as it did there: sizes, counts, conditions, revisions, history."""
    for (name, requests, serving), wanted in zip(STEPS, json.loads(TRANSCRIPT.read_text()), strict=True):
        for request in requests:
            stage.change(*request)
        deadline = time.monotonic() + 40
        while (found := stage.state()) != wanted:
            assert time.monotonic() < deadline, (name, found, wanted)
            if serving:
                stage.serve()
            time.sleep(0.1)


def record(kubeconfig: Path) -> None:
    """Play the steps and write down where each comes to rest."""
    stage, states = Stage(ApiClient(kubeconfig)), []
    for name, requests, serving in STEPS:
        for request in requests:
            stage.change(*request)
        still = 0
        before: Object = {}
        while still < 10:
            if serving:
                stage.serve()
            time.sleep(0.3)
            found = stage.state()
            still, before = (still + 1 if found == before else 0), found
        print(name)
        states.append(before)
    TRANSCRIPT.write_text("[\n" + ",\n".join(json.dumps(each, sort_keys=True) for each in states) + "\n]\n")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
