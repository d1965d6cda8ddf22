import asyncio
import base64
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.rbac import User
from iambridge.errors import BadRequest, Forbidden, InternalError, NotFound, WebhookRejected
from iambridge.sandbox.cluster.admission import AdmissionAttributes, WebhookAdmission, namespace_lifecycle
from iambridge.sandbox.cluster.admission.call import ServiceUnresolved
from iambridge.wire.http import Request, Response

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"}}}
Answer = Callable[[dict[str, Any]], dict[str, Any]]


def attributes(**more: Any) -> AdmissionAttributes:
    facts: dict[str, Any] = {"namespace": "n", "name": "p", "object": POD, **more}
    return AdmissionAttributes("CREATE", ("", "v1", "Pod"), ("", "v1", "pods"), User("jane", ("g",)), **facts)


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(json.dumps(operations).encode()).decode(),
    }


class Webhook:
    """One HTTPS webhook on loopback for the Service `hook` in `kube-system`; it answers each request by `answer`."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.authority = CertificateAuthority(folder, name="test", now=dt.datetime.now(dt.UTC))
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.port = free_port()

    async def app(self, request: Request) -> Response:
        review = json.loads(request.body)
        self.asked.append(review)
        response = {"uid": review["request"]["uid"], **self.answer(review["request"])}
        body = {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}
        return Response(200, (("content-type", "application/json"),), json.dumps(body).encode())

    def configuration(self, name: str = "hook.iambridge.dev", **more: Any) -> dict[str, Any]:
        client = {
            "service": {"namespace": "kube-system", "name": "hook", "port": 443, "path": "/mutate"},
            "caBundle": base64.b64encode(self.authority.pem).decode(),
        }
        rules = [
            {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*"}
        ]
        webhook = {
            "name": name,
            "clientConfig": client,
            "rules": rules,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 5,
            "failurePolicy": "Fail",
            **more,
        }
        return {"metadata": {"name": name}, "webhooks": [webhook]}

    def resolve(self, *service: str | int) -> list[tuple[str, int]]:
        """Nobody listens at the first address; the call goes on to the second."""
        if service != ("kube-system", "hook", 443):
            raise ServiceUnresolved(f'no endpoints available for service "{service[1]}"')
        return [("127.0.0.1", free_port()), ("127.0.0.1", self.port)]

    @asynccontextmanager
    async def running(self, host: str = "hook.kube-system.svc") -> AsyncIterator[WebhookAdmission]:
        leaf = self.authority.leaf("hook", hosts=(host,))
        server = RunningServer(self.app, Listener("127.0.0.1", self.port, leaf.certificate, leaf.key))
        await server.start()
        admission = WebhookAdmission(self.resolve, lambda: "uid-1")
        try:
            yield admission
        finally:
            await admission.close()
            await server.stop()


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def same(obj: dict[str, Any]) -> dict[str, Any]:
    return obj


def test_a_webhook_behind_a_service_patches_the_object(tmp_path: Path) -> None:
    """The review is built as Kubernetes builds it, TLS verifies the Service's name, and the patch is applied."""
    hook = Webhook(
        tmp_path,
        lambda _: {
            **patch({"op": "add", "path": "/spec", "value": {}}),
            "warnings": ["w"],
            "auditAnnotations": {"k": "v"},
        },
    )

    async def scene() -> None:
        async with hook.running() as admission:
            outcome = await admission.mutate(attributes(), [hook.configuration()], {}, same)
        assert outcome.object == {**POD, "spec": {}}
        assert (outcome.warnings, outcome.audit_annotations) == (["w"], {"hook.iambridge.dev/k": "v"})

    play(scene())
    request = hook.asked[0]["request"]
    assert request == {
        "uid": "uid-1",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "p",
        "namespace": "n",
        "operation": "CREATE",
        "userInfo": {"username": "jane", "groups": ["g"]},
        "object": POD,
        "oldObject": None,
        "dryRun": False,
        "options": None,
    }


def test_a_refusal_carries_the_webhooks_words_reason_and_code(tmp_path: Path) -> None:
    """A denial is the webhook's own status, with Kubernetes' words in front."""
    hook = Webhook(
        tmp_path, lambda _: {"allowed": False, "status": {"message": "no", "reason": "Forbidden", "code": 403}}
    )

    async def scene() -> None:
        async with hook.running() as admission:
            with pytest.raises(WebhookRejected) as refused:
                await admission.validate(attributes(), [hook.configuration()], {})
        assert refused.value.message == 'admission webhook "hook.iambridge.dev" denied the request: no'
        assert (refused.value.reason, refused.value.answered) == ("Forbidden", 403)

    play(scene())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"uid": "other", "allowed": True}, 'expected response.uid="uid-1", got "other"'),
        ({"allowed": True, "patch": "W10="}, "webhook returned response.patch but not response.patchType"),
        ({"allowed": True, "patchType": "JSONPatch", "patch": "!"}, "received undecodable patch"),
        ({"allowed": "yes"}, "wrong type"),
    ],
)
def test_a_bad_answer_fails_closed_or_is_ignored_by_policy(tmp_path: Path, answer: dict[str, Any], words: str) -> None:
    """An invalid review is an error when failurePolicy is Fail, and no answer when it is Ignore."""
    hook = Webhook(tmp_path, lambda _: answer)

    async def scene() -> None:
        async with hook.running() as admission:
            with pytest.raises(InternalError) as refused:
                await admission.mutate(attributes(), [hook.configuration()], {}, same)
            assert refused.value.message.startswith(
                'Internal error occurred: failed calling webhook "hook.iambridge.dev": '
            )
            assert words in refused.value.message
            outcome = await admission.mutate(attributes(), [hook.configuration(failurePolicy="Ignore")], {}, same)
        assert outcome.object == POD

    play(scene())


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    """A webhook whose certificate does not name svc.namespace.svc is not asked."""
    hook = Webhook(tmp_path, lambda _: {"allowed": True})

    async def scene() -> None:
        async with hook.running("other.kube-system.svc") as admission:
            with pytest.raises(InternalError, match="tls: failed to verify certificate"):
                await admission.mutate(attributes(), [hook.configuration()], {}, same)
        assert hook.asked == []

    play(scene())


