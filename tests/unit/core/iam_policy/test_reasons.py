from typing import Any

import pytest

from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    authorize,
)
from iambridge.core.iam_policy.layers import Layer

ALICE = Principal.from_arn("arn:aws:iam::111122223333:user/alice")
REQUEST = AuthorizationRequest(
    ALICE,
    "s3:GetObject",
    "arn:aws:s3:::b/k",
    context={"aws:SourceIp": "10.0.0.1", "aws:TagKeys": ("x", "y"), "aws:Empty": ()},
)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({"Action": [f"s3:Put{n}" for n in range(9)]}, "Action: `s3:GetObject` is not among `s3:Put0`"),
        ({"Action": [f"s3:Put{n}" for n in range(9)]}, "and 1 more"),
        ({"Resource": "arn:aws:s3:::c/*"}, "Resource: `arn:aws:s3:::b/k` is not among `arn:aws:s3:::c/*`"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}, "the request has `10.0.0.1`, the policy `192.0.2.0/24`"),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, "the request has no such key"),
        ({"Condition": {"StringEquals": {"aws:TagKeys": "x"}}}, "needs ForAllValues or ForAnyValue"),
        ({"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "z"}}}, "the request has `x`, `y`, the policy `z`"),
        ({"Condition": {"StringEquals": {"aws:Empty": "z"}}}, "the request has no value"),
        (
            {"Resource": "arn:aws:s3:::c/*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            "is not among `arn:aws:s3:::c/*`; Condition.Bool.aws:SecureTransport: the request has no such key",
        ),
    ],
)  # fmt: skip
def test_a_denial_says_which_element_and_values_failed(statement: dict[str, Any], words: str) -> None:
    """Every statement that did not match is told with its place, the failing element and the values compared."""
    document = PolicyDocument.parse(
        {"Statement": {"Sid": "Read", "Effect": "Allow", "Action": "s3:*", "Resource": "*"} | statement},
        kind=PolicyKind.IDENTITY,
    )
    decision = authorize(REQUEST, Policies(identity=(NamedDocument("reader", document),)))
    assert words in decision.reasons[0].text
    assert decision.reasons[0].where == "reader Statement[0] (Read)"
    assert decision.reasons[-1].code == "no-identity-based-policy-allows"
    assert (
        decision.fix
        == "allow s3:GetObject on arn:aws:s3:::b/k in a policy attached to arn:aws:iam::111122223333:user/alice"
    )


@pytest.mark.parametrize(
    ("layer", "words"), [("boundary", Layer.BOUNDARY), ("session", Layer.SESSION), ("endpoint", Layer.ENDPOINT)]
)
def test_a_fix_names_the_policy_type_that_denied(layer: str, words: Layer) -> None:
    """The fix points at the boundary, session or endpoint policy that does not allow."""
    everything = (
        NamedDocument(
            "p",
            PolicyDocument.parse(
                {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, kind=PolicyKind.IDENTITY
            ),
        ),
    )
    nothing = (
        NamedDocument(
            "n",
            PolicyDocument.parse(
                {"Statement": {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}}, kind=PolicyKind.IDENTITY
            ),
        ),
    )
    policies = Policies(identity=everything, **{layer: nothing})  # type: ignore[arg-type]  # one of three fields of this type
    assert words.value in authorize(REQUEST, policies).fix


def test_resource_fix_and_deny_fix() -> None:
    """A missing resource policy is named as such; an explicit deny's fix is its statement."""
    other = AuthorizationRequest(ALICE, "s3:GetObject", "*", "444455556666")
    assert authorize(other, Policies()).fix == f"allow s3:GetObject to {ALICE.arn} in the resource's policy"
    deny = PolicyDocument.parse(
        {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}, kind=PolicyKind.IDENTITY
    )
    assert (
        authorize(REQUEST, Policies(identity=(NamedDocument("d", deny),))).fix
        == "remove or narrow d Statement[0], an identity-based policy"
    )
