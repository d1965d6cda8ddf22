"""What moto executes is what was decided: requests that two readers could read in two ways, each with its victim.

Every case is sent by a user who may do a harmless thing only, and tries to have another done under its name.
"""

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from tests.unit.sandbox.aws.raw_requests import FORM, Raw

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

ACCOUNT = "111122223333"
ARN = f"us-east-1:{ACCOUNT}"
VICTIM, MINE = "victim", "mine"
SQS = "AmazonSQS"


def caller(running: "RunningAccount", name: str, *statements: tuple[str, str, str]) -> Raw:
    """Somebody with (effect, action, resource) statements."""
    iam = running.client("iam")
    iam.create_user(UserName=name)
    written = [{"Effect": e, "Action": a, "Resource": r} for e, a, r in statements]
    document = json.dumps({"Version": "2012-10-17", "Statement": written})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    return Raw(running, iam.create_access_key(UserName=name)["AccessKey"])


@pytest.fixture(scope="module")
def sqs(running: "RunningAccount") -> Any:
    client = running.client("sqs")
    for name in (VICTIM, MINE):
        client.create_queue(QueueName=name)
    return client


@pytest.fixture(scope="module")
def lister(running: "RunningAccount", sqs: Any) -> Raw:
    return caller(running, "lister", ("Allow", "sqs:ListQueues", "*"))


@pytest.fixture(scope="module")
def owner(running: "RunningAccount", sqs: Any) -> Raw:
    return caller(running, "owner", ("Allow", "sqs:*", f"arn:aws:sqs:{ARN}:{MINE}"))


def url(name: str) -> str:
    return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}"


def queues(sqs: Any) -> set[str]:
    return {found.rpartition("/")[2] for found in sqs.list_queues().get("QueueUrls", [])}


