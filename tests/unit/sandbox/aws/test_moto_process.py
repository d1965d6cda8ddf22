"""The process that holds moto: it ends with its parent, and a call that waits holds up nobody."""

import socket
import ssl
import struct
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

# the real process but for moto itself, in whose place a call never returns
HANGS = """
import socket, sys, time
from iambridge.sandbox.aws import moto_process
backend = moto_process.Backend(socket.socket(fileno=int(sys.argv[1])))
def hang(environ, start_response):
    print("hangs", flush=True)
    time.sleep(1e6)
backend._application = hang
backend.serve()
"""


def test_a_call_that_never_returns_ends_with_the_parent() -> None:
    """The other end of the socket is closed, as the kernel does for a parent that was killed, in the middle of a call."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-c", HANGS, str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=(theirs.fileno(),), stdout=subprocess.PIPE) as child:
        theirs.close()
        frame = msgspec.msgpack.encode((1, "GET", "/", "", [], b"", False, ""))
        ours.sendall(struct.pack(">I", len(frame)) + frame)
        assert child.stdout is not None
        assert child.stdout.readline() == b"hangs\n"
        ours.close()
        try:
            assert child.wait(60) == 0
        finally:
            child.kill()


@pytest.mark.parametrize("service", ["efs", "lambda"])
def test_an_operation_without_a_route_is_refused_by_name(running: "RunningAccount", service: str) -> None:
    """Not with the web page that moto's HTTP library writes for an unknown path."""
    client = running.client(service)
    with pytest.raises(ClientError) as caught:
        client.describe_tags(FileSystemId="fs-12345678") if service == "efs" else client.get_account_settings()
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert "is allowed, and moto" in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def received(running: "RunningAccount", queue: str) -> bytes:
    """ReceiveMessage in SQS's Query protocol, waiting 20 seconds at most."""
    form = {"Action": "ReceiveMessage", "Version": "2012-11-05", "QueueUrl": queue, "WaitTimeSeconds": "20"}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", running.url + "/", data=urllib.parse.urlencode(form).encode(), headers=kind)
    key = running.account.admin
    SigV4Auth(Credentials(key.id, key.secret), "sqs", "us-east-1").add_auth(request)
    sent = urllib.request.Request(request.url, data=request.data, headers=dict(request.headers.items()))
    with urllib.request.urlopen(sent, context=ssl.create_default_context(cafile=running.ca)) as answer:
        content: bytes = answer.read()
    return content


def test_a_long_poll_in_the_older_form_holds_up_nobody(running: "RunningAccount") -> None:
    """While one waits for a message in the protocol of older SDKs, another sends it."""
    sqs = running.client("sqs")
    queue = sqs.create_queue(QueueName="polled")["QueueUrl"]
    answers: list[bytes] = []
    waiting = threading.Thread(target=lambda: answers.append(received(running, queue)))
    waiting.start()
    # the answer to this comes while the other waits, and the message then ends the wait
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sqs.send_message(QueueUrl=queue, MessageBody="the message")
    waiting.join(60)
    assert b"the message" in answers[0]