def test_an_unresolved_service_and_a_dry_run_with_side_effects(tmp_path: Path) -> None:
    """A Service without endpoints fails closed; a webhook with side effects is not asked in a dry run."""
    hook = Webhook(tmp_path, lambda _: {"allowed": True})

    async def scene() -> None:
        def nobody(namespace: str, name: str, port: int) -> list[tuple[str, int]]:
            raise ServiceUnresolved(f'no endpoints available for service "{name}"')

        admission = WebhookAdmission(nobody, lambda: "u")
        try:
            with pytest.raises(InternalError, match="no endpoints available for service"):
                await admission.mutate(attributes(), [hook.configuration()], {}, same)
            with pytest.raises(BadRequest, match="does not support dry run"):
                await admission.mutate(attributes(dry_run=True), [hook.configuration(sideEffects="Some")], {}, same)
        finally:
            await admission.close()

    play(scene())


def test_selectors_rules_and_reinvocation(tmp_path: Path) -> None:
    """Only matching writes are sent; an IfNeeded webhook sees the object again after a later one changed it."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        labels = request["object"]["metadata"]["labels"]
        return (
            {"allowed": True}
            if "late" in labels
            else patch(
                {"op": "add", "path": f"/metadata/labels/{'late' if 'early' in labels else 'early'}", "value": "1"}
            )
        )

    hook = Webhook(tmp_path, answer)

    async def scene() -> None:
        async with hook.running() as admission:
            pair = [hook.configuration("a.x.y", reinvocationPolicy="IfNeeded"), hook.configuration("b.x.y")]
            outcome = await admission.mutate(attributes(), pair, {}, same)
            assert outcome.object is not None
            assert set(outcome.object["metadata"]["labels"]) == {"a", "early", "late"}
            assert len(hook.asked) == 3
            skipped = [
                hook.configuration(namespaceSelector={"matchLabels": {"x": "y"}}),
                hook.configuration(
                    objectSelector={"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}
                ),
                hook.configuration(
                    rules=[
                        {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["pods/status"]}
                    ]
                ),
                hook.configuration(
                    rules=[
                        {
                            "operations": ["*"],
                            "apiGroups": ["*"],
                            "apiVersions": ["*"],
                            "resources": ["*"],
                            "scope": "Cluster",
                        }
                    ]
                ),
            ]
            await admission.mutate(attributes(), skipped, {}, same)
            assert len(hook.asked) == 3

    play(scene())


def test_a_rule_for_another_version_gets_the_write(tmp_path: Path) -> None:
    """matchPolicy Equivalent: a write by v1beta1 reaches a webhook for v1, in v1's name, and comes back in its own."""
    hook = Webhook(tmp_path, lambda _: patch({"op": "add", "path": "/spec", "value": {}}))
    widget = {"apiVersion": "x.y/v1beta1", "kind": "Widget", "metadata": {"name": "w"}}
    write = AdmissionAttributes(
        "CREATE", ("x.y", "v1beta1", "Widget"), ("x.y", "v1beta1", "widgets"), User("jane", ("g",)),
        name="w", object=widget, versions=("v1", "v1beta1"),
    )  # fmt: skip
    rules = [{"operations": ["*"], "apiGroups": ["x.y"], "apiVersions": ["v1"], "resources": ["widgets"], "scope": "*"}]

    async def scene() -> None:
        async with hook.running() as admission:
            outcome = await admission.mutate(write, [hook.configuration(rules=rules)], {}, same)
            assert outcome.object == {**widget, "spec": {}}
            await admission.mutate(write, [hook.configuration(rules=rules, matchPolicy="Exact")], {}, same)
            await admission.validate(write, [hook.configuration(rules=rules, matchPolicy="Equivalent")], {})

    play(scene())
    assert len(hook.asked) == 2
    for asked in hook.asked:
        request = asked["request"]
        assert (request["kind"]["version"], request["resource"]["version"]) == ("v1", "v1")
        assert (request["requestKind"]["version"], request["requestResource"]["version"]) == ("v1beta1", "v1beta1")
        assert request["object"]["apiVersion"] == "x.y/v1"


def test_the_life_of_a_namespace() -> None:
    """Nothing is created in a namespace that is gone or going, and `default` may not be deleted."""
    namespace_lifecycle(attributes(), {"status": {"phase": "Active"}})
    with pytest.raises(NotFound, match='namespaces "n" not found'):
        namespace_lifecycle(attributes(), None)
    with pytest.raises(
        Forbidden,
        match='pods "p" is forbidden: unable to create new content in namespace n because it is being terminated',
    ):
        namespace_lifecycle(attributes(), {"status": {"phase": "Terminating"}})
    doomed = AdmissionAttributes("DELETE", ("", "v1", "Namespace"), ("", "v1", "namespaces"), User("u"), name="default")
    with pytest.raises(Forbidden, match='namespaces "default" is forbidden: this namespace may not be deleted'):
        namespace_lifecycle(doomed, None)
