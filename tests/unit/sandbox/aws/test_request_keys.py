"""What is read from requests, by values: PartiQL statements, record names, partition keys."""

from typing import Any

import pytest

from iambridge.errors import NotImplementedBySandbox, ValidationError
from iambridge.sandbox.aws import condition_keys, partiql, resources, xml_documents
from iambridge.sandbox.aws.catalogue import SERVICES
from iambridge.sandbox.aws.dynamodb_keys import leading_keys
from iambridge.sandbox.aws.operations import Call
from iambridge.sandbox.aws.request_keys import normalized_name, of

ACCOUNT = "111122223333"


def call(
    scope: str, operation: str, document: dict[str, Any] | None = None, flat: dict[str, str] | None = None
) -> Call:
    return Call(SERVICES[scope][0], operation, "json", "us-east-1", flat=flat or {}, document=document or {})


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("SELECT * FROM t", ("Select", "t", "")),
        ("select a, b.c from \"t\" where k = 'it''s -- from x'", ("Select", "t", "")),
        ('SELECT * FROM "t"."by-x" WHERE x = 1;', ("Select", "t", "by-x")),
        ("INSERT INTO t VALUE {'k': 'from'}", ("Insert", "t", "")),
        ("UPDATE t SET a = 1 WHERE k = 'x'", ("Update", "t", "")),
        ("DELETE FROM t WHERE k = 'x'", ("Delete", "t", "")),
    ],
)
def test_a_statement_tells_its_table(statement: str, read: tuple[str, str, str]) -> None:
    assert partiql.read(statement) == read


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "SELECT * FROM a, b",
        "SELECT * FROM (SELECT * FROM a)",
        "SELECT * FROM a -- b",
        "SELECT * FROM a /* b */",
        "SELECT * FROM a; DELETE FROM b",
        "SELECT * FROM 'a'",
        "EXISTS(SELECT * FROM a)",
        'SELECT * FROM "a"b',
    ],
)
def test_a_statement_of_any_other_form_is_refused(statement: str) -> None:
    with pytest.raises(NotImplementedBySandbox, match="does not see which table"):
        partiql.read(statement)


@pytest.mark.parametrize(
    ("name", "normal"),
    [("*.Example.ORG.", r"\052.example.org"), (r"\052.a", r"\052.a"), ("a b", r"a\040b"), ("ü", r"\303\274"), ("", "")],
)
def test_a_records_name_is_normalized(name: str, normal: str) -> None:
    assert normalized_name(name) == normal


def test_all_changes_of_a_batch_are_in_the_keys() -> None:
    """Names, types and actions of every change, in Route 53's own XML."""
    body = (
        b'<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>'
        b"<Change><Action>CREATE</Action><ResourceRecordSet><Name>A.x.</Name><Type>TXT</Type></ResourceRecordSet></Change>"
        b"<Change><Action>DELETE</Action><ResourceRecordSet><Name>b.x</Name><Type>A</Type></ResourceRecordSet></Change>"
        b"</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
    )
    keys = of(call("route53", "ChangeResourceRecordSets", xml_documents.read(body)), ACCOUNT)
    assert keys == {
        "route53:ChangeResourceRecordSetsActions": ("CREATE", "DELETE"),
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": ("a.x", "b.x"),
        "route53:ChangeResourceRecordSetsRecordTypes": ("TXT", "A"),
    }


BOMB = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    "body",
    [b"<a>", b"<!DOCTYPE a><a/>", b"\xff", BOMB.encode("utf-16"), b"<a>" * 5000 + b"</a>" * 5000],
    ids=["cut short", "DTD", "no text", "DTD in another encoding", "too deep"],
)
def test_what_is_no_plain_xml_is_refused(body: bytes) -> None:
    with pytest.raises(ValidationError):
        xml_documents.read(body)


TABLE = {
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [{"IndexName": "by-g", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}]}],
}
VALUES = {":k": {"S": "a"}, ":s": {"S": "b"}}


