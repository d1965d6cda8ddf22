"""The objects of a webhook's trust, on values."""

import base64

from iambridge.wire import webhook_trust

PEM = b"-----BEGIN CERTIFICATE-----"
BUNDLE = base64.b64encode(PEM).decode()
CONFIGURATION = {
    "metadata": {"name": "w", "resourceVersion": "7"},
    "webhooks": [
        {"name": "a", "clientConfig": {"service": {"name": "s", "namespace": "n"}, "caBundle": BUNDLE}},
        {"name": "b", "clientConfig": {"url": "https://host.example:8443/mutate", "caBundle": "x"}},
        {"name": "c"},
    ],
}


def test_bundles_are_one_a_webhook() -> None:
    """And empty where there is none, or none that can be read."""
    assert webhook_trust.bundles(CONFIGURATION) == (PEM, b"", b"")
    assert webhook_trust.bundles({"metadata": {}}) == ()


def test_hosts_are_what_api_servers_ask_for() -> None:
    """Each once: the Service's own names first, then the configuration's."""
    assert webhook_trust.hosts(CONFIGURATION, "own", "n") == (
        "own.n.svc", "own.n", "own", "own.n.svc.cluster.local", "s.n.svc", "s.n", "s", "s.n.svc.cluster.local", "host.example",
    )  # fmt: skip
    assert webhook_trust.hosts({"metadata": {}}, "s", "n")[0] == "s.n.svc"


def test_a_bundles_patch_is_of_that_very_version() -> None:
    """It writes every caBundle and nothing else."""
    paths = [(one["op"], one["path"]) for one in webhook_trust.bundle_patch(CONFIGURATION, PEM)]
    assert paths == [
        ("test", "/metadata/resourceVersion"),
        *(("add", f"/webhooks/{index}/clientConfig/caBundle") for index in range(3)),
    ]


def test_a_secret_is_read_and_patched() -> None:
    """By the version that was read; what is not base64 reads as empty."""
    secret = {"metadata": {"resourceVersion": "3"}, "data": {"a": BUNDLE, "b": "x"}}
    assert webhook_trust.secret_data(secret) == {"a": PEM, "b": b""}
    assert webhook_trust.secret_data({"metadata": {}}) == {}
    assert webhook_trust.secret_patch(secret, {"a": PEM}) == {
        "metadata": {"resourceVersion": "3"},
        "data": {"a": BUNDLE},
    }


def test_another_keeper_of_the_bundle_is_named() -> None:
    """cert-manager says by an annotation that it injects."""
    assert webhook_trust.other_keeper(CONFIGURATION) == ""
    annotated = {"metadata": {"annotations": {"cert-manager.io/inject-ca-from": "n/s"}}}
    assert "cert-manager" in webhook_trust.other_keeper(annotated)
