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


def document(*, version: str = "2012-10-17", kind: PolicyKind = PolicyKind.IDENTITY, **statement: Any) -> NamedDocument:
    stated = {"Effect": "Allow", "Action": "*", "Resource": "*"} | statement
    return NamedDocument("p", PolicyDocument.parse({"Version": version, "Statement": stated}, kind=kind))


@pytest.mark.parametrize(
    ("resource", "version", "words"),
    [
        ("arn:aws:s3:::${aws:username}/*", "2012-10-17", "`${aws:username}` is `alice`"),
        ("arn:aws:s3:::${aws:PrincipalTag/t}/*", "2012-10-17", "`${aws:PrincipalTag/t}` has no value in this request"),
        ("arn:aws:s3:::${aws:TagKeys}/*", "2012-10-17", "`${aws:TagKeys}` has several values, so it is no variable"),
        ("arn:aws:s3:::${aws:PrincipalTag/t, 'x'}/*", "2012-10-17", "`arn:aws:s3:::${aws:PrincipalTag/t, 'x'}/*`"),
        (
            "arn:aws:s3:::${aws:username}/*",
            "2008-10-17",
            "Version 2008-10-17 has no variables, so `${aws:username}` is",
        ),
    ],
)
def test_a_mismatch_says_what_its_variables_stood_for(resource: str, version: str, words: str) -> None:
    """A variable is told with its value, without one, or as the literal text that it is in the old version."""
    text = authorize(REQUEST, Policies(identity=(document(version=version, Resource=resource),))).reasons[0].text
    assert words in text
    assert ("has no value" in text) is ("no value" in words)


def test_the_level_that_does_not_allow_is_told() -> None:
    """A level without documents has no statement to show: the verdict names it, and the fix the account above it."""
    everything = document()
    decision = authorize(REQUEST, Policies(identity=(everything,), service_control=((everything,), ())))
    assert decision.reasons[-1].text == "no service control policy of level [1] allows s3:GetObject"
    assert decision.fix.endswith("in a service control policy at every level above account 111122223333")
    guard = document(kind=PolicyKind.RESOURCE_CONTROL, Principal="*", Action="s3:PutObject")
    decision = authorize(REQUEST, Policies(identity=(everything,), resource_control=((guard,),)))
    assert decision.reasons[-1].text == "no resource control policy of level [0] allows s3:GetObject"
    assert "resource control policy at every level" in decision.fix


@pytest.mark.parametrize(
    ("principal", "action", "told"),
    [
        (Principal.from_arn("arn:aws:iam::111122223333:role/aws-service-role/x/R"), "s3:GetObject",
         ["service control policies do not touch service-linked roles", "resource control policies do not touch service-linked roles"]),
        (Principal("ec2.amazonaws.com", "", "service"), "s3:GetObject", ["service control policies do not touch callers that are of no account"]),
        (ALICE, "ec2:RunInstances", ["resource control policies do not touch ec2:RunInstances"]),
        (ALICE, "s3:GetObject", []),
    ],
)  # fmt: skip
def test_policy_types_that_do_not_touch_a_request_are_told(principal: Principal, action: str, told: list[str]) -> None:
    """What is set aside is said, and its statements are not told as if they counted."""
    guard = document(kind=PolicyKind.RESOURCE_CONTROL, Principal="*")
    policies = Policies(identity=(document(),), service_control=((document(),),), resource_control=((guard,),))
    reasons = authorize(AuthorizationRequest(principal, action, "*"), policies, explain=True).reasons
    assert [reason.text for reason in reasons if reason.code == "policy-type-set-aside"] == told
    assert len(reasons) == 1 + 3


def test_why_one_side_does_not_suffice_is_told() -> None:
    """Across accounts, for keys and where the account is named, the verdict says whose policy is missing."""
    bucket = document(kind=PolicyKind.RESOURCE, Principal={"AWS": "111122223333"})
    delegated = authorize(REQUEST, Policies(resource=(bucket,)))
    assert delegated.reasons[-1].text.startswith("the resource-based policy alone does not suffice here")
    elsewhere = AuthorizationRequest(ALICE, "s3:GetObject", "*", "444455556666")
    assert authorize(elsewhere, Policies(identity=(document(),))).reasons[-1].text.endswith("account 444455556666")
    key = AuthorizationRequest(ALICE, "kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/k")
    assert "a key's or role's own policy must" in authorize(key, Policies(identity=(document(),))).reasons[-1].text
    role = AuthorizationRequest(ALICE, "sts:AssumeRole", "arn:aws:iam::111122223333:role/r")
    assert authorize(role, Policies()).fix == f"allow sts:AssumeRole to {ALICE.arn} in the role's trust policy"


def test_what_no_policy_can_allow_is_told() -> None:
    """A federated user at IAM is told to call as somebody else, not to change a policy."""
    fred = Principal.from_arn("arn:aws:sts::111122223333:federated-user/fred")
    decision = authorize(AuthorizationRequest(fred, "iam:ListUsers", "*"), Policies(identity=(document(),)))
    assert decision.reasons[-1].code == "no-policy-can-allow"
    assert decision.fix == "call as a user or a role session"


def test_a_caller_without_a_name_has_a_fix() -> None:
    """Where no caller is given the fix names none."""
    nobody = AuthorizationRequest(Principal("", "", "user"), "s3:GetObject", "*")
    assert authorize(nobody, Policies()).fix == "allow s3:GetObject in a policy"
