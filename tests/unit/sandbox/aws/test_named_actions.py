"""Operations that are decided by other actions than their own name, with boto3 over a real socket."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import policy, refusal

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

ACCOUNT = "111122223333"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table"


def user(running: "RunningAccount", name: str, *statements: dict[str, Any]) -> Callable[[str], Any]:
    """Clients of a user with one policy."""
    iam = running.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return lambda service: running.client(service, key)


def allow(
    action: str | list[str], resource: str | list[str] = "*", *, condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": resource}
    return found | ({"Condition": condition} if condition else {})


def test_a_batch_of_secrets_holds_only_those_that_may_be_read(running: "RunningAccount") -> None:
    """BatchGetSecretValue asks for GetSecretValue of each secret, and for ListSecrets when it filters."""
    secrets = running.client("secretsmanager")
    mine = secrets.create_secret(Name="batch/mine", SecretString="m")["ARN"]
    theirs = secrets.create_secret(Name="batch/theirs", SecretString="t")["ARN"]
    own = user(
        running,
        "batcher",
        allow("secretsmanager:BatchGetSecretValue"),
        allow("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:batch/mine-??????"),
    )("secretsmanager")
    found = own.batch_get_secret_value(SecretIdList=[mine, theirs])
    assert [secret["SecretString"] for secret in found["SecretValues"]] == ["m"]
    (error,) = found["Errors"]
    assert (error["SecretId"], error["ErrorCode"]) == (theirs, "AccessDeniedException")
    filters = [{"Key": "name", "Values": ["batch/"]}]
    assert "secretsmanager:ListSecrets" in refusal(own.batch_get_secret_value, Filters=filters)[1]
    assert len(secrets.batch_get_secret_value(Filters=filters)["SecretValues"]) == 2


def test_a_parameter_that_is_a_secret_needs_the_secrets_own_action(running: "RunningAccount") -> None:
    """/aws/reference/secretsmanager is no way around secretsmanager:GetSecretValue."""
    running.client("secretsmanager").create_secret(Name="referred", SecretString="TOP")
    ssm = user(running, "referrer", allow("ssm:*"))("ssm")
    name = "/aws/reference/secretsmanager/referred"
    for call, given in ((ssm.get_parameter, {"Name": name}), (ssm.get_parameters, {"Names": [name]})):
        code, message, _ = refusal(call, **given, WithDecryption=True)
        assert (code, "secretsmanager:GetSecretValue" in message) == ("AccessDeniedException", True)
    assert running.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "TOP"


def test_a_path_of_parameters_is_decided_as_a_path_and_holds_what_is_below(running: "RunningAccount") -> None:
    """`/team` is the path's own ARN, and `/team2` is no part of it."""
    admin = running.client("ssm")
    for name in ("/team/a", "/team2/b"):
        admin.put_parameter(Name=name, Value="v", Type="String")
    arn = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/team"
    ssm = user(running, "pather", allow("ssm:GetParametersByPath", arn))("ssm")
    found = ssm.get_parameters_by_path(Path="/team", Recursive=True)["Parameters"]
    assert [item["Name"] for item in found] == ["/team/a"]
    assert "parameter/team2" in refusal(ssm.get_parameters_by_path, Path="/team2")[1]
    assert len(admin.get_parameters_by_path(Path="/", Recursive=True)["Parameters"]) >= 2
    # tags of a parameter are decided on the parameter
    assert "parameter/team/a" in refusal(ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="/team/a")[1]


@pytest.fixture(scope="module")
def tables(running: "RunningAccount") -> Any:
    dynamodb = running.client("dynamodb")
    for name in ("mine", "theirs"):
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName=name, Item={"k": {"S": "tabler"}})
    return dynamodb


KEY = {"k": {"S": "tabler"}}
# method, arguments by table, and the action that is needed
ON_TABLES: list[tuple[str, Callable[[str], dict[str, Any]], str]] = [
    ("batch_get_item", lambda t: {"RequestItems": {t: {"Keys": [KEY]}}}, "BatchGetItem"),
    ("batch_write_item", lambda t: {"RequestItems": {t: [{"PutRequest": {"Item": KEY}}]}}, "BatchWriteItem"),
    ("transact_get_items", lambda t: {"TransactItems": [{"Get": {"TableName": t, "Key": KEY}}]}, "GetItem"),
    ("transact_write_items", lambda t: {"TransactItems": [{"Put": {"TableName": t, "Item": KEY}}]}, "PutItem"),
    ("execute_statement", lambda t: {"Statement": f"SELECT * FROM {t} WHERE k = 'a from b'"}, "PartiQLSelect"),
    (
        "batch_execute_statement",
        lambda t: {"Statements": [{"Statement": f"SELECT k FROM \"{t}\" WHERE k = 'a'"}]},
        "PartiQLSelect",
    ),
    ("query", lambda t: {"TableName": t, "KeyConditionExpression": "k = :k", "ExpressionAttributeValues": {":k": KEY["k"]}},
     "Query"),
    ("scan", lambda t: {"TableName": t}, "Scan"),
]  # fmt: skip


