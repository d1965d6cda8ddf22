"""A request that is refused before anything is decided says why, and the fix, where its owner looks: the decision log."""

import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

NOBODY = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret-of-nobody"}

# service, method, arguments, then the hop, the code in the answer, a word of the reason and one of the fix
REFUSED: dict[str, tuple[str, str, dict[str, Any], str, str, str, str]] = {
    "unknown key": ("s3", "list_buckets", {}, "s3:unidentified", "InvalidAccessKeyId", "no access key", "session token"),
    "unknown key, JSON": (
        "dynamodb", "list_tables", {}, "dynamodb:ListTables", "UnrecognizedClientException", "no access key", "access key of",
    ),
    "wrong secret": ("s3", "list_buckets", {}, "s3:unidentified", "SignatureDoesNotMatch", "another secret", "secret access"),
    "not modelled": (
        "workspaces", "describe_workspaces", {}, "workspaces:DescribeWorkspaces", "NotImplemented",
        "no service signs with", "report the service",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_the_log_says_why_and_the_fix(running: "RunningAccount", case: str) -> None:
    """With the answer's own code and request id, who asked and for which path; never a secret."""
    service, method, arguments, hop, code, reason, fix = REFUSED[case]
    running.decisions.decisions.clear()
    admin = running.account.admin
    key = {"AccessKeyId": admin.id, "SecretAccessKey": "wrong"} if case == "wrong secret" else NOBODY
    client = running.client(service, None if case == "not modelled" else key)
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    (decision, request) = running.decisions.decisions[-1]
    assert (decision.hop, decision.allowed, decision.reasons[0].code) == (hop, False, code)
    assert reason in decision.reasons[0].text
    assert fix in decision.fix
    assert request["requestId"] == caught.value.response["ResponseMetadata"]["RequestId"]
    assert (request["method"], request["path"]) == ("GET" if service == "s3" else "POST", "/")
    assert "secret-of-nobody" not in str(running.decisions.decisions)


def test_an_unsigned_call_is_told_to_sign(running: "RunningAccount") -> None:
    """Only S3 takes unsigned requests; the log says so."""
    running.decisions.decisions.clear()
    client = running.client("dynamodb", None, signature_version=UNSIGNED)
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        client.list_tables()
    (decision, _) = running.decisions.decisions[-1]
    assert decision.hop == "unsigned:ListTables"
    assert "sign the request" in decision.fix


def test_a_url_presigned_the_old_way_is_told_the_new_one(running: "RunningAccount") -> None:
    """boto3 presigns for us-east-1 with Signature Version 2 unless told: the log names the setting, and not the URL."""
    running.decisions.decisions.clear()
    url = running.client("s3").generate_presigned_url("get_object", Params={"Bucket": "any", "Key": "some/key"})
    trust = ssl.create_default_context(cafile=running.ca)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, context=trust)
    with caught.value as answer:
        assert b"AWS4-HMAC-SHA256" in answer.read()
    logged: list[tuple[Any, dict[str, str]]] = running.decisions.decisions
    (decision, request) = logged[-1]
    assert "signature_version='s3v4'" in decision.fix
    assert request["path"] == "/any/some/key"
    assert "Signature=" not in str(logged)
