"""A target of `aws_side`: whether moto could read a request otherwise than the gateway did."""

import json
import random
from collections.abc import Callable
from urllib.parse import unquote

from iambridge.sandbox.aws import forwarding, operations
from iambridge.wire.http import Headers, Request


def reading(_: random.Random) -> tuple[list[bytes], Callable[[bytes], None]]:
    """Requests of every protocol: what moto gets is read as what was decided on, and there is nothing else to read."""
    seeds = [
        (
            "sqs\nPOST\n/\n?\nx-amz-target: AmazonSQS.SendMessage\n\n"
            '{"QueueUrl": "https://sqs/1/q", "MessageBody": "&Action=DeleteQueue&"}'
        ),
        (
            "dynamodb\nPOST\n/\n?\nx-amz-target: DynamoDB_20120810.GetItem\n\n"
            '{"TableName": "t", "Key": {"k": {"M": {"a": {"L": [{"S": "x"}]}}}}}'
        ),
        (
            "ec2\nPOST\n/\n?\n\nAction=RunInstances&Version=2016-11-15&TagSpecification.1.ResourceType=instance"
            "&TagSpecification.1.Tag.1.Key=a&NetworkInterface.1.SubnetId=subnet-1&MaxCount=1"
        ),
        "sns\nPOST\n/\n?\n\nAction=CreateTopic&Version=2010-03-31&Name=t&Tags.member.1.Key=a&Attributes.entry.1.key=b",
        'eks\nPOST\n/clusters\n?\n\n{"name": "c", "roleArn": "r", "tags": {"a": "b"}}',
        "lambda\nGET\n/2015-03-31/functions/f\n?Qualifier=1&Action=DeleteFunction\n\n",
        "s3\nGET\n/bucket/a key\n?versionId=1&response-expires=x\nx-amz-expected-bucket-owner: 1\n\n",
        "s3\nPUT\n/bucket/k\n?partNumber=1&uploadId=u\nx-amz-copy-source: /bucket/k%20?versionId=2\n\n",
        "s3\nPOST\n/bucket\n?delete\n\n<Delete><Object><Key>a&amp;b</Key></Object></Delete>",
        "route53\nPOST\n/2013-04-01/tags/hostedzone/Z1\n?\n\n<A><AddTags><Tag><Key>a</Key></Tag></AddTags></A>",
        "monitoring\nPOST\n/service/GraniteServiceVersion20100801/operation/ListMetrics\n?\n\n\xa1iNamespacebaa",
    ]

    def read(scope: str, request: Request) -> tuple[operations.Call, str]:
        call = operations.identify(scope=scope, region="us-east-1", method=request.method, path=request.path,
                                   query=request.query, headers=request.headers, body=request.body)  # fmt: skip
        return call, json.dumps([call.service, call.operation, call.flat, call.document], sort_keys=True)

    def run(data: bytes) -> None:
        head, _, body = data.partition(b"\n\n")
        scope, method, path, query, *fields = (head.decode("latin-1") + "\n" * 4).split("\n")
        headers = [(name, value.strip()) for name, _, value in (field.partition(":") for field in fields) if name]
        request = Request(method, path, query.removeprefix("?"), Headers([*headers, ("host", "aws.local")]), body)
        call, before = read(scope, request)
        sent = forwarding.forwarded(request, call, body)
        again = Request(sent.method, unquote(sent.path), sent.query, Headers(sent.headers), sent.body)
        call, after = read(scope, again)
        assert before == after, f"{before} is executed as {after}"
        assert forwarding.forwarded(again, call, sent.body).body == sent.body
        assert not [name for name, _ in sent.headers if "_" in name and not name.lower().startswith("x-amz-meta-")]

    return [seed.encode("latin-1") for seed in seeds], run
