"""`kill -9` of the control plane amid rollouts: what was begun is finished, and nothing is done twice."""

import random
import time
from pathlib import Path

import pytest

from .conftest import _KUBECTLS, EmbeddedServer, Kubectl
from .played_kubelet import apply, pods, serve, workload
from .plumbing import eventually

pytestmark = pytest.mark.embedded_only(reason="kills the server")

_KILLS = 8


def test_rollouts_survive_the_death_of_the_control_plane(tmp_path: Path) -> None:
    """A new template and a new size, then death within 300 ms, eight times: each ends in exactly what was asked for."""
    chance = random.Random(20)
    server = EmbeddedServer(tmp_path)
    kubectl = Kubectl(_KUBECTLS[-1], server.kubeconfig, tmp_path)
    kubectl.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 5, "maxUnavailable": 3}}
    try:
        for number in range(_KILLS):
            size = chance.randint(3, 20)
            image = f"example:{number}"
            apply(
                kubectl, workload("Deployment", "web", image, replicas=size, strategy=rolling, revisionHistoryLimit=2)
            )
            time.sleep(chance.random() * 0.3)
            server.kill()
            server = EmbeddedServer(tmp_path)

            def done(size: int = size, image: str = image) -> bool:
                there = pods(kubectl, "web")
                serve(kubectl, *there)
                status = kubectl.run("rollout", "status", "deployment/web", "--watch=false")
                images = [pod["spec"]["containers"][0]["image"] for pod in there]
                return "successfully rolled out" in status.out and images == [image] * size

            eventually(done, seconds=90)
        found = kubectl.json("get", "replicasets")["items"]
        revisions = sorted(int(each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]) for each in found)
        assert revisions == [_KILLS - 2, _KILLS - 1, _KILLS]
        owners = {owner["uid"] for each in found for owner in each["metadata"]["ownerReferences"]}
        assert owners == {kubectl.json("get", "deployment", "web")["metadata"]["uid"]}
    finally:
        server.kill()
