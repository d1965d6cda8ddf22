"""Signed requests as no SDK would send them: any target, header and body, over a real TLS socket."""

import datetime as dt
import http.client
import json
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from iambridge.core import sigv4

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

FORM = "application/x-www-form-urlencoded"


class Raw:
    """One caller. `key` is an AccessKey dict of CreateAccessKey; without it the administrator calls."""

    def __init__(self, running: "RunningAccount", key: Any = None) -> None:
        admin = running.account.admin
        self._running = running
        self._keys = sigv4.Credentials(
            key["AccessKeyId"] if key else admin.id, key["SecretAccessKey"] if key else admin.secret
        )

    def send(
        self,
        service: str,
        method: str = "POST",
        target: str = "/",
        body: bytes = b"",
        *,
        signed: dict[str, str] | None = None,
        unsigned: Sequence[tuple[str, str]] = (),
        region: str = "us-east-1",
        host: str = "",
    ) -> tuple[int, bytes]:
        """`target` is the path and query as they stand on the wire; `unsigned` headers are no part of the signature."""
        headers = {"host": host or f"127.0.0.1:{self._running.port}", **(signed or {})}
        added = sigv4.sign(
            self._keys, method=method, url=f"https://{headers['host']}{target}", region=region, service=service,
            headers=headers, body=body, now=dt.datetime.now(dt.UTC),
        )  # fmt: skip
        trust = ssl.create_default_context(cafile=self._running.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", self._running.port, timeout=30, context=trust)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in (*{**headers, **added}.items(), *unsigned):
                connection.putheader(name, value)
            connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(
        self, service: str, operation: str, document: dict[str, Any] | bytes, query: str = "", **more: Any
    ) -> tuple[int, bytes]:
        """A call of the JSON protocol; `operation` with its target prefix."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        signed = {"x-amz-target": operation, "content-type": "application/x-amz-json-1.0", **more.pop("signed", {})}
        return self.send(service, target=f"/{'?' if query else ''}{query}", body=body, signed=signed, **more)

    def form(self, service: str, parameters: dict[str, str], target: str = "/", **more: Any) -> tuple[int, bytes]:
        """A call of the Query protocol."""
        signed = {"content-type": FORM, **more.pop("signed", {})}
        body = urlencode(parameters, quote_via=quote).encode()
        return self.send(service, target=target, body=body, signed=signed, **more)
