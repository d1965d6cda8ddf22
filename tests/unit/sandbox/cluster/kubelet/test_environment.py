import base64
from typing import Any

import pytest

from iambridge.errors import CreateContainerConfigError
from iambridge.sandbox.cluster.kubelet.environment import (
    Sources,
    container_environment,
    expand,
    field_value,
    named_sources,
)

POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "uid": "u",
        "labels": {"app": "a", "b": 'q"q'},
        "annotations": {"x/y": "z"},
    },
    "spec": {"nodeName": "iambridge", "serviceAccountName": "sa"},
    "status": {"podIP": "127.0.0.1", "hostIP": "127.0.0.1"},
}
SOURCES = Sources(
    config_maps={"c": {"data": {"k": "v", "not=a name": "x"}}},
    secrets={"s": {"data": {"pass": base64.b64encode(b"word").decode()}}},
)


def values(container: dict[str, Any], node: dict[str, str] | None = None) -> dict[str, str]:
    return dict(container_environment(POD, container, SOURCES, base={}, node=node or {}).values)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$A $( $", "$A $( $"),
    ],
)
def test_expansion(text: str, expanded: str) -> None:
    """`$(NAME)` is replaced, `$$` escapes, an unknown name stays (core/v1 EnvVar.value)."""
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_every_source_of_a_value() -> None:
    """value, fieldRef, configMapKeyRef, secretKeyRef and envFrom each give what they name; env wins over envFrom."""
    container = {
        "envFrom": [{"prefix": "C_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}],
        "env": [
            {"name": "PLAIN", "value": "$(C_k)!"},
            {"name": "pass", "value": "own"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pass"}}},
            {"name": "O", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "x", "optional": True}}},
            {"name": "EMPTY"},
        ],
    }
    assert values(container) == {
        "C_k": "v", "pass": "own", "PLAIN": "v!", "POD": "p", "K": "v", "P": "word", "EMPTY": "",
    }  # fmt: skip


def test_node_adds_only_what_the_pod_does_not_set() -> None:
    """A variable of the node never replaces the pod's own, and only what was really added is named."""
    container = {"env": [{"name": "AWS_REGION", "value": "eu-west-1"}]}
    found = container_environment(
        POD,
        container,
        SOURCES,
        base={"PATH": "/bin"},
        node={"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "https://x"},
    )
    assert found.values == {"PATH": "/bin", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "https://x"}
    assert found.added == ("AWS_ENDPOINT_URL",)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"configMapKeyRef": {"name": "gone", "key": "k"}}, 'configmap "gone" not found'),
        ({"secretKeyRef": {"name": "s", "key": "gone"}}, "couldn't find key gone in Secret n/s"),
        ({"fieldRef": {"fieldPath": "spec.secret"}}, "unsupported fieldPath: spec.secret"),
        ({"resourceFieldRef": {"resource": "limits.gpu"}}, "unsupported container resource : limits.gpu"),
        ({"fileKeyRef": {"key": "k"}}, "does not support env valueFrom fileKeyRef"),
    ],
)
def test_missing_source_is_refused_by_name(reference: dict[str, Any], message: str) -> None:
    """What is not there, or not supported, is a CreateContainerConfigError that names it."""
    with pytest.raises(CreateContainerConfigError) as refusal:
        values({"env": [{"name": "X", "valueFrom": reference}]})
    assert message in refusal.value.message
    assert refusal.value.fix


def test_downward_fields() -> None:
    """Labels and annotations come one by one, or together as the downward API writes them."""
    assert field_value(POD, "metadata.labels['app']") == "a"
    assert field_value(POD, "metadata.annotations['x/y']") == "z"
    assert field_value(POD, "metadata.labels") == 'app="a"\nb="q\\"q"'
    assert field_value(POD, "spec.nodeName") == "iambridge"


def test_named_sources() -> None:
    """The ConfigMaps and Secrets to fetch are those that the environment names, and no others."""
    container = {
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "x"}}}, {"name": "B", "value": "b"}],
        "envFrom": [{"configMapRef": {"name": "c"}}],
    }
    assert named_sources([container]) == ({"c"}, {"s"})


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"resource": "limits.memory"}, str(256 * 1024**2)),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "256"),
        ({"resource": "limits.memory", "divisor": "1G"}, "1"),
        ({"resource": "limits.cpu"}, "4"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "4000"),
        ({"resource": "requests.cpu"}, "1"),
        ({"resource": "requests.cpu", "divisor": "1m"}, "250"),
        ({"resource": "requests.memory"}, "0"),
        ({"resource": "limits.cpu", "divisor": "0"}, "4"),
    ],
)
def test_resources_are_told_divided_and_rounded_up(selector: dict[str, str], expected: str) -> None:
    """resourceFieldRef: the container's own figures; a limit that is not set is the node's, a request that is not is 0."""
    resources = {"limits": {"memory": "256Mi"}, "requests": {"cpu": "250m"}}
    entry = {"name": "R", "valueFrom": {"resourceFieldRef": selector}}
    container = {"name": "c", "resources": resources, "env": [entry]}
    sources = Sources(allocatable={"cpu": "4", "memory": "8Gi"})
    assert container_environment(POD, container, sources, base={}, node={}).values["R"] == expected
