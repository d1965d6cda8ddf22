"""The manifests and self-managed TLS on the real kube-apiserver, where `tools/kubernetes_oracle` has been built."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import pytest

from .conftest import EmbeddedServer, Kubectl
from .webhook_daemons import CONFIGURATION, NAME, NAMESPACE, Installed, eventually, manifests

ORACLE = Path(__file__).parents[2] / "tools/kubernetes_oracle/oracle.py"
_WITHOUT_CRDS = ("ca-bundle-policy", "network-policy", "pod-disruption-budget")

pytestmark = pytest.mark.skipif(
    subprocess.run([sys.executable, ORACLE, "--is-built"], check=False).returncode != 0,
    reason="the real kube-apiserver is not built: `python tools/kubernetes_oracle/oracle.py --build` builds it",
)


class RealServer(EmbeddedServer):
    """kube-apiserver, kube-controller-manager and etcd, in place of the embedded API server."""

    def _started(self, stream: IO[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(ORACLE), "--directory", str(self.directory / "oracle")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, text=True,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    found = Installed(tmp_path_factory.mktemp("real"), RealServer)
    try:
        found.kubectl.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
        found.install()
        yield found
    finally:
        found.close()


def test_every_object_is_accepted(installed: Installed) -> None:
    """Applied, with fields validated strictly and without a warning."""
    words = [word for name in _WITHOUT_CRDS for word in ("--component", name)]
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests(*words)})
    within = installed.kubectl.within(NAMESPACE)
    within.ok("apply", "--validate=strict", "--warnings-as-errors", "-f", "-", stdin=items)
    again = within.ok("apply", "--server-side", "--force-conflicts", "--warnings-as-errors", "-f", "-", stdin=items)
    assert "validatingadmissionpolicy" in again


def test_pods_are_mutated_and_the_authority_is_changed(installed: Installed) -> None:
    """kube-apiserver verifies the leaf by the caBundle, before, during and after a rotation."""
    replica = installed.replica()
    installed.point_at(replica)
    eventually("a pod is mutated", installed.mutates)
    before = installed.served(replica)
    installed.take_out("ca.crt", "ca.key")
    while installed.served(replica) in {"", before}:
        assert installed.mutates()
    assert installed.mutates()
    assert installed.bundle().count(b"BEGIN") == 2
    replica.stop()


def test_the_policy_leaves_the_ca_bundle_and_nothing_else(installed: Installed) -> None:
    """The webhook's own token may change `caBundle`; every other change is refused by the component, and only for it."""
    components = manifests("--component", "ca-bundle-policy")
    policy = [one for one in components if one["kind"].startswith("ValidatingAdmissionPolicy")]
    installed.kubectl.ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": policy}))
    own = Kubectl(installed.kubectl.program, installed.kubeconfig, installed.directory)
    bundle = {
        "op": "add",
        "path": "/webhooks/0/clientConfig/caBundle",
        "value": base64.b64encode(installed.bundle()).decode(),
    }

    def patched(tool: Kubectl, operation: Mapping[str, object]) -> str:
        patch = json.dumps([operation])
        return tool.run("patch", CONFIGURATION, "--type=json", "--dry-run=server", "-p", patch).error

    wider: dict[str, object] = {"op": "replace", "path": "/webhooks/0/rules/0/resources", "value": ["*"]}
    eventually(
        "the policy is in force", lambda: "caBundle of its configuration and nothing else" in patched(own, wider)
    )
    assert patched(own, bundle) == ""
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    hook = {
        "name": "another.webhook.iambridge", "admissionReviewVersions": ["v1"], "sideEffects": "None", "rules": [rule],
        "clientConfig": {"url": "https://example.org/"},
    }  # fmt: skip
    operations: list[dict[str, object]] = [
        wider,
        {"op": "replace", "path": "/webhooks/0/clientConfig/url", "value": "https://example.org/"},
        {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"},
        {"op": "replace", "path": "/webhooks/0/namespaceSelector", "value": {}},
        {"op": "replace", "path": "/webhooks/0/objectSelector", "value": {}},
        {"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 30},
        {"op": "replace", "path": "/webhooks/0/reinvocationPolicy", "value": "Never"},
        {"op": "replace", "path": "/webhooks/0/matchPolicy", "value": "Exact"},
        {"op": "replace", "path": "/webhooks/0/sideEffects", "value": "None"},
        {"op": "add", "path": "/webhooks/0/matchConditions", "value": [{"name": "a", "expression": "false"}]},
        {"op": "replace", "path": "/webhooks/0/admissionReviewVersions", "value": ["v1", "v1beta1"]},
        {"op": "add", "path": "/webhooks/-", "value": hook},
        {"op": "remove", "path": "/webhooks/0"},
        {"op": "add", "path": "/metadata/labels/a", "value": "b"},
        {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}},
        {"op": "add", "path": "/metadata/finalizers", "value": ["example.org/a"]},
        {"op": "add", "path": "/metadata/ownerReferences", "value": [
            {"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "00000000-0000-4000-8000-000000000000"}]},
    ]  # fmt: skip
    for operation in operations:
        assert "ValidatingAdmissionPolicy" in patched(own, operation), operation
    assert patched(installed.kubectl, wider) == "", "an administrator may"
    assert f"system:serviceaccount:{NAMESPACE}:{NAME}" in own.ok("auth", "whoami")
