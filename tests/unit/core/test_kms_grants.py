"""Grants of KMS keys, by values."""

import json
from typing import Any

import pytest

from iambridge.core.kms_grants import Grant, policy


def grant(*operations: str, **more: Any) -> Grant:
    return Grant("g", "AROAGRANTEE", frozenset(operations), **more)


@pytest.mark.parametrize(
    ("made", "operation", "context", "allowed"),
    [
        (grant("Decrypt"), "Decrypt", {}, True),
        (grant("Decrypt"), "Encrypt", {}, False),
        (grant("Decrypt", equals={"a": "1"}), "Decrypt", {"a": "1"}, True),
        (grant("Decrypt", equals={"a": "1"}), "Decrypt", {"a": "1", "b": "2"}, False),
        (grant("Decrypt", equals={"a": "1"}), "Decrypt", {"A": "1"}, False),
        (grant("Decrypt", subset={"a": "1"}), "Decrypt", {"a": "1", "b": "2"}, True),
        (grant("Decrypt", subset={"a": "1"}), "Decrypt", {"a": "2"}, False),
        (grant("Decrypt", subset={"a": "1"}), "Decrypt", {}, False),
        (grant("DescribeKey", subset={"a": "1"}), "DescribeKey", {}, True),
    ],
)
def test_a_grant_allows_its_operations_within_its_constraints(
    made: Grant, operation: str, context: dict[str, str], *, allowed: bool
) -> None:
    assert made.allows(operation, context) is allowed


PARENT = ("CreateGrant", "Decrypt", "Encrypt")


@pytest.mark.parametrize(
    ("parent", "child", "delegated"),
    [
        (grant(*PARENT), grant("Decrypt"), True),
        (grant("Decrypt"), grant("Decrypt"), False),
        (grant(*PARENT), grant("Sign"), False),
        (grant(*PARENT, equals={"a": "1"}), grant("Decrypt", equals={"a": "1"}), True),
        (grant(*PARENT, equals={"a": "1"}), grant("Decrypt"), False),
        (grant(*PARENT, equals={"a": "1"}), grant("Decrypt", subset={"a": "1"}), False),
        (grant(*PARENT, subset={"a": "1"}), grant("Decrypt", subset={"a": "1", "b": "2"}), True),
        (grant(*PARENT, subset={"a": "1"}), grant("Decrypt", equals={"a": "1"}), True),
        (grant(*PARENT, subset={"a": "1"}), grant("Decrypt"), False),
    ],
)
def test_a_grant_delegates_nothing_that_it_does_not_hold(parent: Grant, child: Grant, *, delegated: bool) -> None:
    assert parent.delegates(child) is delegated


def principals(*grants: Grant, operation: str, **more: Any) -> list[list[str]]:
    text = policy(grants, operation, {}, **more)
    return [statement["Principal"]["AWS"] for statement in json.loads(text)["Statement"]] if text else []


def test_grants_amount_to_statements_that_name_them() -> None:
    text = policy([grant("Encrypt"), grant("Decrypt")], "Decrypt", {})
    (statement,) = json.loads(text)["Statement"]
    assert (statement["Sid"], statement["Action"], statement["Effect"]) == ("Grantg", "kms:Decrypt", "Allow")
    assert policy([grant("Encrypt")], "Decrypt", {}) == ""


def test_create_grant_is_allowed_by_a_grant_that_delegates() -> None:
    assert principals(grant(*PARENT), operation="CreateGrant", child=grant("Decrypt")) == [["AROAGRANTEE"]]
    assert principals(grant(*PARENT), operation="CreateGrant", child=grant("Sign")) == []
    assert principals(grant(*PARENT), operation="CreateGrant") == []


def test_a_grant_is_retired_by_its_retiring_principal_or_a_grantee_who_may() -> None:
    held = grant("RetireGrant", retiring="AIDARETIRING")
    assert principals(held, operation="RetireGrant", retired="g") == [["AROAGRANTEE", "AIDARETIRING"]]
    assert principals(held, operation="RetireGrant", retired="other") == []
    assert principals(grant("Decrypt"), operation="RetireGrant", retired="g") == []
