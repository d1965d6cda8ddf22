"""No review is lost at a steady 300 a second: over a certificate's rotation, a rolling restart, an API server's outage."""

import os
import signal
import ssl
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .review_load import ReviewLoad, Target
from .webhook_daemons import NAME, NAMESPACE, Installed, WebhookProcess, eventually

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("IAMBRIDGE_TEST_KUBECONFIG")),
    reason="another cluster's API server does not reach 127.0.0.1 here",
)
SERVER_NAME = f"{NAME}.{NAMESPACE}.svc"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    found = Installed(tmp_path)
    try:
        found.install()
        yield found
    finally:
        found.close()


def ready(replica: WebhookProcess) -> bool:
    """As a kubelet asks: by HTTPS, with no look at the certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{replica.port}/readyz", timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def nothing_lost(load: ReviewLoad, at_least: int) -> None:
    assert dict(load.failures) == {}
    assert load.answered > at_least, "the load was too small to prove anything"


def test_a_rotation_loses_nothing(installed: Installed) -> None:
    """A new authority and a new leaf, while each new connection is verified by the caBundle of that moment."""
    replica = installed.replica()
    installed.point_at(replica)
    eventually("it is ready", lambda: ready(replica))
    with ReviewLoad(lambda: [("127.0.0.1", replica.port)], installed.bundle, SERVER_NAME) as load:
        time.sleep(1)
        before = installed.served(replica)
        installed.take_out("ca.crt", "ca.key")
        eventually("the new leaf is served", lambda: installed.served(replica) not in {"", before})
        time.sleep(2)
        load.reaches(1000)
    nothing_lost(load, 1000)


def test_an_outage_of_the_api_server_loses_nothing(installed: Installed) -> None:
    """What is known is answered from memory; afterwards news arrive again."""
    replica = installed.replica()
    installed.point_at(replica)
    eventually("it is ready", lambda: ready(replica))
    bundle = installed.bundle()
    with ReviewLoad(lambda: [("127.0.0.1", replica.port)], lambda: bundle, SERVER_NAME) as load:
        time.sleep(1)
        installed.outage(seconds=4)
        time.sleep(1)
        load.reaches(500)
    nothing_lost(load, 500)
    eventually("a pod is mutated again", installed.mutates)
    eventually("that is said", lambda: "self-managed TLS, secret: well again" in replica.log)


def test_a_rolling_restart_loses_nothing(installed: Installed) -> None:
    """Each replica is replaced as a Deployment with maxUnavailable 0 replaces it: a ready one first, then SIGTERM."""
    flags = ("--shutdown-delay=6s",)
    replicas = [installed.replica(*flags), installed.replica(*flags)]
    installed.point_at(replicas[0])
    for replica in replicas:
        eventually("it is ready", lambda: ready(replica))  # noqa: B023 - asked in the same round

    def endpoints() -> list[Target]:
        return [("127.0.0.1", one.port) for one in tuple(replicas) if ready(one)]

    with ReviewLoad(endpoints, installed.bundle, SERVER_NAME) as load:
        for _ in range(2):
            fresh = installed.replica(*flags)
            eventually("the new one is ready", lambda: ready(fresh))  # noqa: B023 - as above
            replicas.append(fresh)
            time.sleep(0.5)
            assert replicas[0].stop(signal.SIGTERM) == 0
            replicas.pop(0)
        time.sleep(1)
        load.reaches(1000)
    nothing_lost(load, 1000)
