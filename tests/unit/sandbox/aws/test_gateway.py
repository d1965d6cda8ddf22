"""The gateway with boto3 and plain HTTPS over a real TLS socket, moto behind it."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

BUCKET = "law-bucket"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    """Code, message and status of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def plain(running: "RunningAccount", method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """An HTTPS request without any AWS header."""
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=running.ca)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def s3(running: "RunningAccount") -> Any:
    client = running.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="open/ä b", Body=b"content")
    return client


@pytest.fixture(scope="module")
def reader(running: "RunningAccount", s3: Any) -> Any:
    """A user's key whose policy allows s3:GetObject under `open/` and nothing else."""
    iam = running.client("iam")
    iam.create_user(UserName="reader")
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/open/*"}
    iam.put_user_policy(UserName="reader", PolicyName="open", PolicyDocument=policy(statement))
    return iam.create_access_key(UserName="reader")["AccessKey"]


# service, method, arguments, then code and status
DENIED = [
    ("iam", "list_users", {}, "AccessDenied", 403),
    ("ec2", "describe_instances", {}, "UnauthorizedOperation", 403),
    ("autoscaling", "describe_auto_scaling_groups", {}, "AccessDenied", 403),
    ("elbv2", "describe_load_balancers", {}, "AccessDenied", 403),
    ("eks", "list_clusters", {}, "AccessDeniedException", 403),
    ("dynamodb", "list_tables", {}, "AccessDeniedException", 400),
    ("ssm", "get_parameter", {"Name": "/a"}, "AccessDeniedException", 400),
    ("kms", "list_keys", {}, "AccessDeniedException", 400),
    ("s3", "list_buckets", {}, "AccessDenied", 403),
    ("s3", "put_object", {"Bucket": BUCKET, "Key": "open/x", "Body": b""}, "AccessDenied", 403),
    ("s3", "delete_object", {"Bucket": BUCKET, "Key": "open/x"}, "AccessDenied", 403),
    ("s3", "list_objects_v2", {"Bucket": BUCKET}, "AccessDenied", 403),
    ("s3", "get_bucket_policy", {"Bucket": BUCKET}, "AccessDenied", 403),
]


@pytest.mark.parametrize("case", DENIED, ids=lambda case: f"{case[0]}-{case[1]}")
def test_what_no_policy_allows_is_denied_in_the_protocols_own_code(
    running: "RunningAccount", reader: Any, case: tuple[str, str, dict[str, Any], str, int]
) -> None:
    """Every service denies by default, with the code and status of its protocol, and names who, what and why."""
    service, method, arguments, code, status = case
    found, message, answered = refusal(getattr(running.client(service, reader), method), **arguments)
    assert (found, answered) == (code, status)
    assert "User: arn:aws:iam::111122223333:user/reader is not authorized to perform:" in message
    assert "because no identity-based policy allows the" in message


def test_an_allowed_object_is_read_and_its_neighbour_is_not(running: "RunningAccount", reader: Any) -> None:
    """A policy on a prefix opens that prefix only, and S3 names the object that it refuses."""
    client = running.client("s3", reader)
    assert client.get_object(Bucket=BUCKET, Key="open/ä b")["Body"].read() == b"content"
    code, message, _ = refusal(client.get_object, Bucket=BUCKET, Key="shut/a")
    assert code == "AccessDenied"
    assert f'on resource: "arn:aws:s3:::{BUCKET}/shut/a"' in message


def test_a_missing_key_is_told_only_to_who_may_list(running: "RunningAccount", s3: Any, reader: Any) -> None:
    """Without s3:ListBucket a missing key is AccessDenied, with it NoSuchKey."""
    assert refusal(running.client("s3", reader).get_object, Bucket=BUCKET, Key="open/none")[0] == "AccessDenied"
    assert refusal(s3.get_object, Bucket=BUCKET, Key="open/none")[0] == "NoSuchKey"


def test_every_decision_is_logged_with_who_and_what(running: "RunningAccount", reader: Any) -> None:
    """A denial is in the decision log with principal, action, resource and at least one reason."""
    running.decisions.decisions.clear()
    refusal(running.client("s3", reader).list_buckets)
    decision, request = running.decisions.decisions[-1]
    assert not decision.allowed
    assert decision.reasons
    assert (request["action"], request["resource"]) == ("s3:ListAllMyBuckets", "*")
    assert request["principal"].endswith(":user/reader")


def test_an_unsigned_request_is_refused_everywhere(running: "RunningAccount", s3: Any) -> None:
    """Unsigned: S3 says AccessDenied and no more, the others that the token is missing."""
    status, body = plain(running, "GET", f"{running.url}/{BUCKET}/open/x")
    assert (status, b"<Code>AccessDenied</Code><Message>Access Denied</Message>" in body) == (403, True)
    status, body = plain(running, "POST", f"{running.url}/", b"Action=ListUsers&Version=2010-05-08")
    assert (status, b"<Code>MissingAuthenticationToken</Code>" in body) == (403, True)


def test_a_bucket_policy_opens_one_key_to_everyone(running: "RunningAccount", s3: Any) -> None:
    """An anonymous caller reads what the bucket policy allows to `*`, nothing else, and nothing once it is gone."""
    s3.put_object(Bucket=BUCKET, Key="public", Body=b"for all")
    resource = f"arn:aws:s3:::{BUCKET}/public"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(statement))
    assert plain(running, "GET", f"{running.url}/{BUCKET}/public") == (200, b"for all")
    assert plain(running, "GET", f"{running.url}/{BUCKET}/open/%C3%A4%20b")[0] == 403
    s3.delete_bucket_policy(Bucket=BUCKET)
    assert plain(running, "GET", f"{running.url}/{BUCKET}/public")[0] == 403


def test_a_bucket_policy_denies_even_the_administrator(running: "RunningAccount", s3: Any) -> None:
    """An explicit Deny in a bucket policy wins over AdministratorAccess, and the message says which kind denied."""
    resource = f"arn:aws:s3:::{BUCKET}/kept/*"
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": resource}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(statement))
    code, message, _ = refusal(s3.delete_object, Bucket=BUCKET, Key="kept/a")
    assert code == "AccessDenied"
    assert "with an explicit deny in a resource-based policy" in message
    s3.delete_bucket_policy(Bucket=BUCKET)


def test_a_deny_for_others_or_under_a_condition_holds_for_them_alone(running: "RunningAccount", s3: Any) -> None:
    """The usual "TLS only" policy, and a Deny for one user: everybody else reads, writes and deletes over TLS."""
    running.client("iam").create_user(UserName="shut-out")
    everything = {"Effect": "Deny", "Action": "s3:*", "Resource": [f"arn:aws:s3:::fenced{end}" for end in ("", "/*")]}
    plain_text = {"Bool": {"aws:SecureTransport": "false"}}
    s3.create_bucket(Bucket="fenced")
    s3.put_bucket_policy(
        Bucket="fenced",
        Policy=policy(
            {**everything, "Principal": "*", "Condition": plain_text},
            {**everything, "Principal": {"AWS": "arn:aws:iam::111122223333:user/shut-out"}},
        ),
    )
    s3.put_object(Bucket="fenced", Key="k", Body=b"content")
    assert s3.get_object(Bucket="fenced", Key="k")["Body"].read() == b"content"
    assert [
        item["Key"] for item in s3.delete_objects(Bucket="fenced", Delete={"Objects": [{"Key": "k"}]})["Deleted"]
    ] == ["k"]


def test_presigned_urls_read_and_write(running: "RunningAccount", s3: Any) -> None:
    """A SigV4 presigned PUT and GET work without headers; another signature does not."""
    signer = running.client("s3", signature_version="s3v4")
    put = signer.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "presigned"})
    assert plain(running, "PUT", put, b"by url")[0] == 200
    get = signer.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "presigned"})
    assert plain(running, "GET", get) == (200, b"by url")
    forged = get[:-1] + ("0" if get[-1] != "0" else "1")
    status, body = plain(running, "GET", forged)
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)


def test_delete_objects_asks_for_every_key(running: "RunningAccount", s3: Any) -> None:
    """DeleteObjects is decided key by key: one that is not allowed refuses the call."""
    iam = running.client("iam")
    iam.create_user(UserName="sweeper")
    statement = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{BUCKET}/trash/*"}
    iam.put_user_policy(UserName="sweeper", PolicyName="p", PolicyDocument=policy(statement))
    client = running.client("s3", iam.create_access_key(UserName="sweeper")["AccessKey"])
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "trash/a"}]})
    both = {"Objects": [{"Key": "trash/a"}, {"Key": "open/ä b"}]}
    assert refusal(client.delete_objects, Bucket=BUCKET, Delete=both)[0] == "AccessDenied"


def test_copying_asks_for_the_source(running: "RunningAccount", s3: Any) -> None:
    """CopyObject needs s3:GetObject on the source beside s3:PutObject on the target."""
    iam = running.client("iam")
    iam.create_user(UserName="copier")
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    iam.put_user_policy(UserName="copier", PolicyName="p", PolicyDocument=policy(statement))
    client = running.client("s3", iam.create_access_key(UserName="copier")["AccessKey"])
    source = {"Bucket": BUCKET, "Key": "open/ä b"}
    code, message, _ = refusal(client.copy_object, Bucket=BUCKET, Key="copy", CopySource=source)
    assert (code, "s3:GetObject" in message) == ("AccessDenied", True)


def test_a_service_that_is_not_modelled_is_refused_by_name(running: "RunningAccount") -> None:
    """A service outside the catalogue is NotImplemented, for the administrator too."""
    code, message, _ = refusal(running.client("polly").describe_voices)
    assert code == "NotImplemented"
    assert "polly" in message


@pytest.mark.parametrize("path", ["/moto-api/data.json", "/moto-api/reset", "/latest/meta-data/"])
def test_motos_own_doors_stay_shut(running: "RunningAccount", path: str) -> None:
    """No request reaches moto's management paths."""
    assert plain(running, "GET", running.url + path)[0] in {403, 501}


def test_a_wrong_secret_and_an_unknown_key_are_refused(running: "RunningAccount", reader: Any) -> None:
    """A signature by another secret is SignatureDoesNotMatch, a key of nobody InvalidClientTokenId."""
    wrong = {**reader, "SecretAccessKey": "x" * 40}
    assert refusal(running.client("iam", wrong).list_users)[0] == "SignatureDoesNotMatch"
    unknown = {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "x" * 40}
    assert refusal(running.client("iam", unknown).list_users)[0] == "InvalidClientTokenId"


def test_an_inactive_key_is_refused(running: "RunningAccount") -> None:
    """A key is refused from the moment it is inactive."""
    iam = running.client("iam")
    iam.create_user(UserName="paused")
    key = iam.create_access_key(UserName="paused")["AccessKey"]
    assert refusal(running.client("iam", key).list_users)[0] == "AccessDenied"
    iam.update_access_key(UserName="paused", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refusal(running.client("iam", key).list_users)[0] == "InvalidClientTokenId"


def test_a_session_has_its_roles_policies_until_the_role_is_gone(running: "RunningAccount", s3: Any) -> None:
    """An assumed role reads by its policy; once the role is deleted its sessions are invalid, also under its name."""
    iam = running.client("iam")
    principal = {"AWS": "arn:aws:iam::111122223333:root"}
    trust = policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/open/*"}
    iam.create_role(RoleName="session", AssumeRolePolicyDocument=trust, Path="/team/")
    iam.put_role_policy(RoleName="session", PolicyName="p", PolicyDocument=policy(statement))
    arn = "arn:aws:iam::111122223333:role/team/session"
    sts = running.client("sts")
    credentials = sts.assume_role(RoleArn=arn, RoleSessionName="one-two")["Credentials"]
    client = running.client("s3", credentials)
    assert client.get_object(Bucket=BUCKET, Key="open/ä b")["Body"].read() == b"content"
    assert "assumed-role/session/one-two is not authorized" in refusal(client.list_buckets)[1]
    iam.delete_role_policy(RoleName="session", PolicyName="p")
    assert refusal(client.get_object, Bucket=BUCKET, Key="open/ä b")[0] == "AccessDenied"
    iam.delete_role(RoleName="session")
    assert refusal(client.get_object, Bucket=BUCKET, Key="open/ä b")[0] == "InvalidToken"
    iam.create_role(RoleName="session", AssumeRolePolicyDocument=trust, Path="/team/")
    assert refusal(client.get_object, Bucket=BUCKET, Key="open/ä b")[0] == "InvalidToken"


def test_a_deny_on_a_fact_that_is_not_read_refuses_the_call_by_name(running: "RunningAccount", s3: Any) -> None:
    """A bucket policy that denies by TLS version is never passed over: NotImplemented, and the key is named."""
    condition = {"NumericLessThan": {"s3:TlsVersion": "1.2"}}
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Condition": condition}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy({**statement, "Resource": f"arn:aws:s3:::{BUCKET}/*"}))
    code, message, status = refusal(s3.get_object, Bucket=BUCKET, Key="open/ä b")
    assert (code, status, "s3:TlsVersion" in message) == ("NotImplemented", 501, True)
    s3.delete_bucket_policy(Bucket=BUCKET)
