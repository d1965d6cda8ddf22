"""What an encoded denial says once it is decoded."""

import json
from collections.abc import Mapping

from iambridge.core.authorization_message import authorization_message
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    authorize,
)

ALICE = Principal("arn:aws:iam::111122223333:user/alice", "111122223333", "user", user_id="AIDAALICE")


def decoded(*statements: Mapping[str, object]) -> dict[str, object]:
    document = PolicyDocument.parse({"Version": "2012-10-17", "Statement": list(statements)}, kind=PolicyKind.IDENTITY)
    context: dict[str, str | tuple[str, ...]] = {"aws:SourceIp": "10.0.0.1", "aws:TagKeys": ("a", "b")}
    request = AuthorizationRequest(ALICE, "ec2:RunInstances", "arn:aws:ec2:::i/1", "111122223333", context)
    message: dict[str, object] = json.loads(
        authorization_message(request, authorize(request, Policies(identity=(NamedDocument("p", document),))))
    )
    return message


def test_an_explicit_deny_names_its_statement_caller_and_context() -> None:
    deny = {"Sid": "NoRuns", "Effect": "Deny", "Action": "ec2:*", "Resource": "*"}
    message = decoded({"Effect": "Allow", "Action": "*", "Resource": "*"}, deny)
    assert (message["allowed"], message["explicitDeny"]) == (False, True)
    matched = message["matchedStatements"]
    assert isinstance(matched, dict)
    assert [(one["statementId"], one["effect"], one["policy"]) for one in matched["items"]] == [
        ("NoRuns", "DENY", "p Statement[1] (NoRuns)")
    ]
    context = message["context"]
    assert isinstance(context, dict)
    assert context["principal"] == {"id": "AIDAALICE", "name": "alice", "arn": ALICE.arn}
    assert context["conditions"]["items"] == [
        {"key": "aws:SourceIp", "values": {"items": [{"value": "10.0.0.1"}]}},
        {"key": "aws:TagKeys", "values": {"items": [{"value": "a"}, {"value": "b"}]}},
    ]
    assert "remove or narrow" in str(message["fix"])


def test_an_implicit_deny_matches_no_statement_and_says_why() -> None:
    message = decoded({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    assert (message["explicitDeny"], message["matchedStatements"]) == (False, {"items": []})
    reasons = message["reasons"]
    assert isinstance(reasons, list)
    assert reasons[-1]["code"] == "no-identity-based-policy-allows"


def test_a_long_decision_keeps_its_verdict() -> None:
    many = [{"Effect": "Allow", "Action": f"s3:Get{number}", "Resource": "*"} for number in range(80)]
    reasons = decoded(*many)["reasons"]
    assert isinstance(reasons, list)
    assert (len(reasons), reasons[-1]["code"]) == (50, "no-identity-based-policy-allows")