@pytest.mark.parametrize(
    ("operation", "document", "keys"),
    [
        ("GetItem", {"Key": {"k": {"S": "a"}}}, ("a",)),
        ("PutItem", {"Item": {"k": {"N": "1"}}}, ("1",)),
        ("PutItem", {"Item": {}}, ()),
        ("Query", {"KeyConditionExpression": "k = :k AND s = :s", "ExpressionAttributeValues": VALUES}, ("a",)),
        ("Query", {"KeyConditionExpression": "(s = :s) and (k=:k)", "ExpressionAttributeValues": VALUES}, ("a",)),
        ("Query", {"KeyConditionExpression": ":k = k", "ExpressionAttributeValues": VALUES}, ()),
        ("Query", {"KeyConditions": {"k": {"AttributeValueList": [{"S": "a"}]}}}, ("a",)),
        (
            "Query",
            {"IndexName": "by-g", "KeyConditionExpression": "g = :k", "ExpressionAttributeValues": VALUES},
            ("a",),
        ),
        ("Query", {"IndexName": "none", "KeyConditionExpression": "k = :k", "ExpressionAttributeValues": VALUES}, ()),
        ("BatchGetItem", {"Requested": {"Keys": [{"k": {"S": "a"}}, {"k": {"S": "b"}}]}}, ("a", "b")),
        ("BatchGetItem", {"Requested": {"Keys": [{"k": {"S": "a"}}, {}]}}, ()),
        ("BatchWriteItem", {"Requested": [{"PutRequest": {"Item": {"k": {"S": "a"}}}}]}, ("a",)),
        ("BatchWriteItem", {"Requested": [{"DeleteRequest": {"Key": {"k": {"S": "a"}}}}]}, ("a",)),
        ("Scan", {}, ()),
    ],
)
def test_leading_keys_of_every_form(operation: str, document: dict[str, Any], keys: tuple[str, ...]) -> None:
    assert leading_keys(call("dynamodb", operation, document), TABLE) == keys


def test_an_encryption_context_that_is_not_read_is_not_taken_for_absent() -> None:
    """A family of keys with a variable part after a colon counts as the reference's own."""
    assert not condition_keys._applies("kms:encryptioncontext:app", "kms:DescribeKey")
    assert condition_keys._applies("kms:encryptioncontext:app", "kms:Encrypt")
    assert condition_keys.answered("kms:encryptioncontext:app", "kms:Encrypt", tags_read=False)


ARNS: list[tuple[Call, list[str]]] = [
    (call("dynamodb", "Query", {"TableName": "t"}), ["dynamodb:table/t"]),
    (call("dynamodb", "Query", {"TableName": "t", "IndexName": "i"}), ["dynamodb:table/t/index/i"]),
    (call("ecs", "DescribeServices", {"cluster": "c", "services": ["a", "b"]}), ["ecs:service/c/a", "ecs:service/c/b"]),
    (call("ecs", "RunTask", {"taskDefinition": "t:1"}), ["ecs:task-definition/t:1"]),
    (call("ecs", "StopTask", {"task": "1"}), ["ecs:task/default/1"]),
    (call("ecs", "DeleteCluster", {"cluster": "c"}), ["ecs:cluster/c"]),
    (call("lambda", "InvokeFunction", flat={"FunctionName": "f", "Qualifier": "1"}), ["lambda:function:f:1"]),
    (call("lambda", "InvokeFunction", flat={"FunctionName": f"{ACCOUNT}:function:f"}), ["lambda:function:f"]),
    (call("sns", "Unsubscribe", flat={"SubscriptionArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:t:1"}), ["sns:t"]),
    (call("ecr", "DescribeRepositories"), ["ecr:repository/*"]),
    (call("kinesis", "GetRecords", {"ShardIterator": "czpzaGFyZDox"}), ["kinesis:stream/s"]),
    (call("wafv2", "GetWebACL", {"Scope": "REGIONAL", "Name": "n", "Id": "i"}), ["wafv2:regional/webacl/n/i"]),
    (
        call("logs", "GetLogEvents", {"logGroupIdentifier": "g", "logStreamName": "s"}),
        ["logs:log-group:g:log-stream:s"],
    ),
]


@pytest.mark.parametrize(("made", "expected"), ARNS, ids=[made.action for made, _ in ARNS])
def test_resources_are_named_as_the_service_names_them(made: Call, expected: list[str]) -> None:
    full = [
        f"arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}" for service, _, rest in (e.partition(":") for e in expected)
    ]
    assert resources.arns(made, ACCOUNT) == full
