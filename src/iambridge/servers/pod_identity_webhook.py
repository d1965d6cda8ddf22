"""The pod identity webhook: AdmissionReview in, `core.pod_identity.mutate`, AdmissionReview out.

`app` serves /mutate, /healthz, /readyz; `metrics_app` serves /metrics on a listener of its own, as the original does.
"""

import random
from collections.abc import Callable, Sequence
from time import perf_counter

from iambridge.core.decision import Decision
from iambridge.core.pod_identity import Mutation, Pod, Settings, mutate, not_judged
from iambridge.errors import BadRequest, BridgeError
from iambridge.ports import DecisionLog, PodIdentityFacts
from iambridge.wire import admission
from iambridge.wire.http import Request, Response
from iambridge.wire.prometheus import CONTENT_TYPE, Counter, Histogram, render

_JSON = (("content-type", "application/json"),)
_TEXT = (("content-type", "text/plain; charset=utf-8"),)
_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

NotInjected = Callable[[Decision, Pod, str], None]


class WebhookMetrics:
    """The original's names where they are sound; its microsecond histogram is replaced by seconds.

    `more` are rendered after them.
    """

    def __init__(self, more: Sequence[Counter] = ()) -> None:
        self._more = tuple(more)
        self.requests = Counter("http_request_count", "Requests by verb, path and code", ("verb", "path", "code"))
        self.latency = Histogram("http_request_duration_seconds", "Time to answer /mutate", _SECONDS)
        self.pods = Counter("pod_identity_webhook_pod_count", "Pods given an identity, by method", ("method",))
        self.missing = Counter("pod_identity_webhook_missing_sa_count", "Pods whose ServiceAccount does not exist")
        self.not_injected = Counter("pod_identity_webhook_not_injected_count", "Pods left as they are", ("reason",))
        self.read_throughs = Counter("pod_identity_webhook_read_through_count", "Reads past the cache", ("result",))
        self.used = Counter("pod_identity_webhook_used", "1 once the cache holds a ServiceAccount", kind="gauge")

    def render(self) -> bytes:
        return render(
            (
                self.requests,
                self.latency,
                self.pods,
                self.missing,
                self.not_injected,
                self.read_throughs,
                self.used,
                *self._more,
            )
        )


class PodIdentityWebhook:
    """Judges pods from `facts`. `draw` gives the jitter, from [0, 1).

    `not_injected(decision, pod, namespace)` is told of every pod that asks for an identity and is given none, for an
    Event; never for a dry run. `not_ready` says why the replica should be sent no requests, or nothing; it answers
    those that come all the same.
    """

    def __init__(
        self,
        facts: PodIdentityFacts,
        settings: Settings,
        decision_log: DecisionLog,
        *,
        metrics: WebhookMetrics | None = None,
        not_injected: NotInjected | None = None,
        not_ready: Callable[[], str] = str,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._facts = facts
        self._settings = settings
        self._log = decision_log
        self.metrics = metrics or WebhookMetrics()
        self._not_injected = not_injected
        self._not_ready = not_ready
        self._draw = draw

    async def app(self, request: Request) -> Response:
        if request.path == "/mutate":
            started = perf_counter()
            response = await self._mutate(request)
            self.metrics.latency.observe(perf_counter() - started)
            self.metrics.requests.add(request.method, "/mutate", str(response.status))
            return response
        if request.path == "/healthz":
            return Response(200, _TEXT, b"ok")
        if request.path == "/readyz":
            why = self._not_ready() if self._facts.synced else "cache not synced"
            return Response(503, _TEXT, f"{why}\n".encode()) if why else Response(200, _TEXT, b"ok")
        return Response(404, _TEXT, b"not found\n")

    async def metrics_app(self, request: Request) -> Response:
        if request.path == "/metrics":
            return Response(200, (("content-type", CONTENT_TYPE),), self.metrics.render())
        if request.path == "/healthz":
            return Response(200, _TEXT, b"ok")
        return Response(404, _TEXT, b"not found\n")

    async def _mutate(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(405, (*_TEXT, ("allow", "POST")), b"use POST\n")
        content_type = request.headers.get("content-type")
        if content_type != "application/json" and content_type.partition(";")[0].strip().lower() != "application/json":
            return Response(415, _TEXT, b"Invalid Content-Type, expected `application/json`\n")
        if not self._facts.synced:
            return Response(503, _TEXT, b"the ServiceAccount cache is not synced yet\n")
        try:
            return Response(200, _JSON, await self.review(request.body))
        except BadRequest as error:
            return Response(400, _TEXT, f"{error.message}\n".encode())
        except BridgeError as error:
            # an HTTP error, so that the configuration's failurePolicy decides and no pod slips through unmutated
            return Response(503, _TEXT, f"cannot read the ServiceAccount: {error.message}\n".encode())

    async def review(self, body: bytes) -> bytes:
        """Answer one AdmissionReview.

        Raises:
            BadRequest: it is not one.
            KubernetesError: the ServiceAccount is not known, and the API server cannot be asked.
        """
        review = admission.decode_review(body)
        asked = review.request
        pod = Pod()
        if asked.kind.kind not in {"Pod", ""} or asked.sub_resource or asked.operation not in {"CREATE", ""}:
            mutation = not_judged("not-a-pod-create", "only the creation of pods is judged")
        else:
            pod = admission.decode_pod(asked.object)
            account = pod.spec.service_account_name or ""
            facts = self._facts.known(asked.namespace, account)
            if facts is None:
                facts = await self._facts.read(asked.namespace, account)
            mutation = mutate(pod, asked.namespace, facts, self._settings, jitter=self._draw())
        self._account_for(mutation, pod, asked)
        denial = mutation.warnings[0] if mutation.denied else ""
        return admission.encode_response(
            review, patch=mutation.patch, warnings=mutation.warnings, audit_annotations=mutation.audit, denial=denial
        )

    def _account_for(self, mutation: Mutation, pod: Pod, asked: admission.AdmissionRequest) -> None:
        decision = mutation.decision
        if mutation.method:
            self.metrics.pods.add(mutation.method)
        else:
            code = decision.reasons[-1].code
            self.metrics.not_injected.add(code)
            if code == "service-account-not-found":
                self.metrics.missing.add()
            if decision.fix and self._not_injected is not None and not asked.dry_run:
                self._not_injected(decision, pod, asked.namespace)
        self._log.record(
            decision,
            request_id=asked.uid,
            namespace=asked.namespace,
            pod=pod.shown_name,
            serviceAccount=pod.spec.service_account_name or "",
        )
