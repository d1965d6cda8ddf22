"""Decisions that hang on facts the sandbox does not have."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
)
from iambridge.sandbox.aws.condition_keys import answered
from iambridge.sandbox.aws.undetermined import missing, overlap

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
DENY_TAGGED = {
    "Effect": "Deny",
    "Action": "s3:GetObject",
    "Resource": "*",
    "Condition": {"StringEquals": {"s3:ExistingObjectTag/secret": "yes"}},
}
TAG = "s3:ExistingObjectTag/secret"


def unknown(*statements: dict[str, Any], resource: str = "arn:aws:s3:::b/k", unsure: bool = False) -> tuple[str, ...]:
    document = PolicyDocument.parse({"Version": "2012-10-17", "Statement": list(statements)}, kind=PolicyKind.IDENTITY)
    principal = Principal.from_arn("arn:aws:iam::111122223333:user/a")
    request = AuthorizationRequest(principal, "s3:GetObject", resource, "111122223333")
    policies = Policies(identity=(NamedDocument("p", document),))
    return missing(
        request, policies, answered=lambda key: answered(key, "s3:GetObject", tags_read=False), unsure=unsure
    )


CASES: list[tuple[str, tuple[dict[str, Any], ...], tuple[str, ...]]] = [
    ("a Deny that may hold", (ALLOW, DENY_TAGGED), (TAG,)),
    ("nothing is allowed anyway", (DENY_TAGGED,), ()),
    ("denied anyway", (ALLOW, DENY_TAGGED, {**ALLOW, "Effect": "Deny"}), ()),
    ("allowed anyway", (ALLOW, {**DENY_TAGGED, "Effect": "Allow"}), ()),
    ("an Allow that may hold", ({**DENY_TAGGED, "Effect": "Allow"},), (TAG,)),
    ("another resource", (ALLOW, {**DENY_TAGGED, "Resource": "arn:aws:s3:::other/*"}), ()),
    ("another action", (ALLOW, {**DENY_TAGGED, "Action": "s3:PutObject"}), ()),
    ("a variable", (ALLOW, {**ALLOW, "Effect": "Deny", "Resource": f"arn:aws:s3:::b/${{{TAG}}}"}), (TAG,)),
    ("an answered key", (ALLOW, {**DENY_TAGGED, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}), ()),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_fact_is_missing_exactly_where_the_outcome_hangs_on_it(
    case: tuple[str, tuple[dict[str, Any], ...], tuple[str, ...]],
) -> None:
    """A key that is not read counts only when allowing and denying are both possible."""
    assert unknown(*case[1]) == case[2]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("arn:aws:s3:::b/one", ("arn:aws:s3:::b/*",)),
        ("arn:aws:s3:::b/?", ("arn:aws:s3:::b/*",)),
        ("arn:aws:s3:::b/*", ()),
        ("arn:aws:s3:::c/*", ()),
    ],
)
def test_a_deny_on_one_resource_may_hold_for_a_resource_that_is_not_known(pattern: str, found: tuple[str, ...]) -> None:
    """An unknown id is in doubt where a Deny could name it, and is not where the pattern covers all or none."""
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": pattern}
    assert unknown(ALLOW, deny, resource="arn:aws:s3:::b/*", unsure=True) == found


@pytest.mark.parametrize(
    ("key", "action", "expected"),
    [
        ("aws:sourceip", "s3:GetObject", True),
        ("aws:principaltag/team", "s3:GetObject", True),
        ("aws:madeup", "s3:GetObject", False),
        ("s3:tlsversion", "s3:GetObject", False),
        ("s3:existingobjecttag/a", "s3:GetObject", False),
        ("s3:x-amz-acl", "s3:PutObject", True),
        ("dynamodb:leadingkeys", "dynamodb:GetItem", False),
        ("dynamodb:leadingkeys", "s3:GetObject", True),
        ("aws:resourcetag/a", "sqs:SendMessage", False),
        ("aws:requesttag/a", "ec2:CreateTags", True),
        ("aws:requesttag/a", "s3:TagResource", False),
        ("oidc.example.com:sub", "s3:GetObject", True),
    ],
)
def test_absence_is_an_answer_only_where_aws_has_none_either(key: str, action: str, expected: bool) -> None:  # noqa: FBT001 - a table
    """A key that AWS fills for an action is answered only when the sandbox fills it too."""
    assert answered(key, action, tags_read=False) is expected


@given(st.text("ab*?", max_size=6), st.text("ab*?", max_size=6), st.text("ab", max_size=4))
def test_patterns_overlap_when_a_text_matches_both(one: str, other: str, text: str) -> None:
    """A text that both patterns match proves that they overlap."""

    def matches(pattern: str) -> bool:
        return re.fullmatch(pattern.replace("*", ".*").replace("?", "."), text) is not None

    assert overlap(one, other) >= (matches(one) and matches(other))


@pytest.mark.parametrize(("one", "other"), [("a*", "b*"), ("a", "ab"), ("a?", "a"), ("*a", "*b"), ("", "?")])
def test_patterns_without_a_common_text_do_not_overlap(one: str, other: str) -> None:
    """Patterns that no text matches together are told apart."""
    assert not overlap(one, other)
