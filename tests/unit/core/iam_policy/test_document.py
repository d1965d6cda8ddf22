"""Every fault of a policy document, with its path; and documents that look odd and are right."""

import json
from pathlib import Path
from typing import Any

import pytest

from iambridge.core.iam_policy import MalformedPolicyDocument, PolicyDocument, PolicyKind, size

CASES = json.loads((Path(__file__).parents[3] / "cases/iam_policy/faults.json").read_text())
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def faults(document: Any, kind: PolicyKind = PolicyKind.IDENTITY, limit: int | None = None) -> MalformedPolicyDocument:
    with pytest.raises(MalformedPolicyDocument) as caught:
        PolicyDocument.parse(document, kind=kind, limit=limit)
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_fault_is_found_at_its_path(case: dict[str, Any]) -> None:
    """A malformed document is refused with each of its faults, no more and no fewer, by path."""
    found = faults(case["document"], PolicyKind(case["kind"])).faults
    expected = [tuple(text.split("|")) for text in case["faults"]]
    assert sorted(fault.path for fault in found) == sorted(path for path, _ in expected)
    for path, words in expected:
        assert any(fault.path == path and words in fault.message for fault in found), (path, words, found)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Syntax errors in policy."),
        ({"Statement": ALLOW, "Version": "1"}, "Syntax errors in policy."),
        ({"Statement": ALLOW | {"Action": "s3:Get:Object"}}, "Actions/Condition can contain only one colon."),
        ({"Statement": ALLOW | {"Action": "s3 x:Get"}}, "Vendor s3 x is not valid"),
        ({"Statement": ALLOW | {"Action": ":Get"}}, "Vendor  is not valid"),
        ({"Statement": ALLOW | {"Action": "s3:"}}, "Syntax errors in policy."),
        ({"Statement": ALLOW | {"Principal": "*"}}, "Policy document should not specify a principal."),
        ({"Statement": ALLOW | {"Resource": "b"}}, 'Resource b must be in ARN format or "*".'),
        (
            {"Statement": ALLOW | {"Action": "s3"}},
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
    ],
)
def test_the_wire_carries_aws_words(document: Any, message: str) -> None:
    """The message is AWS's one line where it is known."""
    assert faults(document).message == message


def test_size_counts_no_white_space() -> None:
    """A document at its limit is taken, one character more is refused, and white space counts for nothing."""
    text = json.dumps({"Statement": ALLOW}, indent=8)
    assert PolicyDocument.parse(text, kind=PolicyKind.IDENTITY, limit=size(text)).text == text
    assert "at most" in faults(text, limit=size(text) - 1).message


@pytest.mark.parametrize(
    "document",
    [
        "[" * 100_000,
        "x" * 140_000,
        "\ufeff{}",
        b"\xff",
        b"{}",
        {"Statement": object()},
        {"Statement": float("nan")},
        {1: {2: set()}},
    ],
    ids=["deep", "long", "byte-order-mark", "not-utf-8", "bytes", "object", "nan", "set"],
)
def test_no_input_escapes_as_another_exception(document: Any) -> None:
    """Whatever is handed in, the answer is a document or MalformedPolicyDocument."""
    assert faults(document).faults


def test_a_mapping_that_holds_itself_is_refused() -> None:
    """A cyclic mapping is a fault, not a hang."""
    loop: dict[str, Any] = {}
    loop["Statement"] = loop
    assert faults(loop).faults


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        (PolicyKind.IDENTITY, ALLOW | {"Sid": "", "Condition": {}}),
        (
            PolicyKind.IDENTITY,
            ALLOW | {"Condition": {"NumericLessThan": {"s3:max-keys": [10, 10.5]}, "Bool": {"a:b": False}}},
        ),
        (PolicyKind.IDENTITY, ALLOW | {"Resource": ["arn:*:s3:::b", "arn:aws-cn:s3:::b", "arn:aws:s3:::${a:b,'c'}"]}),
        (
            PolicyKind.RESOURCE,
            ALLOW
            | {
                "Sid": "with spaces: yes",
                "Principal": {"AWS": ["111122223333", "AIDAAAAAAAAAAAAAAAAA"], "CanonicalUser": "a" * 64},
            },
        ),
        (
            PolicyKind.TRUST,
            {
                "Effect": "Allow",
                "Principal": {"Federated": "accounts.google.com"},
                "Action": ["sts:*", "sts:TagSession"],
            },
        ),
        (PolicyKind.RESOURCE_CONTROL, ALLOW | {"Principal": "*"}),
    ],
)
def test_what_aws_takes_is_taken(kind: PolicyKind, statement: dict[str, Any]) -> None:
    """Single values are lists, numbers and booleans are values, and odd but valid forms pass."""
    assert (
        len(PolicyDocument.parse({"Version": "2012-10-17", "Id": "x", "Statement": [statement]}, kind=kind).statements)
        == 1
    )
