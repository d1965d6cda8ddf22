"""Plain HTTP to an API server, for what lies below kubectl and the client libraries."""

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

_SECONDS = 30


class ApiClient:
    """Plain HTTP with a kubeconfig's bearer token."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        if "token" not in user:
            raise LookupError("the kubeconfig has no bearer token")
        self.server, self.token = cluster["server"], user["token"]
        authority = cluster.get("certificate-authority-data")
        pem = base64.b64decode(authority).decode() if authority else Path(cluster["certificate-authority"]).read_text()
        self._tls = ssl.create_default_context(cadata=pem)
        self._address = urlsplit(self.server).netloc

    def open(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(self._address, timeout=_SECONDS, context=self._tls)
        sent = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", **(headers or {})}
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value})
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, list[str]], Any]:
        """The status, the headers and the body, decoded when it is JSON."""
        data = body.encode() if isinstance(body, str) else body
        if data is not None and not isinstance(data, bytes):
            data = json.dumps(data).encode()
        sent = {**({"Content-Type": "application/json"} if data is not None else {}), **(headers or {})}
        connection, response = self.open(method, path, data, sent)
        try:
            text = response.read().decode()
        finally:
            connection.close()
        found: dict[str, list[str]] = {}
        for name, value in response.getheaders():
            found.setdefault(name.lower(), []).append(value)
        try:
            return response.status, found, json.loads(text)
        except ValueError:
            return response.status, found, text

    def watch(self, path: str, count: int, headers: Mapping[str, str] | None = None) -> tuple[int, list[Any]]:
        """The first `count` events, or fewer when the watch ends before."""
        connection, response = self.open("GET", path, None, headers)
        events: list[Any] = []
        try:
            while len(events) < count and (line := response.readline()):
                events.append(json.loads(line) if line.startswith(b"{") else line.decode())
        finally:
            connection.close()
        return response.status, events
