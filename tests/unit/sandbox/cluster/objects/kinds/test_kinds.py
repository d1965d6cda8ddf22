from typing import Any

import pytest

from iambridge.sandbox.cluster.objects import kinds, process_node
from iambridge.sandbox.cluster.objects.field_error import invalid
from iambridge.sandbox.cluster.objects.kinds.pod_spec import image_tag
from iambridge.sandbox.cluster.objects.types import UnknownKind


def meta(name: str = "x", namespace: str = "n") -> dict[str, Any]:
    return {"name": name, **({"namespace": namespace} if namespace else {})}


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": meta(), "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def job(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {**meta("j"), "uid": "U"},
        "spec": {"template": {"spec": {**pod()["spec"], "restartPolicy": "Never"}}, **spec},
    }


def faults(group: str, kind: str, obj: dict[str, Any]) -> list[str]:
    strategy = kinds.strategy(group, kind)
    return [str(error) for error in strategy.validate_create(strategy.default(obj))]


def test_names_are_judged_in_kubernetes_words() -> None:
    """A bad name is a 422 with the validation's own words, cause and details."""
    strategy = kinds.strategy("", "ConfigMap")
    errors = strategy.validate_create({"metadata": meta("BAD_Name")})
    answer = invalid("", "ConfigMap", "BAD_Name", errors)
    assert answer.message == (
        'ConfigMap "BAD_Name" is invalid: metadata.name: Invalid value: "BAD_Name": a lowercase RFC 1123 subdomain must consist of '
        "lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', "
        r"regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )
    assert answer.details["causes"] == [errors[0].cause()]
    assert faults("", "ConfigMap", {"metadata": {"namespace": "n"}}) == [
        "metadata.name: Required value: name or generateName is required"
    ]
    assert faults("rbac.authorization.k8s.io", "Role", {"metadata": meta("system:a/b")}) == [
        "metadata.name: Invalid value: \"system:a/b\": may not contain '/'"
    ]


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("a", "latest"),
        ("a:1", "1"),
        ("r:5000/a", "latest"),
        ("r:5000/a:2", "2"),
        ("a@sha256:0", ""),
        ("a:latest", "latest"),
    ],
)
def test_image_tags(image: str, tag: str) -> None:
    """Only an untagged or :latest image is always pulled."""
    assert image_tag(image) == tag


def test_pod_defaults() -> None:
    """A pod gets the defaults of a real API server."""
    spec = kinds.strategy("", "Pod").default(pod(serviceAccount="s", volumes=[{"name": "v"}]))["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == "Always"
    assert spec["serviceAccountName"] == "s"
    assert spec["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert (spec["restartPolicy"], spec["dnsPolicy"], spec["enableServiceLinks"]) == ("Always", "ClusterFirst", True)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"containers": []}, "spec.containers: Required value"),
        (
            {"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]},
            'spec.containers[1].name: Duplicate value: "c"',
        ),
        ({"containers": [{"name": "c"}]}, "spec.containers[0].image: Required value"),
        (
            {"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/x"}]}]},
            'spec.containers[0].volumeMounts[0].name: Not found: "v"',
        ),
        (
            {"restartPolicy": "Sometimes"},
            'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
        ),
    ],
)
def test_pod_faults(spec: dict[str, Any], fault: str) -> None:
    """Each fault of a pod is one field error in Kubernetes' words."""
    assert fault in faults("", "Pod", pod(**spec))


def test_pod_updates_may_change_little() -> None:
    """An image may change, a command may not."""
    strategy = kinds.strategy("", "Pod")
    old = strategy.default(pod())
    image = strategy.default(pod(containers=[{"name": "c", "image": "j", "imagePullPolicy": "Always"}]))
    command = strategy.default(pod(containers=[{"name": "c", "image": "i", "command": ["x"]}]))
    assert strategy.validate_update(image, old) == []
    assert strategy.validate_update(command, old)[0].message.startswith(
        "Forbidden: pod updates may not change fields other than"
    )


def test_job_gets_its_labels_and_selector_and_keeps_its_template() -> None:
    """A job ties its pods by four labels and one selector; its template is immutable."""
    strategy = kinds.strategy("batch", "Job")
    made = strategy.after_uid(strategy.default(job()))
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels == {
        "job-name": "j",
        "batch.kubernetes.io/job-name": "j",
        "controller-uid": "U",
        "batch.kubernetes.io/controller-uid": "U",
    }
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "U"}}
    assert strategy.validate_create(made) == []
    changed = {**made, "spec": {**made["spec"], "template": {"spec": {}}}}
    assert any(
        str(error).startswith("spec.template: Invalid value") for error in strategy.validate_update(changed, made)
    )
    assert 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"' in faults(
        "batch", "Job", job(template={"spec": pod()["spec"]})
    )


