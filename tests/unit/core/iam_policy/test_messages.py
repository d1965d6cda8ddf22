import pytest

from iambridge.core.decision import Decision, Outcome
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    access_denied_message,
    authorize,
)

ALICE = Principal.from_arn("arn:aws:iam::111122223333:user/alice")
HEAD = "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: "


@pytest.mark.parametrize(
    ("action", "resource", "effect", "message"),
    [
        ("s3:GetObject", "arn:aws:s3:::b/k", "", 's3:GetObject on resource: "arn:aws:s3:::b/k" because no identity-based policy allows the s3:GetObject action'),
        ("ec2:DescribeInstances", "*", "", "ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action"),
        ("sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:q", "Deny", "sqs:SendMessage on resource: arn:aws:sqs:us-east-1:111122223333:q with an explicit deny in an identity-based policy"),
        ("sts:AssumeRole", "arn:aws:iam::111122223333:role/r", "", "sts:AssumeRole on resource: arn:aws:iam::111122223333:role/r"),
    ],
)  # fmt: skip
def test_access_denied_in_aws_words(action: str, resource: str, effect: str, message: str) -> None:
    """The message names who, what and the policy type that denied, as AWS words it."""
    statement = {"Effect": effect or "Allow", "Action": action if effect else "iam:GetUser", "Resource": "*"}
    document = PolicyDocument.parse({"Statement": statement}, kind=PolicyKind.IDENTITY)
    request = AuthorizationRequest(ALICE, action, resource)
    decision = authorize(request, Policies(identity=(NamedDocument("p", document),)))
    assert access_denied_message(request, decision) == HEAD + message


def test_a_decision_without_reasons_still_has_a_message() -> None:
    """Without a denying policy type the message stops after the resource."""
    request = AuthorizationRequest(ALICE, "a:B", "*")
    assert access_denied_message(request, Decision("a:B", Outcome.IMPLICIT_DENY)) == HEAD + "a:B"
