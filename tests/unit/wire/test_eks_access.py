import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.cluster_access import AccessEntry, AccessPolicy, AuthenticationMode
from iambridge.errors import InputError
from iambridge.wire.eks_access import documents, eks_access

ARN = "arn:aws:iam::111122223333:role/team/ops"
CLUSTER = {"cluster": {"name": "c", "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"}}}
LISTED = {"accessEntries": [ARN]}
ENTRY = {"accessEntry": {"principalArn": ARN, "kubernetesGroups": ["ops"], "username": "u", "type": "STANDARD"}}
POLICIES = {
    "clusterName": "c",
    "principalArn": ARN,
    "associatedAccessPolicies": [
        {
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
            "accessScope": {"type": "namespace", "namespaces": ["a"]},
        },
        {
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy",
            "accessScope": {"type": "cluster", "namespaces": []},
        },
    ],
}


def test_documents_in_any_order_make_the_whole() -> None:
    """Appended to one file, in lists or one by one."""
    text = json.dumps(POLICIES) + "\n" + json.dumps([LISTED, ENTRY], indent=2) + json.dumps(CLUSTER)
    found = eks_access(documents(text, "f"))
    policies = (AccessPolicy("AmazonEKSViewPolicy", ("a",)), AccessPolicy("AmazonEKSEditPolicy"))
    assert found.entries == (AccessEntry(ARN, "STANDARD", "u", ("ops",), policies),)
    assert (found.mode, found.unknown) == (AuthenticationMode.API_AND_CONFIG_MAP, "")


def test_what_is_missing_is_not_visible() -> None:
    """No list: there may be more. No description, no policies: that entry's are not visible. No mode: bad input."""
    assert "may be more" in eks_access([CLUSTER, ENTRY]).unknown
    assert "nextToken" in eks_access([CLUSTER, {**LISTED, "nextToken": "x"}]).unknown
    assert not eks_access([CLUSTER, LISTED]).entries[0].described
    assert eks_access([CLUSTER, LISTED, ENTRY]).entries[0].policies is None
    with pytest.raises(InputError, match="authenticationMode"):
        eks_access([LISTED])
    assert eks_access([LISTED], "API").mode is AuthenticationMode.API
    with pytest.raises(InputError, match="`OFF` is no authenticationMode"):
        eks_access([LISTED], "OFF")


def test_a_cluster_from_before_access_entries_asks_its_config_map() -> None:
    assert eks_access([{"cluster": {"name": "c"}}]).mode is AuthenticationMode.CONFIG_MAP


def test_only_standard_entries_have_policies() -> None:
    node = {"accessEntry": {**ENTRY["accessEntry"], "type": "EC2_LINUX"}}
    assert eks_access([CLUSTER, LISTED, node]).entries[0].policies == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", 1),
        ('{"cluster": {}}\n{"a": 1}', 0),
        ("[1]", 0),
        ('{"accessEntries": []}\n\n  nonsense', 3),
        ("[" * 100_000, 1),
    ],
)
def test_what_is_none_of_it_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InputError) as raised:
        list(documents(text, "f"))
    assert raised.value.where == (f"f:{line}" if line else "f")


@pytest.mark.parametrize(
    "document",
    [
        {"cluster": []},
        {"accessEntries": 3},
        {"accessEntries": ARN},
        {"accessEntries": ["ops"]},
        {"accessEntry": {"principalArn": ARN, "kubernetesGroups": "ops"}},
        {"accessEntry": {}},
        {"associatedAccessPolicies": []},
        {"associatedAccessPolicies": [{}], "principalArn": ARN},
        {"associatedAccessPolicies": [{"policyArn": "x", "accessScope": {"type": "other"}}], "principalArn": ARN},
    ],
)
def test_another_shape_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="not as the API has it"):
        eks_access([document], "API")


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "cluster",
                    "accessEntries",
                    "accessEntry",
                    "associatedAccessPolicies",
                    "principalArn",
                    "accessScope",
                    "type",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(found=st.lists(_JSON, max_size=4))
def test_any_json_is_an_access_or_an_input_error(found: list[Any]) -> None:
    """Nothing else is ever raised."""
    with contextlib.suppress(InputError):
        assert eks_access(documents(json.dumps(found), "f"), "API").mode is AuthenticationMode.API
