"""AssumeRole as it goes over the wire."""

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from iambridge.adapters.aws_credentials import assume_role
from iambridge.core import sigv4

ANSWER = (
    b"<R><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken></R>"
)


@contextmanager
def listening(seen: list[dict[str, str]]) -> Iterator[str]:
    class Sts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Sts)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_headers_against_the_confused_deputy_are_sent_and_signed() -> None:
    """What `sourceARN` gives is in the request, and under the signature: nobody on the way can take it out."""
    seen: list[dict[str, str]] = []
    arn = "arn:aws:eks:us-east-1:111122223333:cluster/demo"
    with listening(seen) as endpoint:
        found = assume_role(
            sigv4.Credentials("AKIAEXAMPLE", "secret"), endpoint=endpoint, region="us-east-1", external_id="", ca_file="",
            role_arn="arn:aws:iam::111122223333:role/describe", session_name="s", now=dt.datetime.now(dt.UTC),
            headers={"x-amz-source-arn": arn, "x-amz-source-account": "111122223333"},
        )  # fmt: skip
    assert found.access_key_id == "ASIAEXAMPLE"
    assert (seen[0]["x-amz-source-arn"], seen[0]["x-amz-source-account"]) == (arn, "111122223333")
    signed = seen[0]["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"x-amz-source-arn", "x-amz-source-account"} <= set(signed)