def test_status_and_generation() -> None:
    """Status is written only through its subresource; the generation counts changes of the spec only."""
    strategy = kinds.strategy("batch", "Job")
    made = strategy.prepare_create({**strategy.default(job()), "status": {"active": 1}})
    assert "status" not in made
    assert made["metadata"]["generation"] == 1
    labelled = strategy.prepare_update(
        {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}, "status": {"active": 9}}, made
    )
    assert labelled["metadata"]["generation"] == 1
    assert "status" not in labelled
    suspended = strategy.prepare_update({**made, "spec": {**made["spec"], "suspend": True}}, made)
    assert suspended["metadata"]["generation"] == 2
    status = strategy.prepare_update({**made, "spec": {}, "status": {"active": 1}}, made, "status")
    assert (status["status"], status["spec"]) == ({"active": 1}, made["spec"])


def test_namespace_is_born_active_with_its_label_and_finalizer() -> None:
    """A namespace carries its name as a label, and the finalizer that its deletion waits for."""
    strategy = kinds.strategy("", "Namespace")
    made = strategy.default(strategy.prepare_create({"metadata": meta("a", "")}))
    assert made == {
        "metadata": {"name": "a", "labels": {"kubernetes.io/metadata.name": "a"}},
        "status": {"phase": "Active"},
        "spec": {"finalizers": ["kubernetes"]},
    }


def test_secrets_fold_string_data_and_keep_their_type() -> None:
    """stringData lands in data; the type may not change; immutable data may not either."""
    strategy = kinds.strategy("", "Secret")
    made = strategy.default(strategy.prepare_create({"metadata": meta(), "stringData": {"k": "v"}, "immutable": True}))
    assert made["data"] == {"k": "dg=="}
    assert "stringData" not in made
    changed = {**made, "type": "x", "data": {}}
    assert sorted(error.field for error in strategy.validate_update(changed, made)) == ["data", "type"]


def test_role_references_are_immutable() -> None:
    """A binding's roleRef cannot change."""
    strategy = kinds.strategy("rbac.authorization.k8s.io", "RoleBinding")
    made = strategy.default(
        {"metadata": meta(), "roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]}
    )
    assert strategy.validate_create(made) == []
    other = {**made, "roleRef": {**made["roleRef"], "name": "q"}}
    assert str(strategy.validate_update(other, made)[0]).endswith("field is immutable")


def test_webhook_defaults_and_faults() -> None:
    """Webhooks get Kubernetes' defaults; CEL conditions are refused by name."""
    strategy = kinds.strategy("admissionregistration.k8s.io", "MutatingWebhookConfiguration")
    webhook: dict[str, Any] = {
        "name": "a.b.c",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": {"name": "s", "namespace": "n"}},
    }
    made = strategy.default({"metadata": meta("w", ""), "webhooks": [webhook]})
    assert strategy.validate_create(made) == []
    assert made["webhooks"][0]["timeoutSeconds"] == 10
    assert made["webhooks"][0]["clientConfig"]["service"]["port"] == 443
    bad = strategy.default(
        {
            "metadata": meta("w", ""),
            "webhooks": [
                {
                    **webhook,
                    "name": "a",
                    "sideEffects": "Some",
                    "matchConditions": [{"name": "x"}],
                    "clientConfig": {"url": "http://x"},
                }
            ],
        }
    )
    assert sorted(error.field for error in strategy.validate_create(bad)) == [
        "webhooks[0].clientConfig.url",
        "webhooks[0].matchConditions",
        "webhooks[0].name",
        "webhooks[0].sideEffects",
    ]


def test_a_process_node_refuses_what_it_cannot_be() -> None:
    """Another user or privilege is refused, the kubelet's own user is not, and limits are warned of."""
    bad = pod(
        securityContext={"runAsUser": 0, "runAsNonRoot": True},
        containers=[{"name": "c", "securityContext": {"privileged": True}}],
    )
    assert [error.field for error in process_node.refusals("Pod", bad, 1000)] == [
        "spec.securityContext.runAsUser",
        "spec.containers[0].securityContext.privileged",
    ]
    assert process_node.refusals("Job", job(), 1000) == []
    assert process_node.refusals("Pod", pod(securityContext={"runAsUser": 1000, "runAsNonRoot": True}), 1000) == []
    assert process_node.warnings("Pod", pod(hostPID=True), 1000) == [
        "spec.hostPID: not honoured: pods run as host processes on this node"
    ]


def test_a_root_node_has_every_user_to_give() -> None:
    """A kubelet that is root refuses no user and no runAsNonRoot, and says which fields it does not enforce."""
    hardened = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsGroup": 5,
        "runAsNonRoot": True,
        "runAsUser": 4321,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    one = pod(containers=[{"name": "c", "securityContext": hardened}])
    assert process_node.refusals("Pod", one, 0) == []
    field, words = "spec.containers[0].securityContext", "not enforced: pods run as host processes on this node"
    unenforced = ["seccompProfile"]
    assert process_node.warnings("Pod", one, 0) == [f"{field}.{name}: {words}" for name in unenforced]
    assert process_node.warnings("Pod", one, 4321) == [
        f"{field}.{name}: {words}" for name in ["runAsGroup", *unenforced]
    ]


def test_an_unserved_kind_has_no_strategy() -> None:
    """A kind that nothing acts on is unknown."""
    with pytest.raises(UnknownKind):
        kinds.strategy("batch", "CronJob")
