"""The program as a process, with boto3 for real against a server that keeps what it is sent."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

PROGRAM = [sys.executable, "-m", "iambridge.sandbox.images.s3_echoer"]


@pytest.fixture
def bucket() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The endpoint of a server that answers every PUT with 200, and what was put."""
    kept: dict[str, bytes] = {}

    class Service(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            kept[self.path] = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kept
    server.shutdown()
    thread.join()
    server.server_close()


def echo(*arguments: str, text: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *arguments], input=text, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--key-prefix", "x", "a", "b"]])
def test_without_a_bucket(arguments: list[str]) -> None:
    """Anything but one bucket ends with the original's words and exit code 1."""
    done = echo(*arguments)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.endswith(b"Can't continue, no bucket name was provided!\n")


@pytest.mark.parametrize(("options", "prefix"), [([], "s3echoer-"), (["--key-prefix", "mine/"], "mine/")])
def test_upload(bucket: tuple[str, dict[str, bytes]], options: list[str], prefix: str) -> None:
    """stdin is in the bucket byte for byte under prefix and time; one line and an empty one are said."""
    endpoint, kept = bucket
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x" * 40}
    before = int(time.time())
    done = echo(
        *options, "demo", text=b"This is a test\n\x00", AWS_REGION="us-east-1", AWS_ENDPOINT_URL=endpoint,
        AWS_REQUEST_CHECKSUM_CALCULATION="when_required", **keys,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ((path, body),) = kept.items()
    assert path.startswith(f"/demo/{prefix}")
    assert before <= int(path.removeprefix(f"/demo/{prefix}")) <= time.time()
    assert body == b"This is a test\n\x00"
    assert done.stdout.decode() == f"Uploading user input to S3 using {path[1:]}\n\n"


def test_without_credentials(bucket: tuple[str, dict[str, bytes]]) -> None:
    """Without credentials the SDK's own words come on stderr and nothing is sent."""
    endpoint, kept = bucket
    done = echo(
        "demo", AWS_REGION="us-east-1", AWS_ENDPOINT_URL=endpoint, AWS_EC2_METADATA_DISABLED="true", HOME="/nonexistent"
    )
    assert (done.returncode, kept) == (1, {})
    assert done.stderr.endswith(b"Can't upload to S3: Unable to locate credentials\n")
