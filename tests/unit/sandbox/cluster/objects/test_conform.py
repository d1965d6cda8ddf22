from typing import Any

import pytest

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects.conform import conform, strict_error
from iambridge.sandbox.cluster.objects.quantity import canonical
from iambridge.sandbox.cluster.objects.types import UnknownKind, kinds, type_of

POD = type_of("v1", "Pod")


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def test_every_kind_has_a_type_that_conforms_its_own_empty_object() -> None:
    """Conforming is idempotent on the emptiest object of every kind."""
    for api_version, kind in kinds():
        once = conform({"apiVersion": api_version, "kind": kind}, type_of(api_version, kind)).object
        assert conform(once, type_of(api_version, kind)).object == once


def test_unknown_kind_is_named() -> None:
    """A kind without a type is refused by name."""
    with pytest.raises(UnknownKind, match='no kind "CronJob" is registered for version "batch/v1"'):
        type_of("batch/v1", "CronJob")


def test_zero_values_go_and_structs_stay() -> None:
    """Nulls and omitempty zeros are dropped, pointers to zero are kept, and structs are always there."""
    given = pod(
        hostIPC=False, activeDeadlineSeconds=0, containers=[{"name": "c", "env": [], "image": ""}], volumes=None
    )
    given["metadata"] |= {"annotations": {}, "creationTimestamp": None, "generation": 0}
    found = conform(given, POD).object
    assert found["metadata"] == {"name": "p"}
    assert found["spec"] == {"activeDeadlineSeconds": 0, "containers": [{"name": "c", "resources": {}}]}
    assert found["status"] == {}


def test_unknown_fields_are_listed_with_their_paths() -> None:
    """Unknown fields are reported where they stand, and dropped."""
    found = conform(pod(foo=1, containers=[{"name": "c", "imag": "x"}]), POD)
    assert found.unknown == ('unknown field "spec.foo"', 'unknown field "spec.containers[0].imag"')
    assert "foo" not in found.object["spec"]
    assert strict_error("batch/v1", "Job", found.unknown[:1]).message == (
        'Job in version "v1" cannot be handled as a Job: strict decoding error: unknown field "spec.foo"'
    )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"activeDeadlineSeconds": "5"},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64",
        ),
        (
            {"containers": {}},
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            {"containers": [{"name": 1}]},
            "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string",
        ),
        (
            {"restartPolicy": True},
            "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            {"priority": 2**31},
            "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1x"}}}]},
            "quantities must match the regular expression",
        ),
    ],
)
def test_wrong_types_are_refused_in_go_words(spec: dict[str, Any], words: str) -> None:
    """A value of the wrong JSON type is a 400 that names the struct, the field and the Go type."""
    with pytest.raises(BadRequest) as refused:
        conform(pod(**spec), POD)
    assert refused.value.message.startswith('Pod in version "v1" cannot be handled as a Pod: ')
    assert words in refused.value.message


@pytest.mark.parametrize("data", ["!!", "YQ", "YQ==YQ=="])
def test_bad_base64_is_refused(data: str) -> None:
    """Secret data that is not base64 is a 400."""
    with pytest.raises(BadRequest, match="illegal base64 data at input byte"):
        conform({"apiVersion": "v1", "kind": "Secret", "data": {"k": data}}, type_of("v1", "Secret"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("100M", "100M"),
        ("0", "0"),
        ("1e3", "1e3"),
        ("2000k", "2M"),
        ("512", "512"),
    ],
)
def test_quantities_are_canonical(text: str, wanted: str) -> None:
    """A quantity is written back with the largest suffix that keeps it whole."""
    assert canonical(text) == wanted
    assert canonical(wanted) == wanted
