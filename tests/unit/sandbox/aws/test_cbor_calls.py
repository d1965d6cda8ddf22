"""The Smithy RPC v2 CBOR protocol as botocore writes, signs and reads it, and compressed bodies, over a real socket."""

import datetime as dt
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.session import get_session
from tests.unit.sandbox.aws.test_named_actions import allow, user

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


class CborClient:
    """Calls of one service in CBOR, signed with a key."""

    def __init__(self, running: "RunningAccount", service: str, key: dict[str, str]) -> None:
        self._running, self._credentials = running, Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        self._model = get_session().get_service_model(service)

    def call(self, operation: str, body: bytes | None = None, **parameters: Any) -> tuple[int, dict[str, Any]]:
        model = self._model.operation_model(operation)
        wire = create_serializer("smithy-rpc-v2-cbor").serialize_to_request(parameters, model)
        request = AWSRequest(
            wire["method"],
            self._running.url + wire["url_path"],
            headers=wire["headers"],
            data=wire["body"] if body is None else body,
        )
        SigV4Auth(self._credentials, self._model.signing_name, "us-east-1").add_auth(request)
        sent = urllib.request.Request(
            request.url, data=request.data, headers=dict(request.headers.items()), method="POST"
        )
        context = ssl.create_default_context(cafile=self._running.ca)
        try:
            with urllib.request.urlopen(sent, context=context) as answer:
                status, headers, content = answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, headers, content = error.code, dict(error.headers), error.read()
        found = {"status_code": status, "headers": {k.lower(): v for k, v in headers.items()}, "body": content}
        return status, create_parser("smithy-rpc-v2-cbor").parse(found, model.output_shape)


@pytest.fixture(scope="module")
def admin(running: "RunningAccount") -> dict[str, str]:
    key = running.account.admin
    return {"AccessKeyId": key.id, "SecretAccessKey": key.secret}


def test_metrics_come_and_go_in_cbor(running: "RunningAccount", admin: dict[str, str]) -> None:
    """What is put in CBOR is read back in CBOR, its times as times."""
    client = CborClient(running, "cloudwatch", admin)
    data = [{"MetricName": "m", "Value": 2.0, "Timestamp": NOW, "Dimensions": [{"Name": "n", "Value": "v"}]}]
    assert client.call("PutMetricData", Namespace="Cbor", MetricData=data)[0] == 200
    asked: dict[str, Any] = {
        "Namespace": "Cbor",
        "MetricName": "m",
        "Dimensions": [{"Name": "n", "Value": "v"}],
        "StartTime": NOW - dt.timedelta(minutes=5),
        "EndTime": NOW + dt.timedelta(minutes=5),
        "Period": 60,
        "Statistics": ["Sum"],
    }
    _, found = client.call("GetMetricStatistics", **asked)
    (point,) = found["Datapoints"]
    assert point["Sum"] == 2.0
    assert abs(point["Timestamp"] - NOW) < dt.timedelta(minutes=5)


def test_a_denial_is_told_in_cbor(running: "RunningAccount") -> None:
    """Authorization reads the same parameters, and the SDK reads code and words."""
    condition = {"StringEquals": {"cloudwatch:namespace": "Mine"}}
    user(running, "cbor", allow("cloudwatch:PutMetricData", condition=condition))
    iam = running.client("iam")
    key = iam.create_access_key(UserName="cbor")["AccessKey"]
    client = CborClient(running, "cloudwatch", key)
    data = [{"MetricName": "m", "Value": 1.0}]
    assert client.call("PutMetricData", Namespace="Mine", MetricData=data)[0] == 200
    status, found = client.call("PutMetricData", Namespace="Other", MetricData=data)
    assert (status, found["Error"]["Code"]) == (400, "AccessDeniedException")
    assert "cloudwatch:PutMetricData" in found["Error"]["Message"]
    wrong = CborClient(running, "cloudwatch", {**key, "SecretAccessKey": "wrong"})
    assert wrong.call("ListMetrics")[1]["Error"]["Code"] == "InvalidSignatureException"


def test_answers_of_our_own_are_told_in_cbor(running: "RunningAccount", admin: dict[str, str]) -> None:
    """Shield and the tagging API, which controllers written in Go ask in CBOR."""
    assert CborClient(running, "shield", admin).call("GetSubscriptionState")[1]["SubscriptionState"] == "INACTIVE"
    running.client("s3").create_bucket(Bucket="cbor-tagged")
    tags = {"TagSet": [{"Key": "k", "Value": "v"}]}
    running.client("s3").put_bucket_tagging(Bucket="cbor-tagged", Tagging=tags)
    _, found = CborClient(running, "resourcegroupstaggingapi", admin).call("GetResources")
    assert "arn:aws:s3:::cbor-tagged" in {item["ResourceARN"] for item in found["ResourceTagMappingList"]}


@pytest.mark.parametrize("body", [b"\xff", b"\x01", b"{}"])
def test_what_is_no_map_is_refused(running: "RunningAccount", admin: dict[str, str], body: bytes) -> None:
    status, found = CborClient(running, "cloudwatch", admin).call("ListMetrics", body)
    assert (status, found["Error"]["Code"]) == (400, "ValidationError")


def test_a_long_body_comes_compressed(running: "RunningAccount") -> None:
    """SDKs compress PutMetricData past 10 KiB."""
    cloudwatch = running.client("cloudwatch")
    data = [{"MetricName": f"metric-{number}", "Value": 1.0, "Unit": "Count"} for number in range(500)]
    cloudwatch.put_metric_data(Namespace="Compressed", MetricData=data)
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="Compressed")
    assert sum(len(page["Metrics"]) for page in pages) == 500
