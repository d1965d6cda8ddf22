"""What annotations, the ConfigMap and the container credentials file ask for, good or bad."""

import json
from typing import Any

import msgspec
import pytest

from iambridge.core.pod_identity import (
    Facts,
    Pod,
    Settings,
    identity_of_annotations,
    mutate,
    parse_config_map,
    parse_container_credentials,
)
from iambridge.core.pod_identity.mutate import not_judged
from iambridge.core.pod_identity.settings import ComposeRoleArn

ROLE = "arn:aws:iam::111122223333:role/orders"
COMPOSING = Settings(compose_role_arn=ComposeRoleArn("aws-cn", "444455556666"))


@pytest.mark.parametrize(
    ("value", "role_arn", "invalid"),
    [
        ("orders", "arn:aws-cn:iam::444455556666:role/orders", ""),
        ("team/orders", "arn:aws-cn:iam::444455556666:role/team/orders", ""),
        (ROLE, ROLE, ""),
        ("arn:aws:iam::1:role/x", "", "arn:aws:iam::1:role/x"),
        ("or ders", "", "arn:aws-cn:iam::444455556666:role/or ders"),
        ("", "", ""),
    ],
)
def test_a_role_by_name_is_composed_and_an_arn_is_kept(value: str, role_arn: str, invalid: str) -> None:
    """What was composed must be an ARN, too: nothing invalid is injected."""
    found = identity_of_annotations({"eks.amazonaws.com/role-arn": value}, COMPOSING)
    assert (found.role_arn, found.invalid_role) == (role_arn, invalid)


@pytest.mark.parametrize("config", ["[]", "null", "{", '"x"', '{"a/b": '])
def test_a_config_map_that_is_no_object_holds_nothing_and_says_so(config: str) -> None:
    found = parse_config_map(config, Settings())
    assert found.entries == {}
    assert [fault.key for fault in found.faults] == [""]
    assert found.faults[0].text.startswith("data.config is not a JSON object: ")


@pytest.mark.parametrize("config", ["", " \n", "{}"])
def test_an_empty_config_map_is_no_fault(config: str) -> None:
    assert parse_config_map(config, Settings()) == ({}, ())


def test_one_bad_entry_of_a_config_map_spoils_no_other() -> None:
    """Each is named with its fault; field names are read in any case, as Go reads them."""
    document: dict[str, Any] = {
        "a": {},
        "a/b/c": {},
        "/b": {},
        "a/": {},
        "n/null": None,
        "n/number": {"RoleARN": 5},
        "n/late": {"TokenExpiration": (1 << 32) + 1},
        "n/good": {"rolearn": ROLE, "TOKENEXPIRATION": 1 << 32, "else": 1},
    }
    found = parse_config_map(json.dumps(document), Settings())
    assert {key: (entry.role_arn, entry.token_expiration) for key, entry in found.entries.items()} == {
        "n/good": (ROLE, 1 << 32)
    }
    texts = {fault.key: fault.text for fault in found.faults}
    assert [key for key, text in texts.items() if text == "the key is not namespace/name"] == ["a", "a/b/c", "/b", "a/"]
    assert "object" in texts["n/null"]
    assert "$.RoleARN" in texts["n/number"]
    assert texts["n/late"] == "TokenExpiration is more than the API takes"
    assert len(texts) == 7


@pytest.mark.parametrize(
    ("content", "pairs"),
    [
        (b"", set()),
        (b" \n", set()),
        (b"{}", set()),
        (b'{"identities": null}', set()),
        (b'{"identities": [{"namespace": "n", "serviceAccount": "s", "else": 1}]}', {("n", "s")}),
    ],
)
def test_container_credentials_name_pairs(content: bytes, pairs: set[tuple[str, str]]) -> None:
    assert parse_container_credentials(content) == pairs


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"identities": [1]}', b'{"identities": [{"namespace": 1}]}'])
def test_another_container_credentials_file_is_an_error(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_container_credentials(content)


@pytest.mark.parametrize(
    ("annotations", "injected"),
    [
        ({}, "a,b"),
        ({"include-containers": "b"}, "b"),
        ({"include-containers": "a,b", "skip-containers": "a"}, "b"),
        ({"skip-containers": "a"}, "b"),
    ],
)
def test_where_included_containers_are_honoured_only_they_are_taken(annotations: dict[str, str], injected: str) -> None:
    """Without the annotation all are; and skip-containers goes before it."""
    settings = Settings(include_containers=True)
    pod = Pod.of(
        {
            "metadata": {"annotations": {f"eks.amazonaws.com/{key}": value for key, value in annotations.items()}},
            "spec": {"serviceAccountName": "sa", "containers": [{"name": "a"}, {"name": "b"}]},
        }
    )
    facts = Facts(identity_of_annotations({"eks.amazonaws.com/role-arn": ROLE}, settings))
    mutation = mutate(pod, "ns", facts, settings, jitter=0.0)
    assert mutation.audit is not None
    assert mutation.audit["containers"] == injected


@pytest.mark.parametrize(
    ("metadata", "shown"),
    [({"name": "p", "generateName": "g-"}, "p"), ({"generateName": "g-"}, "g-"), ({}, "")],
)
def test_a_pod_is_shown_by_the_name_it_has(metadata: dict[str, str], shown: str) -> None:
    assert Pod.of({"metadata": metadata, "spec": {}}).shown_name == shown


def test_what_is_not_judged_is_neither_patched_nor_denied() -> None:
    mutation = not_judged("not-a-pod", "the object is no pod")
    assert (mutation.patch, mutation.denied, mutation.warnings) == ([], False, ())
    assert [(reason.code, reason.text) for reason in mutation.decision.reasons] == [
        ("not-a-pod", "the object is no pod")
    ]


def test_the_credentials_file_gives_to_an_account_of_which_nothing_else_is_known() -> None:
    """The flags' defaults stand for the annotations of a ServiceAccount that is not there yet."""
    settings = Settings(regional_sts=True, region="eu-west-1", token_expiration=3600)
    pod = Pod.of({"spec": {"serviceAccountName": "sa", "containers": [{"name": "a"}]}})
    patch = mutate(pod, "ns", Facts(None, container_credentials=True), settings, jitter=0.0).patch
    (environment,) = (one["value"] for one in patch if one["path"] == "/spec/containers/0/env")
    assert {one["name"]: one["value"] for one in environment} == {
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": (
            "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"
        ),
    }
    (volumes,) = (one["value"] for one in patch if one["path"] == "/spec/volumes")
    assert volumes[0]["projected"]["sources"][0]["serviceAccountToken"] == {
        "audience": "pods.eks.amazonaws.com", "expirationSeconds": 3600, "path": "eks-pod-identity-token",
    }  # fmt: skip
