"""The webhook over values: every answer that is not an injection, and what is told to whom."""

import asyncio
import base64
import io
import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.adapters.decision_log import JsonLinesDecisionLog
from iambridge.core.pod_identity import Facts, Settings, identity_of_annotations
from iambridge.errors import ApiServerUnreachable
from iambridge.servers.pod_identity_webhook import PodIdentityWebhook
from iambridge.wire.http import Headers, Request, Response

ROLE = "arn:aws:iam::111122223333:role/app"
SETTINGS = Settings()
ASKS = Facts(identity_of_annotations({"eks.amazonaws.com/role-arn": ROLE}, SETTINGS))


class Known:
    """Facts held in memory: `reads` answers what `memory` does not."""

    def __init__(self, memory: Facts | None, reads: Facts | Exception = ASKS, *, synced: bool = True) -> None:
        self.memory, self.reads, self.synced = memory, reads, synced

    def known(self, namespace: str, name: str) -> Facts | None:
        return self.memory

    async def read(self, namespace: str, name: str) -> Facts:
        if isinstance(self.reads, Exception):
            raise self.reads
        return self.reads


def webhook(facts: Known | None = None, log: io.StringIO | None = None, **named: Any) -> PodIdentityWebhook:
    decisions = JsonLinesDecisionLog(log or io.StringIO(), lambda: 0.0)
    return PodIdentityWebhook(
        facts or Known(ASKS), named.pop("settings", SETTINGS), decisions, draw=lambda: 0.0, **named
    )


def review(pod: Any = None, **request: Any) -> dict[str, Any]:
    pod = pod or {"metadata": {"name": "p"}, "spec": {"serviceAccountName": "app", "containers": [{"name": "c"}]}}
    asked = {
        "uid": "u",
        "namespace": "default",
        "operation": "CREATE",
        "kind": {"kind": "Pod"},
        "object": pod,
        **request,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}


def post(
    server: PodIdentityWebhook, body: Any, content_type: str = "application/json", path: str = "/mutate"
) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request("POST", path, headers=Headers([("content-type", content_type)]), body=content)
    return asyncio.run(server.app(request))


def document(response: Response) -> dict[str, Any]:
    assert isinstance(response.body, bytes)
    found: dict[str, Any] = json.loads(response.body)
    return found


@pytest.mark.parametrize("version", ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"])
def test_version_is_echoed(version: str) -> None:
    """The answer has the review's apiVersion, kind and uid, and a patch as JSONPatch."""
    answer = document(post(webhook(), review() | {"apiVersion": version}))
    assert (answer["apiVersion"], answer["kind"]) == (version, "AdmissionReview")
    assert answer["response"]["uid"] == "u"
    assert answer["response"]["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(answer["response"]["patch"]))[0]["path"] == "/spec/volumes"
    assert answer["response"]["auditAnnotations"]["role-arn"] == ROLE


def test_nothing_to_do_is_a_bare_allow() -> None:
    """A pod that asks for nothing is allowed without patch, patchType or warning."""
    nobody = Known(Facts(identity_of_annotations({}, SETTINGS)))
    assert document(post(webhook(nobody), review()))["response"] == {"uid": "u", "allowed": True}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (review() | {"apiVersion": "admission.k8s.io/v2"}, "application/json", 400),
        (review() | {"kind": "Pod"}, "application/json", 400),
        (review({"spec": {"containers": "secret-value"}}), "application/json", 400),
        (review([1]), "application/json", 400),
        (review(), "application/json; charset=utf-8", 200),
    ],
)
def test_bad_review_is_an_http_error(body: Any, content_type: str, status: int) -> None:
    """What is no review is an HTTP error, so that failurePolicy decides; it never denies, and never echoes a value."""
    response = post(webhook(), body, content_type)
    assert response.status == status
    assert b"secret-value" not in response.body  # type: ignore[operator] # bytes for every answer of /mutate


def test_unsynced_is_not_ready() -> None:
    """Before the cache has synced neither /readyz nor /mutate answers 200; /healthz does."""
    server = webhook(Known(None, synced=False))
    assert [post(server, review(), path=path).status for path in ("/readyz", "/mutate", "/healthz")] == [503, 503, 200]


def test_miss_reads_through() -> None:
    """A ServiceAccount that memory lacks is read, and the pod is injected."""
    assert "patch" in document(post(webhook(Known(None)), review()))["response"]