def test_each_table_of_a_request_is_decided_on(running: "RunningAccount", tables: Any) -> None:
    """What a policy for one table allows passes there, and is refused on its neighbour, in batches and statements too."""
    for number, (method, arguments, action) in enumerate(ON_TABLES):
        own = user(running, f"tabler{number}", allow(f"dynamodb:{action}", f"{TABLE}/mine"))("dynamodb")
        assert getattr(own, method)(**arguments("mine")), method
        code, message, _ = refusal(getattr(own, method), **arguments("theirs"))
        assert code == "AccessDeniedException", method
        assert f"dynamodb:{action} on resource: {TABLE}/theirs" in message


def test_a_statement_that_could_be_read_in_two_ways_is_refused(running: "RunningAccount", tables: Any) -> None:
    """The table of a PartiQL statement is seen, or the statement is refused by name."""
    assert refusal(tables.execute_statement, Statement="SELECT * FROM mine, theirs")[0] == "NotImplemented"


def test_leading_keys_are_read(running: "RunningAccount", tables: Any) -> None:
    """A policy for items whose partition key is the user's name: read, written, queried, batched; others' refused."""
    condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${aws:username}"]}}
    own = user(running, "tabler", allow("dynamodb:*", f"{TABLE}/mine", condition=condition))("dynamodb")
    other = {"k": {"S": "other"}}
    query = {"TableName": "mine", "KeyConditionExpression": "#k = :k", "ExpressionAttributeNames": {"#k": "k"}}
    assert own.get_item(TableName="mine", Key=KEY)["Item"]
    assert own.query(**query, ExpressionAttributeValues={":k": KEY["k"]})["Count"] == 1
    assert own.batch_get_item(RequestItems={"mine": {"Keys": [KEY]}})["Responses"]["mine"]
    refused = [
        refusal(own.get_item, TableName="mine", Key=other),
        refusal(own.query, **query, ExpressionAttributeValues={":k": other["k"]}),
        refusal(own.batch_get_item, RequestItems={"mine": {"Keys": [KEY, other]}}),
        refusal(own.batch_write_item, RequestItems={"mine": [{"DeleteRequest": {"Key": other}}]}),
    ]
    assert {code for code, _, _ in refused} == {"AccessDeniedException"}
    # a scan has no leading keys, of which ForAllValues is true: AWS's own trap, said in its guide
    assert own.scan(TableName="mine")["Count"] == 1


def test_batches_of_messages_are_decided_as_messages(running: "RunningAccount") -> None:
    """SendMessageBatch is sqs:SendMessage, and PublishBatch is sns:Publish."""
    url = running.client("sqs").create_queue(QueueName="batch")["QueueUrl"]
    topic = running.client("sns").create_topic(Name="batch")["TopicArn"]
    own = user(running, "messenger", allow(["sqs:SendMessage", "sns:Publish"]))
    entries = [{"Id": "1", "MessageBody": "m"}]
    assert own("sqs").send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    published = own("sns").publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}])
    assert published["Successful"]
    gone = [{"Id": "1", "ReceiptHandle": "r"}]
    code, message, _ = refusal(own("sqs").delete_message_batch, QueueUrl=url, Entries=gone)
    assert (code, "sqs:DeleteMessage on resource" in message) == ("AccessDeniedException", True)


def test_a_ciphertext_tells_its_key(running: "RunningAccount") -> None:
    """Decrypt without a KeyId is decided on the key of the ciphertext; ReEncrypt on both of its keys."""
    kms = running.client("kms")
    mine, theirs = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    sealed = {key: kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] for key in (mine, theirs)}
    own = user(running, "decrypter", allow(["kms:Decrypt", "kms:ReEncrypt*"], mine))("kms")
    assert own.decrypt(CiphertextBlob=sealed[mine])["Plaintext"] == b"x"
    assert f"kms:Decrypt on resource: {theirs}" in refusal(own.decrypt, CiphertextBlob=sealed[theirs])[1]
    assert own.re_encrypt(CiphertextBlob=sealed[mine], DestinationKeyId=mine)["CiphertextBlob"]
    refused = refusal(own.re_encrypt, CiphertextBlob=sealed[mine], DestinationKeyId=theirs)[1]
    assert f"kms:ReEncryptTo on resource: {theirs}" in refused
    refused = refusal(own.re_encrypt, CiphertextBlob=sealed[theirs], DestinationKeyId=mine)[1]
    assert f"kms:ReEncryptFrom on resource: {theirs}" in refused


