"""EC2's denials carry a message that sts:DecodeAuthorizationMessage reads, and nobody else."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import AuthorizationRequest, Principal
from iambridge.sandbox.aws.authorization_messages import AuthorizationMessages
from iambridge.sandbox.aws.sessions import SealedSessions

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

_LEAD = "Encoded authorization failure message: "
_STATEMENTS = [
    {"Effect": "Allow", "Action": "sts:DecodeAuthorizationMessage", "Resource": "*"},
    {"Sid": "NoRegions", "Effect": "Deny", "Action": "ec2:DescribeRegions", "Resource": "*"},
]


@pytest.fixture(scope="module")
def decoder(running: "RunningAccount") -> Any:
    """A user that may decode, may not describe regions by an explicit deny, and has nothing else."""
    iam = running.client("iam")
    iam.create_user(UserName="decoder")
    document = json.dumps({"Version": "2012-10-17", "Statement": _STATEMENTS})
    iam.put_user_policy(UserName="decoder", PolicyName="decode", PolicyDocument=document)
    return iam.create_access_key(UserName="decoder")["AccessKey"]


def denial(client: Any, operation: str) -> str:
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)()
    error = caught.value.response["Error"]
    assert error["Code"] == "UnauthorizedOperation"
    return str(error["Message"])


@pytest.mark.parametrize(
    ("operation", "action", "explicit", "sids"),
    [
        ("describe_instances", "ec2:DescribeInstances", False, []),
        ("describe_regions", "ec2:DescribeRegions", True, ["NoRegions"]),
    ],
)
def test_an_ec2_denial_decodes_to_its_decision(
    running: "RunningAccount", decoder: Any, operation: str, action: str, *, explicit: bool, sids: list[str]
) -> None:
    """The encoded message decodes to who asked what under which conditions, and the statement that denied."""
    message = denial(running.client("ec2", decoder), operation)
    assert message.startswith("You are not authorized to perform this operation. User: ")
    encoded = message.partition(_LEAD)[2]
    answer = running.client("sts", decoder).decode_authorization_message(EncodedMessage=encoded)
    decoded = json.loads(answer["DecodedMessage"])
    assert decoded["allowed"] is False
    assert decoded["explicitDeny"] is explicit
    assert [found["statementId"] for found in decoded["matchedStatements"]["items"]] == sids
    assert decoded["context"]["principal"]["arn"] == "arn:aws:iam::111122223333:user/decoder"
    assert decoded["context"]["principal"]["name"] == "decoder"
    assert decoded["context"]["action"] == action
    conditions = {one["key"]: one["values"]["items"] for one in decoded["context"]["conditions"]["items"]}
    assert conditions["aws:SourceIp"] == [{"value": "127.0.0.1"}]
    assert decoded["fix"]
    assert decoded["reasons"][-1]["text"]


def test_reading_needs_permission_and_an_unchanged_message(running: "RunningAccount", decoder: Any) -> None:
    """Without sts:DecodeAuthorizationMessage nothing is read; a changed or foreign message is refused by its code."""
    iam = running.client("iam")
    iam.create_user(UserName="curious")
    curious = iam.create_access_key(UserName="curious")["AccessKey"]
    encoded = denial(running.client("ec2", curious), "describe_instances").partition(_LEAD)[2]
    with pytest.raises(ClientError) as caught:
        running.client("sts", curious).decode_authorization_message(EncodedMessage=encoded)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    sts = running.client("sts", decoder)
    session = running.client("sts").get_session_token()["Credentials"]["SessionToken"]
    flipped = encoded[:-6] + ("A" if encoded[-6] != "A" else "B") + encoded[-5:]
    for other in (flipped, encoded[:-8], session, "no base64 !"):
        with pytest.raises(ClientError) as caught:
            sts.decode_authorization_message(EncodedMessage=other)
        assert caught.value.response["Error"]["Code"] == "InvalidAuthorizationMessageException"
        assert other not in str(caught.value)


def test_only_ec2_encodes_its_denials(running: "RunningAccount", decoder: Any) -> None:
    """Denials of other services end without an encoded message."""
    for service, operation in (("iam", "list_users"), ("s3", "list_buckets"), ("autoscaling", "describe_tags")):
        with pytest.raises(ClientError) as caught:
            getattr(running.client(service, decoder), operation)()
        assert _LEAD not in str(caught.value)


def test_a_message_is_no_session_token(tmp_path: Path) -> None:
    """What is sealed as a message is no session under the same key, and a long decision stays in AWS's 10,240."""
    sessions = SealedSessions(tmp_path / "key")
    messages = AuthorizationMessages(tmp_path / "key")
    request = AuthorizationRequest(
        Principal("arn:aws:iam::1:user/a", "1", "user"), "ec2:Run", "*", "1", {"k": ("a", "b")}
    )
    reasons = tuple(Reason("statement-does-not-match", f"no match {index}") for index in range(3000))
    encoded = messages.encode(request, Decision("ec2:Run", Outcome.IMPLICIT_DENY, reasons))
    assert 0 < len(encoded) <= 10_240
    assert sessions.unseal(encoded) is None
    decoded = json.loads(messages.decode(encoded) or "{}")
    assert decoded["reasons"][-1]["text"] == "no match 2999"
    assert decoded["context"]["conditions"]["items"][0]["values"]["items"] == [{"value": "a"}, {"value": "b"}]
    assert messages.decode("é") is None
