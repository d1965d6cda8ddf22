"""`iambridge explain injection --kubeconfig`: the cluster's ServiceAccount, judged as its webhook judges it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Kubectl

ROLE = "arn:aws:iam::111122223333:role/app"


def explained(pod: Path, kubeconfig: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "iambridge", "explain", "injection", "-f", pod, "--kubeconfig", kubeconfig, *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("annotation", "code", "said"),
    [
        (ROLE, 0, ROLE),
        ("arn:aws:iam::1:role/app", 1, "give it as arn:aws:iam::ACCOUNT:role/NAME"),
        (None, 0, "has no annotation eks.amazonaws.com/role-arn"),
    ],
)
def test_the_clusters_account_is_judged(
    kubectl: Kubectl, tmp_path: Path, annotation: str | None, code: int, said: str
) -> None:
    """With the role it asks for, the fault in it, or nothing asked for."""
    kubectl.ok("create", "serviceaccount", "app")
    if annotation:
        kubectl.ok("annotate", "serviceaccount", "app", f"eks.amazonaws.com/role-arn={annotation}")
    pod = tmp_path / "pod.json"
    pod.write_text(
        json.dumps(
            {
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": kubectl.namespace},
                "spec": {"serviceAccountName": "app", "containers": [{"name": "c", "image": "i"}]},
            }
        )
    )  # fmt: skip
    returned, text = explained(pod, kubectl.kubeconfig)
    assert returned == code, text
    assert said in text


def test_a_missing_account_is_named(kubectl: Kubectl, tmp_path: Path) -> None:
    """With the command that creates it."""
    pod = tmp_path / "pod.json"
    pod.write_text(
        json.dumps(
            {
                "kind": "Pod",
                "metadata": {"name": "p"},
                "spec": {"serviceAccountName": "nope", "containers": [{"name": "c"}]},
            }
        )
    )
    returned, text = explained(pod, kubectl.kubeconfig, "-n", kubectl.namespace)
    assert returned == 1
    assert f"kubectl -n {kubectl.namespace} create serviceaccount nope" in text


def test_the_clusters_config_map_is_read_when_the_webhook_reads_it(kubectl: Kubectl, tmp_path: Path) -> None:
    """From the namespace that the webhook's flags name."""
    kubectl.ok("create", "serviceaccount", "app")
    config = json.dumps({f"{kubectl.namespace}/app": {"RoleARN": ROLE}})
    kubectl.ok("create", "configmap", "pod-identity-webhook", f"--from-literal=config={config}")
    pod = tmp_path / "pod.json"
    pod.write_text(
        json.dumps(
            {
                "kind": "Pod",
                "metadata": {"name": "p"},
                "spec": {"serviceAccountName": "app", "containers": [{"name": "c"}]},
            }
        )
    )
    words = ("-n", kubectl.namespace, f"--webhook-flag=--namespace={kubectl.namespace}")
    assert "has no annotation" in explained(pod, kubectl.kubeconfig, *words)[1]
    returned, text = explained(pod, kubectl.kubeconfig, *words, "--webhook-flag=--watch-config-map")
    assert returned == 0
    assert ROLE in text