def test_an_encryption_context_is_read(running: "RunningAccount") -> None:
    """A Deny on one value of an encryption context holds, and a call with another passes."""
    kms = running.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    condition = {"StringEquals": {"kms:EncryptionContext:app": "payroll"}}
    deny = {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition}
    own = user(running, "contexter", allow("kms:Encrypt", key), deny)("kms")
    assert own.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"app": "mail"})["CiphertextBlob"]
    refused = refusal(own.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"app": "payroll"})
    assert "explicit deny" in refused[1]


def test_tags_through_the_tagging_service_are_refused_by_name(running: "RunningAccount") -> None:
    """tag:TagResources would change tags, on which policies hang, without the tagged service's own action."""
    tagging = running.client("resourcegroupstaggingapi")
    arn = running.client("secretsmanager").create_secret(Name="tagged", SecretString="x")["ARN"]
    code, message, _ = refusal(tagging.tag_resources, ResourceARNList=[arn], Tags={"team": "me"})
    assert (code, message.startswith("tag:TagResources")) == ("NotImplemented", True)


def test_a_log_groups_arn_ends_with_a_star_in_policies(running: "RunningAccount") -> None:
    """`log-group:NAME:*` covers the group and its streams; without `:*` it covers neither (CloudWatch Logs guide)."""
    running.client("logs").create_log_group(logGroupName="/app")
    actions = ["logs:DescribeLogStreams", "logs:CreateLogStream", "logs:PutLogEvents"]
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/app"
    own = user(running, "logger", allow(actions, f"{arn}:*"))("logs")
    own.create_log_stream(logGroupName="/app", logStreamName="s")
    assert own.describe_log_streams(logGroupName="/app")["logStreams"]
    assert own.put_log_events(logGroupName="/app", logStreamName="s", logEvents=[{"timestamp": 1, "message": "m"}])
    bare = user(running, "bare-logger", allow(actions, arn))("logs")
    assert f"{arn}:log-stream:" in refusal(bare.describe_log_streams, logGroupName="/app")[1]
    assert "log-group::log-stream:" in refusal(own.describe_log_groups)[1]


def test_a_metrics_namespace_is_read(running: "RunningAccount") -> None:
    """The CloudWatch agent's policy: its own namespace, and no other."""
    condition = {"StringEquals": {"cloudwatch:namespace": "CWAgent"}}
    own = user(running, "agent", allow("cloudwatch:PutMetricData", condition=condition))("cloudwatch")
    data = [{"MetricName": "m", "Value": 1.0}]
    own.put_metric_data(Namespace="CWAgent", MetricData=data)
    assert refusal(own.put_metric_data, Namespace="Other", MetricData=data)[0].startswith("AccessDenied")


def test_groups_are_named_by_their_tags_resource_id(running: "RunningAccount") -> None:
    """A Deny on one Auto Scaling group keeps its tags from being changed: the request names the group inside a tag."""
    deny = {
        "Effect": "Deny",
        "Action": "autoscaling:CreateOrUpdateTags",
        "Resource": f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/prod",
    }
    scaling = user(running, "group-tagger", allow("autoscaling:*"), deny)("autoscaling")
    tag = {"ResourceType": "auto-scaling-group", "Key": "k", "Value": "v", "PropagateAtLaunch": False}
    assert "explicit deny" in refusal(scaling.create_or_update_tags, Tags=[{**tag, "ResourceId": "prod"}])[1]


def test_rules_and_buses_are_named_as_events_names_them(running: "RunningAccount") -> None:
    """A rule of the default bus, and each bus that PutEvents sends to."""
    arn = f"arn:aws:events:us-east-1:{ACCOUNT}"
    own = user(running, "ruler", allow("events:*", [f"{arn}:rule/mine", f"{arn}:event-bus/default"]))("events")
    assert own.put_rule(Name="mine", ScheduleExpression="rate(1 minute)")["RuleArn"] == f"{arn}:rule/mine"
    assert f"{arn}:rule/theirs" in refusal(own.put_rule, Name="theirs", ScheduleExpression="rate(1 minute)")[1]
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}"}
    assert own.put_events(Entries=[entry])["FailedEntryCount"] == 0
    refused = refusal(own.put_events, Entries=[entry, {**entry, "EventBusName": "other"}])[1]
    assert f"{arn}:event-bus/other" in refused