def test_failed_read_is_an_http_error() -> None:
    """A read that fails is an HTTP error, never a silent allow."""
    assert post(webhook(Known(None, ApiServerUnreachable("gone"))), review()).status == 503


@pytest.mark.parametrize(
    "changes", [{"operation": "UPDATE"}, {"subResource": "ephemeralcontainers"}, {"kind": {"kind": "Job"}}]
)
def test_only_pod_creation_is_judged(changes: dict[str, Any]) -> None:
    """Updates, subresources and other kinds are allowed untouched."""
    assert "patch" not in document(post(webhook(), review(**changes)))["response"]


def test_refused_identity_is_said_aloud() -> None:
    """An invalid role gives a warning, an Event and a log line with the fix; a dry run gives no Event."""
    bad = Known(Facts(identity_of_annotations({"eks.amazonaws.com/role-arn": "app"}, SETTINGS)))
    told: list[str] = []
    log = io.StringIO()
    server = webhook(bad, log, not_injected=lambda decision, pod, namespace: told.append(namespace))
    answer = document(post(server, review()))["response"]
    assert answer["allowed"]
    assert "role ARN is not one" in answer["warnings"][0]
    post(server, review(dryRun=True))
    assert told == ["default"]
    line = json.loads(log.getvalue().splitlines()[0])
    assert (line["outcome"], line["reasons"][-1]["code"]) == ("explicitDeny", "role-arn-invalid")
    assert line["fix"]


def test_fail_closed_label_refuses() -> None:
    """With the label, a pod that cannot be given its identity is refused as Forbidden, with the reason."""
    bad = Known(Facts(identity_of_annotations({"eks.amazonaws.com/role-arn": "app"}, SETTINGS)))
    pod = review()["request"]["object"] | {"metadata": {"labels": {"need": ""}}}
    answer = document(post(webhook(bad, settings=Settings(fail_closed_label="need")), review(pod)))["response"]
    assert answer["allowed"] is False
    assert answer["status"]["code"] == 403


def test_fail_closed_leaves_kube_system_out() -> None:
    """What the cluster needs must start, label or not; the warning is there all the same."""
    bad = Known(Facts(identity_of_annotations({"eks.amazonaws.com/role-arn": "x"}, SETTINGS)))
    pod = {"metadata": {"labels": {"need": ""}}, "spec": {"serviceAccountName": "app", "containers": [{"name": "c"}]}}
    settings = Settings(fail_closed_label="need")
    for namespace, allowed in (("default", False), ("kube-system", True)):
        answer = document(post(webhook(bad, settings=settings), review(pod, namespace=namespace)))["response"]
        assert (answer["allowed"], len(answer["warnings"])) == (allowed, 1)


def test_log_holds_no_raw_pod() -> None:
    """No value of the pod's environment reaches the decision log."""
    log = io.StringIO()
    pod = review()["request"]["object"]
    pod["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": "hunter2"}]
    post(webhook(log=log), review(pod))
    assert "hunter2" not in log.getvalue()


def test_metrics_count_what_was_done() -> None:
    """Each answer is counted by code, method and reason."""
    server = webhook()
    post(server, review())
    post(server, b"")
    page = asyncio.run(server.metrics_app(Request("GET", "/metrics"))).body
    assert isinstance(page, bytes)
    text = page.decode()
    assert 'pod_identity_webhook_pod_count{method="sts_web_identity"} 1\n' in text
    assert 'http_request_count{verb="POST",path="/mutate",code="400"} 1\n' in text
    assert "http_request_duration_seconds_count 2\n" in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.printable, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["metadata", "spec", "containers", "env", "name", "volumes", "volumeMounts", "mountPath", "annotations", "projected",
         "sources", "labels", "serviceAccountName", "nodeSelector", "os", "initContainers"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_object_is_answered(pod: Any) -> None:
    """Whatever JSON stands in the pod's place, the answer is 200 or 400, never a crash."""
    assert post(webhook(), review() | {"request": review()["request"] | {"object": pod}}).status in {200, 400}


@given(st.binary(max_size=200))
def test_any_body_is_answered(body: bytes) -> None:
    """Whatever bytes come, the answer is 400."""
    assert post(webhook(), body).status == 400
