"""`kubectl apply -k deploy/webhook`, unedited, on a whole sandbox: pods are mutated through the Service, and none is missed."""

import asyncio
import base64
import json
import os
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.core import serving_trust

from .conftest import _KUBECTLS, Kubectl
from .review_load import ReviewLoad, Target
from .sandbox_process import SandboxProcess
from .webhook_daemons import CONFIGURATION, NAME, NAMESPACE, ROLE, eventually

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("IAMBRIDGE_TEST_KUBECONFIG")), reason="installs a webhook for the whole cluster"
)
DEPLOY = Path(__file__).parents[2] / "deploy/webhook"


class Deployed:
    """The sandbox with the manifests applied. Its built-in webhook is taken away, so that ours is the only one."""

    def __init__(self, directory: Path) -> None:
        self.sandbox = SandboxProcess(directory / "data")
        self.kubectl = Kubectl(_KUBECTLS[-1], self.sandbox.kubeconfig, directory)
        self.own = self.kubectl.within(NAMESPACE)

    def install(self) -> None:
        self.kubectl.ok("delete", "mutatingwebhookconfiguration", "pod-identity-webhook")
        self.kubectl.ok("create", "serviceaccount", "app")
        self.kubectl.ok("annotate", "serviceaccount", "app", f"eks.amazonaws.com/role-arn={ROLE}")
        self.own.ok("apply", "-k", str(DEPLOY))
        self.own.ok("rollout", "status", f"deployment/{NAME}", "--timeout=60s")

    def get(self, *path: str) -> dict[str, Any]:
        """One object, without the cost of a kubectl."""

        async def ask() -> dict[str, Any]:
            client = KubernetesClient.from_kubeconfig(self.sandbox.kubeconfig)
            try:
                return await client.get(path_of(*path))
            finally:
                await client.close()

        return asyncio.run(ask())

    def endpoints(self) -> list[Target]:
        """What kube-proxy would send to: the addresses of ready pods that are not going."""
        pods = self.get("api", "v1", "namespaces", NAMESPACE, "pods")["items"]
        return [
            (pod["status"]["podIP"], 8443)
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
        ]

    def bundle(self) -> bytes:
        path = ("apis", "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", NAME)
        return base64.b64decode(self.get(*path)["webhooks"][0]["clientConfig"]["caBundle"])

    def rotated(self) -> bool:
        """Whether the Secret's leaf is of the Secret's authority, so that no step is to come."""
        data = self.get("api", "v1", "namespaces", NAMESPACE, "secrets", NAME)["data"]
        decoded = {key: base64.b64decode(value) for key, value in data.items()}
        state = serving_trust.read_state(decoded)
        if state.leaf is None or state.authority is None:
            return False
        return serving_trust.issued_by(state.leaf.certificate, state.authority.certificate)

    def leaf(self) -> str:
        found: str = self.get("api", "v1", "namespaces", NAMESPACE, "secrets", NAME)["data"].get("tls.crt", "")
        return found


class PodCreations:
    """Dry-run creations through the API server, ten a second, each of which must come back with the role."""

    def __init__(self, deployed: Deployed) -> None:
        self._client = KubernetesClient.from_kubeconfig(deployed.sandbox.kubeconfig)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.mutated = 0
        self.missed: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    async def _run(self) -> None:
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "probe-"},
            "spec": {"serviceAccountName": "app", "containers": [{"name": "c", "image": "i", "command": ["true"]}]},
        }  # fmt: skip
        while not self._stop.is_set():
            made = await self._client.post("/api/v1/namespaces/default/pods", pod, {"dryRun": "All"})
            names = [one["name"] for one in made["spec"]["containers"][0].get("env", ())]
            if "AWS_ROLE_ARN" in names:
                self.mutated += 1
            else:
                self.missed.append(time.strftime("%X"))
            await asyncio.sleep(0.1)
        await self._client.close()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    found = Deployed(tmp_path_factory.mktemp("deployed"))
    try:
        found.install()
        yield found
    finally:
        found.sandbox.stop()