def messages(sqs: Any) -> int:
    found = sqs.get_queue_attributes(QueueUrl=url(VICTIM), AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


HIDDEN = f"Action=DeleteQueue&QueueUrl={VICTIM}&"


def test_an_action_in_the_query_of_a_json_call(sqs: Any, lister: Raw) -> None:
    document = {"QueueUrl": url(VICTIM)}
    lister.json("sqs", f"{SQS}.ListQueues", document, query=f"Action=DeleteQueue&QueueUrl={VICTIM}")
    assert VICTIM in queues(sqs)


def test_an_action_in_a_json_text(sqs: Any, lister: Raw) -> None:
    lister.json("sqs", f"{SQS}.ListQueues", {"QueueUrl": url(VICTIM), "QueueNamePrefix": f"&{HIDDEN}"})
    assert VICTIM in queues(sqs)


def test_a_json_body_of_the_forms_type(sqs: Any, lister: Raw) -> None:
    lister.json("sqs", f"{SQS}.ListQueues", {"QueueNamePrefix": f"&{HIDDEN}"}, signed={"content-type": FORM})
    assert VICTIM in queues(sqs)


def test_an_action_in_a_header(sqs: Any, lister: Raw) -> None:
    lister.json("sqs", f"{SQS}.ListQueues", b"", unsigned=[("Action", "DeleteQueue"), ("Queueurl", VICTIM)])
    assert VICTIM in queues(sqs)


def test_motos_reset_by_a_path(sqs: Any, lister: Raw) -> None:
    lister.form("sqs", {"Action": "ListQueues"}, target="/moto-api/reset")
    lister.json("sqs", f"{SQS}.ListQueues", {})
    assert VICTIM in queues(sqs)


def test_a_target_spelled_with_underscores(sqs: Any, lister: Raw) -> None:
    document = json.dumps({"QueueUrl": url(VICTIM)}).encode()
    lister.json("sqs", f"{SQS}.ListQueues", document, unsigned=[("x_amz_target", f"{SQS}.DeleteQueue")])
    lister.form("sqs", {"Action": "ListQueues", "QueueUrl": VICTIM}, unsigned=[("x_amz_target", f"{SQS}.DeleteQueue")])
    assert VICTIM in queues(sqs)


def test_a_parameter_that_the_operation_does_not_have(sqs: Any, owner: Raw) -> None:
    owner.json("sqs", f"{SQS}.DeleteQueue", {"QueueName": MINE, "QueueUrl": url(VICTIM)})
    assert VICTIM in queues(sqs)


def test_an_arn_in_a_text_names_no_resource(sqs: Any, owner: Raw) -> None:
    document = {"QueueUrl": url(VICTIM), "MessageBody": f"arn:aws:sqs:{ARN}:{MINE}"}
    status, _ = owner.json("sqs", f"{SQS}.SendMessage", document)
    assert (status, messages(sqs)) == (400, 0)


def test_a_queues_url_has_one_name(sqs: Any, owner: Raw) -> None:
    """Moto takes what is after the last slash, be it in a query or not."""
    for end in (f"{MINE}?/{VICTIM}", f"{MINE}#/{VICTIM}"):
        owner.json("sqs", f"{SQS}.DeleteQueue", {"QueueUrl": url(end)})
    assert VICTIM in queues(sqs)


def test_another_region_by_host_or_user_agent(running: "RunningAccount", sqs: Any) -> None:
    """Signed for us-east-1, so decided there; the queue would be made in eu-west-1."""
    here = caller(running, "here", ("Allow", "sqs:*", f"arn:aws:sqs:{ARN}:*"))
    for name, more in (
        ("by-host", {"host": "sqs.eu-west-1.amazonaws.com"}),
        ("by-agent", {"signed": {"user-agent": "x region/eu-west-1"}}),
        ("by-query", {"query": "x=.eu-west-1.amazonaws.com"}),
    ):
        here.json("sqs", f"{SQS}.CreateQueue", {"QueueName": name}, **more)
    elsewhere = Raw(running).json("sqs", f"{SQS}.ListQueues", {}, region="eu-west-1")
    assert b"by-" not in elsewhere[1]


@pytest.fixture(scope="module")
def table(running: "RunningAccount") -> Any:
    client = running.client("dynamodb")
    client.create_table(
        TableName=VICTIM, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST",
    )  # fmt: skip
    return client


@pytest.mark.parametrize("arn", [f"eu-west-1:{ACCOUNT}", "us-east-1:999999999999"])
def test_an_arn_of_another_region_or_account(running: "RunningAccount", table: Any, arn: str) -> None:
    """Moto takes the name and forgets the rest."""
    name = f"not-{arn.partition(':')[0]}"
    denied = f"arn:aws:dynamodb:{ARN}:table/{VICTIM}"
    somebody = caller(running, name, ("Allow", "dynamodb:*", "*"), ("Deny", "dynamodb:*", denied))
    document = {"TableName": f"arn:aws:dynamodb:{arn}:table/{VICTIM}"}
    status, body = somebody.json("dynamodb", "DynamoDB_20120810.DescribeTable", document)
    assert status >= 400, body


@pytest.fixture(scope="module")
def keys(running: "RunningAccount") -> dict[str, str]:
    kms = running.client("kms")
    found = {name: kms.create_key()["KeyMetadata"]["Arn"] for name in (VICTIM, MINE)}
    kms.create_alias(AliasName="alias/victim", TargetKeyId=found[VICTIM])
    return found


@pytest.fixture(scope="module")
def crypter(running: "RunningAccount", keys: dict[str, str]) -> Raw:
    return caller(running, "crypter", ("Allow", "kms:*", "*"), ("Deny", "kms:*", keys[VICTIM]))


def test_a_key_by_its_aliass_arn(crypter: Raw) -> None:
    document = {"KeyId": f"arn:aws:kms:{ARN}:alias/victim", "Plaintext": "YQ=="}
    assert crypter.json("kms", "TrentService.Encrypt", document)[0] == 400


def test_a_key_has_one_id(keys: dict[str, str], crypter: Raw) -> None:
    """Moto takes what is after the first `:key/`."""
    document = {"KeyId": f"{keys[VICTIM]}:key/{keys[MINE].rpartition('/')[2]}", "Plaintext": "YQ=="}
    assert crypter.json("kms", "TrentService.Encrypt", document)[0] == 400


def test_a_ciphertexts_own_key_counts(running: "RunningAccount", keys: dict[str, str], crypter: Raw) -> None:
    blob = running.client("kms").encrypt(KeyId=keys[VICTIM], Plaintext=b"a")["CiphertextBlob"]
    text = base64.b64encode(blob).decode()
    for document in ({"CiphertextBlob": text}, {"CiphertextBlob": f"!{text}"}):
        assert crypter.json("kms", "TrentService.Decrypt", document)[0] == 400
    moved = {"CiphertextBlob": text, "SourceKeyId": keys[MINE], "DestinationKeyId": keys[MINE]}
    assert crypter.json("kms", "TrentService.ReEncrypt", moved)[0] == 400


def test_a_form_for_a_service_that_takes_none(running: "RunningAccount", keys: dict[str, str]) -> None:
    """The form named one key and the body, which is JSON as well, another."""
    mine = caller(running, "form-of-kms", ("Allow", "kms:*", keys[MINE]))
    query = f"Action=DescribeKey&KeyId={keys[MINE]}"
    body = json.dumps({"KeyId": keys[VICTIM]}).encode()
    status, answer = mine.send("kms", target=f"/?{query}", body=body, signed={"content-type": "application/json"})
    assert status == 400, answer


@pytest.fixture(scope="module")
def buckets(running: "RunningAccount") -> Any:
    client = running.client("s3")
    for name in (VICTIM, MINE):
        client.create_bucket(Bucket=name + "-bucket")
        client.put_object(Bucket=name + "-bucket", Key="key", Body=f"of {name}".encode())
    return client


@pytest.fixture(scope="module")
def copier(running: "RunningAccount", buckets: Any) -> Raw:
    return caller(running, "copier", ("Allow", "s3:*", "arn:aws:s3:::mine-bucket/*"))


@pytest.mark.parametrize(
    "source", ["//mine-bucket/victim-bucket/key", "https://mine-bucket/victim-bucket/key", "mine-bucket/x#/victim"]
)
def test_a_copy_source_that_is_a_url_to_one_reader(buckets: Any, copier: Raw, source: str) -> None:
    copier.send("s3", "PUT", "/mine-bucket/copy", signed={"x-amz-copy-source": source})
    assert "copy" not in {item["Key"] for item in buckets.list_objects_v2(Bucket="mine-bucket")["Contents"]}


def test_a_copy_source_spelled_with_underscores(buckets: Any, copier: Raw) -> None:
    copier.send("s3", "PUT", "/mine-bucket/put", unsigned=[("x_amz_copy_source", "victim-bucket/key")])
    assert buckets.get_object(Bucket="mine-bucket", Key="put")["Body"].read() == b""


def test_a_subresource_that_moto_does_not_know_is_not_the_resource(running: "RunningAccount", buckets: Any) -> None:
    """Moto deleted the bucket, told its keys, or gave the object."""
    names = ("s3:GetObjectRetention", "s3:PutMetricsConfiguration", "s3:GetBucketRequestPayment")
    some = caller(running, "subresources", *(("Allow", name, "*") for name in names))
    assert b"of victim" not in some.send("s3", "GET", "/victim-bucket/key?retention")[1]
    assert b"<Key>" not in some.send("s3", "GET", "/victim-bucket?requestPayment")[1]
    buckets.create_bucket(Bucket="empty-bucket")
    some.send("s3", "DELETE", "/empty-bucket?metrics&id=1")
    assert "empty-bucket" in {item["Name"] for item in buckets.list_buckets()["Buckets"]}


def test_a_multipart_body_holds_no_other_document(running: "RunningAccount", buckets: Any) -> None:
    """XML to one reader, to the other a form whose file is another Delete document."""
    body = (
        '<Delete><Object><Key>a</Key></Object><x>\r\n--B\r\nContent-Disposition: form-data; name="file"; filename="f"'
        "\r\n\r\n{}\r\n--B--\r\n</x></Delete>"
    ).format("<Delete><Object><Key>key</Key></Object></Delete>")
    statement = ("Allow", "s3:DeleteObject", "arn:aws:s3:::victim-bucket/a")
    deleter = caller(running, "deleter", statement)
    deleter.send(
        "s3", "POST", "/victim-bucket?delete", body.encode(), signed={"content-type": "multipart/form-data; boundary=B"}
    )
    assert buckets.get_object(Bucket="victim-bucket", Key="key")["Body"].read() == b"of victim"


def test_an_upload_is_of_its_own_key(buckets: Any, copier: Raw) -> None:
    """Whoever may write one key completed, or ended, the uploads of every other in the bucket."""
    upload = buckets.create_multipart_upload(Bucket="mine-bucket", Key="whole")["UploadId"]
    buckets.upload_part(Bucket="mine-bucket", Key="whole", UploadId=upload, PartNumber=1, Body=b"part")
    status, answer = copier.send("s3", "DELETE", f"/mine-bucket/other?uploadId={upload}")
    assert (status, b"<Code>NoSuchUpload</Code>" in answer) == (404, True)
    assert len(buckets.list_parts(Bucket="mine-bucket", Key="whole", UploadId=upload)["Parts"]) == 1


def test_a_host_of_another_api(copier: Raw) -> None:
    assert copier.send("s3", "GET", "/mine-bucket/key", host="a.s3-control.us-east-1.amazonaws.com")[0] == 501


@pytest.fixture(scope="module")
def cluster(running: "RunningAccount") -> Any:
    eks = running.client("eks")
    for name in (VICTIM, MINE):
        arn = running.client("iam").create_role(
            RoleName=f"of-{name}",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "eks.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
        )["Role"]["Arn"]
        eks.create_cluster(name=name, roleArn=arn, resourcesVpcConfig={"subnetIds": ["subnet-1"]})
    return eks


@pytest.fixture(scope="module")
def viewer(running: "RunningAccount", cluster: Any) -> Raw:
    mine = ("Allow", "eks:*", f"arn:aws:eks:{ARN}:cluster/{MINE}")
    return caller(running, "viewer", mine, ("Allow", "eks:ListClusters", "*"))


def test_an_action_or_a_name_in_the_query_of_a_rest_call(cluster: Any, viewer: Raw) -> None:
    for target in (f"/clusters?Action=DeleteCluster&name={VICTIM}", f"/clusters/{MINE}?name={VICTIM}"):
        answer = viewer.send("eks", "GET", target)[1]
        assert b"cluster/victim" not in answer
    assert VICTIM in cluster.list_clusters()["clusters"]


@pytest.mark.parametrize("encoding", ["", "aws-chunked,gzip"])
def test_a_document_that_does_not_begin_with_its_brace(running: "RunningAccount", cluster: Any, encoding: str) -> None:
    """A leading space hid the role that is passed, and so did an encoding that only one reader knew."""
    somebody = caller(running, f"maker-{len(encoding)}", ("Allow", "eks:*", "*"))
    document = {"name": f"made{len(encoding)}", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/of-victim"}
    body = b" " + json.dumps({**document, "resourcesVpcConfig": {"subnetIds": ["subnet-1"]}}).encode()
    signed = {"content-type": "application/json"} | ({"content-encoding": encoding} if encoding else {})
    status, answer = somebody.send("eks", "POST", "/clusters", gzip.compress(body) if encoding else body, signed=signed)
    assert status >= 400, answer


def test_a_name_that_is_decoded_twice(running: "RunningAccount") -> None:
    """Moto's Lambda unquotes the name in a path once more."""
    somebody = caller(
        running, "twice", ("Allow", "lambda:*", "*"), ("Deny", "lambda:*", f"arn:aws:lambda:{ARN}:function:victim")
    )
    status, answer = somebody.send("lambda", "DELETE", "/2015-03-31/functions/victi%256D")
    assert b"victim" not in answer
    assert status >= 400


def test_a_parameter_with_a_selector(running: "RunningAccount") -> None:
    ssm = running.client("ssm")
    ssm.put_parameter(Name="/victim", Value="secret", Type="String")
    denied = ("Deny", "ssm:*", f"arn:aws:ssm:{ARN}:parameter/victim")
    somebody = caller(running, "selector", ("Allow", "ssm:*", "*"), denied)
    for name in ("/victim:1", f"arn:aws:ssm:{ARN}:parameter/victim:1", f"arn:aws:ssm:{ARN}:parameter/victim"):
        assert b"secret" not in somebody.json("ssm", "AmazonSSM.GetParameter", {"Name": name})[1]
        assert b"secret" not in somebody.json("ssm", "AmazonSSM.GetParameters", {"Names": [name]})[1]


def test_a_value_that_is_an_arn(running: "RunningAccount") -> None:
    """PutParameter was decided on the ARN in its value, and wrote another."""
    somebody = caller(running, "value", ("Allow", "ssm:*", f"arn:aws:ssm:{ARN}:parameter/mine"))
    document = {"Name": "/other", "Value": f"arn:aws:ssm:{ARN}:parameter/mine", "Type": "String"}
    assert somebody.json("ssm", "AmazonSSM.PutParameter", document)[0] == 400


def test_a_secret_by_an_arn_with_another_ending(running: "RunningAccount") -> None:
    client = running.client("secretsmanager")
    arn = client.create_secret(Name="victim", SecretString="of-victim")["ARN"]
    mine = client.create_secret(Name="mine", SecretString="of-mine")["ARN"]
    somebody = caller(running, "partial", ("Allow", "secretsmanager:*", "*"), ("Deny", "secretsmanager:*", arn))
    for named in ("victim", arn, arn[:-7], f"{arn[:-6]}AAAAAA", arn.replace("us-east-1", "eu-west-1")):
        answer = somebody.json("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": named})
        assert b"of-victim" not in answer[1], named
    document = {"SecretId": arn, "SecretString": mine}
    assert somebody.json("secretsmanager", "secretsmanager.PutSecretValue", document)[0] == 400


def test_log_groups_named_twice(running: "RunningAccount") -> None:
    for name in (VICTIM, MINE):
        running.client("logs").create_log_group(logGroupName=name)
    groups = f"arn:aws:logs:{ARN}:log-group"
    somebody = caller(running, "logger", ("Allow", "logs:*", f"{groups}:{MINE}:*"))
    for document in (
        {"logGroupName": VICTIM, "logGroupIdentifier": MINE},
        {"logGroupIdentifier": f"{groups}:{MINE}", "logGroupName": VICTIM},
    ):
        status, answer = somebody.json("logs", "Logs_20140328.FilterLogEvents", document)
        assert status == 400, answer


def test_a_region_that_is_no_region(running: "RunningAccount") -> None:
    """Moto reads what it cannot split as S3; and another partition has buckets of its own."""
    for region in ("us-east-1;x", "cn-north-1", "x" * 70):
        status, answer = Raw(running).send("eks", "GET", "/clusters", region=region)
        assert status >= 400, answer


def test_sts_in_a_scope_too_long_to_be_seen(running: "RunningAccount") -> None:
    """Moto's STS hands out keys of nobody; ours answers whatever the region."""
    form = {"Action": "GetSessionToken", "Version": "2011-06-15"}
    status, answer = Raw(running).form("sts", form, region="a" * 70)
    key = {element.tag.rpartition("}")[2]: element.text for element in ET.fromstring(answer).iter()}
    assert status == 200
    assert running.client("sts", key).get_caller_identity()["Account"] == ACCOUNT


def test_the_body_of_a_form_counts_and_so_does_its_query(running: "RunningAccount") -> None:
    """Tags in the query satisfied a condition, and moto read the body alone."""
    iam = running.client("iam")
    iam.create_user(UserName="tagger")
    statement = {
        "Effect": "Allow", "Action": "sns:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestTag/team": "a"}},
    }  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="tagger", PolicyName="p", PolicyDocument=document)
    raw = Raw(running, iam.create_access_key(UserName="tagger")["AccessKey"])
    raw.form(
        "sns", {"Action": "CreateTopic", "Version": "2010-03-31", "Name": "t"},
        target="/?Tags.member.1.Key=team&Tags.member.1.Value=a",
    )  # fmt: skip
    sns = running.client("sns")
    for topic in sns.list_topics()["Topics"]:
        assert sns.list_tags_for_resource(ResourceArn=topic["TopicArn"])["Tags"] == [{"Key": "team", "Value": "a"}]


def test_an_operation_that_moto_takes_for_another(running: "RunningAccount") -> None:
    """Its router knows no path of GetBootstrapBrokers, and took the last part for one of the cluster's ARN."""
    somebody = caller(running, "broker", ("Allow", "kafka:GetBootstrapBrokers", "*"))
    cluster = running.client("kafka").create_cluster(
        ClusterName="c", KafkaVersion="3", NumberOfBrokerNodes=1,
        BrokerNodeGroupInfo={"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-1"]},
    )["ClusterArn"]  # fmt: skip
    status, answer = somebody.send("kafka", "GET", f"/v1/clusters/{quote(cluster, safe='')}/bootstrap-brokers")
    assert (status, b"bootstrapBrokers" in answer or b"clusterInfo" in answer) == (501, False)


def test_moto_still_has_its_own_names(running: "RunningAccount") -> None:
    """Batch's operations about tags are one to moto."""
    batch = running.client("batch")
    arn = batch.register_job_definition(
        jobDefinitionName="d", type="container", containerProperties={"image": "i", "vcpus": 1, "memory": 4},
        tags={"a": "b"},
    )["jobDefinitionArn"]  # fmt: skip
    assert batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b"}
