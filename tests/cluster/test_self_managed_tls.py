"""Self-managed TLS with real daemons: installed by the manifests, under their rights, rotated, damaged, outlived."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .webhook_daemons import CONFIGURATION, NAME, NAMESPACE, Installed, eventually

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("IAMBRIDGE_TEST_KUBECONFIG")),
    reason="another cluster's API server does not reach 127.0.0.1 here",
)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    found = Installed(tmp_path)
    try:
        found.install()
        yield found
    finally:
        found.close()


def test_two_replicas_install_themselves_and_rotate(installed: Installed) -> None:
    """From an empty Secret to mutated pods; then a new authority by hand, with overlap, and both serve its leaf."""
    first, second = installed.replica(), installed.replica()
    installed.point_at(first)
    eventually("a pod is mutated", installed.mutates)
    eventually("both serve the Secret's leaf", lambda: installed.served(first) == installed.served(second) != "")
    old_leaf, old_bundle = installed.served(first), installed.bundle()
    leaders = [replica.metric("pod_identity_webhook_self_managed_tls_leader") for replica in (first, second)]
    assert sorted(leaders) == [0.0, 1.0]

    installed.take_out("ca.crt", "ca.key")
    eventually("the new authority is published", lambda: installed.bundle().count(b"BEGIN") == 2)
    assert old_bundle in installed.bundle()
    while installed.served(first) == old_leaf:
        assert installed.mutates()
    eventually(
        "both serve the new leaf", lambda: installed.served(first) == installed.served(second) not in {"", old_leaf}
    )
    assert installed.mutates()
    assert installed.bundle().count(b"BEGIN") == 2, "the old one stays for a day"
    for replica in (first, second):
        assert "PRIVATE KEY" not in replica.log
        assert replica.metric("pod_identity_webhook_certificate_not_after_seconds") > 0


def test_another_replica_takes_over(installed: Installed) -> None:
    """A leader that is killed is followed after its Lease; one that is stopped, at once."""
    first = installed.replica()
    installed.point_at(first)
    eventually("a pod is mutated", installed.mutates)
    second = installed.replica()
    eventually("the second serves", lambda: installed.served(second) != "")
    first.process.kill()
    installed.take_out("tls.crt", "tls.key")
    eventually("the second makes a leaf", lambda: "tls.crt" in installed.secret())
    third = installed.replica()
    eventually("the third serves", lambda: installed.served(third) != "")
    assert second.stop(signal.SIGINT) == 0
    eventually("the third leads", lambda: third.metric("pod_identity_webhook_self_managed_tls_leader") == 1.0, 12)


def test_damage_is_mended_and_what_is_served_stays(installed: Installed) -> None:
    """A wiped caBundle, a broken Secret and a lost Lease are said, counted and mended, or waited out."""
    replica = installed.replica()
    installed.point_at(replica)
    eventually("a pod is mutated", installed.mutates)
    bundle, leaf = installed.bundle(), installed.served(replica)
    patch = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}]
    installed.kubectl.ok("patch", CONFIGURATION, "--type=json", "-p", json.dumps(patch))
    eventually("the caBundle is back", lambda: installed.bundle() == bundle)
    assert installed.served(replica) == leaf

    installed.kubectl.ok("annotate", CONFIGURATION, "cert-manager.io/inject-ca-from=a/b")
    eventually("who else writes is said", lambda: "cert-manager writes the caBundle too" in replica.log)
    installed.kubectl.ok("annotate", CONFIGURATION, "cert-manager.io/inject-ca-from-")

    within = installed.kubectl.within(NAMESPACE)
    lease = within.ok("get", "lease", NAME, "-o", "json")
    within.ok("delete", "lease", NAME)
    failures = 'pod_identity_webhook_certificate_failures_count{what="lease"}'
    eventually("the lost Lease is counted", lambda: replica.metric(failures) > 0)
    assert "self-managed TLS, lease: " in replica.log
    assert "the webhook creates nothing" in replica.log
    assert installed.mutates()
    again = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
    }
    assert json.loads(lease)["spec"]["holderIdentity"]
    within.ok("create", "-f", "-", stdin=json.dumps(again))
    garbage = json.dumps({"data": {"tls.crt": base64.b64encode(b"x").decode()}})
    within.ok("patch", "secret", NAME, "--type=merge", "-p", garbage)
    eventually("a new leaf is served", lambda: installed.served(replica) not in {"", leaf})
    assert installed.mutates()


def test_without_the_secret_nothing_is_served_and_it_is_said(installed: Installed) -> None:
    """The webhook creates no Secret, and its rights would not let it."""
    within = installed.kubectl.within(NAMESPACE)
    within.ok("delete", "secret", NAME)
    replica = installed.replica()
    eventually("it is said", lambda: "self-managed TLS, secret: " in replica.log)
    assert "apply the manifests again" in replica.log
    assert installed.served(replica) == ""
    account = f"system:serviceaccount:{NAMESPACE}:{NAME}"
    for words in (
        ("create", "secrets"), ("create", "leases"), ("get", "secrets"), ("list", "secrets"), ("create", "serviceaccounts/token"),
        ("patch", "mutatingwebhookconfigurations"), ("update", f"mutatingwebhookconfigurations/{NAME}"), ("delete", f"secrets/{NAME}"),
    ):  # fmt: skip
        assert within.run("auth", "can-i", *words, "--as", account).out.strip() == "no", words


def test_it_refuses_beside_eks_webhook(installed: Installed) -> None:
    """It says why and how; with --beside-eks it starts, unless both would inject different volumes."""
    eks = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "pod-identity-webhook"},
        "webhooks": [{
            "name": "iam-for-pods.amazonaws.com", "admissionReviewVersions": ["v1beta1", "v1"], "sideEffects": "None", "failurePolicy": "Ignore",
            "clientConfig": {"url": "https://127.0.0.1:23443/mutate"},
        }],
    }  # fmt: skip
    installed.kubectl.ok("create", "-f", "-", stdin=json.dumps(eks))
    refusals: tuple[tuple[tuple[str, ...], str], ...] = (
        ((), "add --beside-eks"),
        (("--beside-eks", "--token-mount-path=/elsewhere"), "would not agree with --token-mount-path=/elsewhere"),
    )
    for flags, said in refusals:
        refused = installed.replica(*flags)
        assert refused.process.wait(60) == 2
        assert said in refused.log
    for more in ((), ("--token-audience=x", "--annotation-prefix=iam.example.org")):
        beside = installed.replica("--beside-eks", *more)
        eventually("it serves", lambda: installed.served(beside) != "")  # noqa: B023 - asked in the same round
        assert beside.stop() == 0