def test_pods_are_mutated_through_the_service(deployed: Deployed) -> None:
    """By two ready replicas of the unedited manifests, under their own rights; and a pod with the opt-out is not."""
    configuration = deployed.kubectl.json("get", CONFIGURATION)
    assert configuration["webhooks"][0]["clientConfig"]["service"]["name"] == NAME
    assert len(deployed.endpoints()) == 2
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asks"},
        "spec": {"serviceAccountName": "app", "restartPolicy": "Never", "containers": [
            {"name": "c", "image": "i", "command": ["sh", "-c", "echo $AWS_ROLE_ARN; test -s $AWS_WEB_IDENTITY_TOKEN_FILE"]}]},
    }  # fmt: skip
    deployed.kubectl.ok("create", "-f", "-", stdin=json.dumps(pod))
    deployed.kubectl.ok("wait", "pod/asks", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    assert deployed.kubectl.ok("logs", "asks").strip() == ROLE
    pod["metadata"] = {"name": "opts-out", "labels": {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}}
    made = deployed.kubectl.ok("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pod))
    assert '"AWS_ROLE_ARN"' not in made


def test_a_refused_identity_is_told_to_whoever_asks(deployed: Deployed) -> None:
    """By a warning of kubectl, an Event on the ServiceAccount, the decision log and a metric, under the manifests' rights."""
    deployed.kubectl.ok("create", "serviceaccount", "mistaken")
    deployed.kubectl.ok("annotate", "serviceaccount", "mistaken", "eks.amazonaws.com/role-arn=app")
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mistaken"},
        "spec": {"serviceAccountName": "mistaken", "restartPolicy": "Never", "containers": [{"name": "c", "image": "i", "command": ["true"]}]},
    }  # fmt: skip
    made = deployed.kubectl.run("create", "-f", "-", stdin=json.dumps(pod))
    assert made.code == 0
    assert "Warning: no AWS identity: ServiceAccount annotation eks.amazonaws.com/role-arn" in made.error
    events = ("get", "events", "-o", "jsonpath={.items[?(@.reason=='IdentityNotInjected')].message}")
    eventually("the Event is there", lambda: "the role ARN is not one" in deployed.kubectl.ok(*events))
    logs = deployed.own.ok("logs", f"--selector=app.kubernetes.io/name={NAME}", "--tail=-1")
    decisions = [json.loads(line) for line in logs.splitlines() if line.startswith("{")]
    assert "role-arn-invalid" in {one["reasons"][-1]["code"] for one in decisions if one["pod"] == "mistaken"}
    metrics = b"".join(
        urllib.request.urlopen(f"http://{host}:9999/metrics", timeout=60).read() for host, _ in deployed.endpoints()
    )
    assert b'pod_identity_webhook_not_injected_count{reason="role-arn-invalid"} 1' in metrics


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        ("kubectl create serviceaccount probe", "arn:aws:iam::111122223333:role/probe"),
        ("# the certificate alone", "patched"),
    ],
)
def test_commands_of_the_how_to_work(deployed: Deployed, holds: str, said: str) -> None:
    """docs/how-to/webhook.md, run as it stands."""
    blocks = re.findall(r"```sh\n(.*?)```", (DEPLOY.parents[1] / "docs/how-to/webhook.md").read_text(), re.DOTALL)
    (script,) = [block for block in blocks if holds in block]
    path = os.pathsep.join((str(Path(deployed.kubectl.program).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=False, timeout=120,
        env={"KUBECONFIG": str(deployed.sandbox.kubeconfig), "HOME": str(deployed.kubectl.home), "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_applying_again_changes_nothing(deployed: Deployed) -> None:
    """The caBundle and the Secret stay: the manifests hold neither."""
    eventually("a rotation has ended", lambda: deployed.leaf() != "" and deployed.rotated())
    bundle, leaf = deployed.bundle(), deployed.leaf()
    deployed.own.ok("apply", "-k", str(DEPLOY))
    assert (deployed.bundle(), deployed.leaf()) == (bundle, leaf)


def test_a_rollout_and_a_rotation_lose_no_review(deployed: Deployed) -> None:
    """300 reviews a second at the ready endpoints, and pods through the API server, all the while."""
    server_name = f"{NAME}.{NAMESPACE}.svc"
    with ReviewLoad(deployed.endpoints, deployed.bundle, server_name) as load, PodCreations(deployed) as pods:
        deployed.own.ok("rollout", "restart", f"deployment/{NAME}")
        deployed.own.ok("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
        eventually(
            "the old pods are gone", lambda: deployed.own.ok("get", "pods", "-o", "name").count("pod/") == 2, 120
        )
        leaf = deployed.leaf()
        patch = json.dumps({"data": {"ca.crt": None, "ca.key": None}})
        deployed.own.ok("patch", "secret", NAME, "--type=merge", "-p", patch)
        eventually("a new leaf is in the Secret", lambda: deployed.leaf() != leaf)
        time.sleep(6)  # until both replicas have read it
        load.reaches(3000)
        eventually("a hundred pods", lambda: pods.mutated > 100 or bool(pods.missed), 120)
    assert dict(load.failures) == {}
    assert pods.missed == []
    assert load.answered > 3000
    assert pods.mutated > 100