def test_a_secret_is_decided_by_its_tags(running: "RunningAccount") -> None:
    """aws:ResourceTag is read for services that keep tags, here by External Secrets' usual condition."""
    secrets = running.client("secretsmanager")
    for team in ("mine", "theirs"):
        secrets.create_secret(Name=f"of-{team}", SecretString="x", Tags=[{"Key": "team", "Value": team}])
    condition = {"StringEquals": {"secretsmanager:ResourceTag/team": "mine"}}
    own = user(running, "teamster", allow("secretsmanager:GetSecretValue", condition=condition))("secretsmanager")
    assert own.get_secret_value(SecretId="of-mine")["SecretString"] == "x"
    assert refusal(own.get_secret_value, SecretId="of-theirs")[0] == "AccessDeniedException"


TAGGED: list[tuple[str, Callable[[Any], Any], str]] = [
    ("sqs", lambda c: c.create_queue(QueueName="tagged", tags={"team": "mine"})["QueueUrl"], "get_queue_attributes"),
    ("kms", lambda c: c.create_key(Tags=[{"TagKey": "team", "TagValue": "mine"}])["KeyMetadata"]["KeyId"],
     "describe_key"),
    ("sns", lambda c: c.create_topic(Name="tagged", Tags=[{"Key": "team", "Value": "mine"}])["TopicArn"],
     "get_topic_attributes"),
    ("ssm", lambda c: c.put_parameter(Name="/tagged", Value="v", Type="String", Tags=[{"Key": "team", "Value": "mine"}])
     and "/tagged", "get_parameter"),
    ("logs", lambda c: c.create_log_group(logGroupName="/tagged", tags={"team": "mine"}) and "/tagged",
     "describe_log_streams"),
    ("ecr", lambda c: c.create_repository(repositoryName="tagged", tags=[{"Key": "team", "Value": "mine"}]) and "tagged",
     "list_images"),
]  # fmt: skip
NAMED_BY = {"sqs": "QueueUrl", "kms": "KeyId", "sns": "TopicArn", "ssm": "Name", "logs": "logGroupName"} | {
    "ecr": "repositoryName"
}


@pytest.mark.parametrize(("service", "make", "method"), TAGGED, ids=[service for service, _, _ in TAGGED])
def test_tags_are_read_where_the_service_keeps_them(
    running: "RunningAccount", service: str, make: Callable[[Any], Any], method: str
) -> None:
    """A user who may do all to what is tagged with the team may, and one of another team may not."""
    named = {NAMED_BY[service]: make(running.client(service))}
    for team, passes in (("mine", True), ("theirs", False)):
        condition = {"StringEquals": {"aws:ResourceTag/team": team}}
        own = user(running, f"{service}-{team}", allow(f"{service}:*", condition=condition))(service)
        if passes:
            assert getattr(own, method)(**named)
        else:
            assert "AccessDenied" in refusal(getattr(own, method), **named)[0]


def test_what_is_no_ciphertext_names_no_key(running: "RunningAccount") -> None:
    """A blob that is nobody's is decided on a key that is not there, and refused by KMS."""
    code, _, _ = refusal(running.client("kms").decrypt, CiphertextBlob=base64.b64encode(b"\xff" * 4))
    assert code in {"InvalidCiphertextException", "NotFoundException"}


def test_several_tag_keys_in_a_query_are_all_removed_and_all_decided_on(running: "RunningAccount") -> None:
    """REST writes a list as a parameter given again and again; one key of it that a Deny names denies the call."""
    efs = running.client("efs")
    tags = [{"Key": key, "Value": "1"} for key in ("a", "b", "keep")]
    name = efs.create_file_system(CreationToken="tags", Tags=tags)["FileSystemId"]
    deny = {
        **allow("elasticfilesystem:UntagResource"), "Effect": "Deny",
        "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["keep"]}},
    }  # fmt: skip
    client = user(running, "untagger", allow("elasticfilesystem:*"), deny)("efs")
    for keys in (["a", "keep"], ["keep"]):
        assert refusal(client.untag_resource, ResourceId=name, TagKeys=keys)[0] == "AccessDeniedException"
    client.untag_resource(ResourceId=name, TagKeys=["a", "b"])
    (found,) = efs.describe_file_systems(FileSystemId=name)["FileSystems"]
    assert [tag["Key"] for tag in found["Tags"]] == ["keep"]
