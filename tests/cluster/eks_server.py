"""EKS's operations on access on a TLS socket: each request's signature is proven by botocore before it is answered.

The paths and shapes are those of botocore's service model, and the AWS CLI reads the answers in a test here.
"""

import asyncio
import datetime as dt
import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from iambridge.adapters.certificates import CertificateAuthority

KEY, SECRET, REGION = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "eu-west-1"
_POLICIES = "arn:aws:eks::aws:cluster-access-policy/"


@dataclass
class Entry:
    username: str = ""
    groups: list[str] = field(default_factory=list)
    policies: Mapping[str, list[str]] = field(default_factory=dict)
    type: str = "STANDARD"


class EksServer:
    """`entries` by ARN. `denied` operations are answered AccessDeniedException; `throttled` counts answers of 429."""

    def __init__(self, directory: Path, mode: str, entries: dict[str, Entry]) -> None:
        self.mode, self.entries = mode, dict(entries)
        self.denied: set[str] = set()
        self.throttled = 0
        self.platform = "eks.9"
        self.operations: list[str] = []
        authority = CertificateAuthority(directory, name="a CA for EKS", now=dt.datetime.now(dt.UTC))
        leaf = authority.leaf("eks", hosts=("127.0.0.1",))
        self.ca = str(authority.certificate_file)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(leaf.certificate, leaf.key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(60)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_EKS": self.url, "AWS_CA_BUNDLE": self.ca,
        }  # fmt: skip

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_get("/{rest:.*}", self._answer)
        app.router.add_post("/{rest:.*}", self._write)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        return f"https://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.Response:
        if not _proven(request):
            return _error(403, "InvalidSignatureException", "The request signature does not match.")
        path = request.raw_path.partition("?")[0].split("/")[1:]
        operation = {
            2: "DescribeCluster",
            3: "ListAccessEntries",
            4: "DescribeAccessEntry",
            5: "ListAssociatedAccessPolicies",
        }[len(path)]
        self.operations.append(operation)
        if self.throttled:
            self.throttled -= 1
            return _error(429, "ThrottlingException", "Rate exceeded")
        if operation in self.denied:
            return _error(403, "AccessDeniedException", f"not authorized to perform: eks:{operation}")
        if path[1] != "demo":
            return _error(404, "ResourceNotFoundException", f"No cluster found for name: {path[1]}.")
        return web.json_response(
            self._document(operation, unquote(path[3]) if len(path) > 3 else "", request.query.get("nextToken", ""))
        )

    async def _write(self, request: web.Request) -> web.Response:
        """CreateAccessEntry and AssociateAccessPolicy, with the refusals that the user guide gives."""
        body = await request.read()
        if not _proven(request, body):
            return _error(403, "InvalidSignatureException", "The request signature does not match.")
        asked = json.loads(body)
        path = request.raw_path.split("/")[1:]
        if len(path) == 3:
            arn, username, groups = asked["principalArn"], asked.get("username", ""), asked.get("kubernetesGroups", [])
            reserved = next((one for one in groups if one.startswith("system:")), "")
            if arn in self.entries:
                return _error(409, "ResourceInUseException", "The specified access entry resource is already in use.")
            if reserved:
                return _error(
                    400,
                    "InvalidParameterException",
                    f"The kubernetes group name {reserved} is invalid, it cannot start with system:",
                )
            if username.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")):
                return _error(400, "InvalidParameterException", f"The username {username} is invalid")
            self.entries[arn] = Entry(username or f"default:{arn}", groups, {}, asked.get("type", "STANDARD"))
            return web.json_response(self._document("DescribeAccessEntry", arn, ""))
        entry, scope = self.entries[unquote(path[3])], asked["accessScope"]
        entry.policies = {**entry.policies, asked["policyArn"].removeprefix(_POLICIES): scope.get("namespaces", [])}
        return web.json_response({"clusterName": "demo", "principalArn": unquote(path[3])})

    def _document(self, operation: str, arn: str, token: str) -> dict[str, Any]:
        if operation == "DescribeCluster":
            return {
                "cluster": {
                    "name": "demo",
                    "platformVersion": self.platform,
                    "accessConfig": {"authenticationMode": self.mode},
                }
            }
        if operation == "ListAccessEntries":
            arns = list(self.entries)  # two a page
            start = int(token or 0)
            more = {"nextToken": str(start + 2)} if start + 2 < len(arns) else {}
            return {"accessEntries": arns[start : start + 2], **more}
        entry = self.entries[arn]
        if operation == "DescribeAccessEntry":
            return {
                "accessEntry": {
                    "clusterName": "demo",
                    "principalArn": arn,
                    "kubernetesGroups": entry.groups,
                    "username": entry.username,
                    "type": entry.type,
                }
            }
        found = [
            {
                "policyArn": _POLICIES + name,
                "accessScope": {"type": "namespace" if namespaces else "cluster", "namespaces": namespaces},
            }
            for name, namespaces in entry.policies.items()
        ]
        return {"clusterName": "demo", "principalArn": arn, "associatedAccessPolicies": found}


def _error(status: int, code: str, message: str) -> web.Response:
    return web.Response(
        status=status, text=json.dumps({"message": message}), content_type="application/json",
        headers={"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/"},
    )  # fmt: skip


def _proven(request: web.Request, body: bytes = b"") -> bool:
    given = request.headers.get("authorization", "")
    signed = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: request.headers[name] for name in signed if name in request.headers}
    asked = AWSRequest(
        request.method, f"https://{request.headers['host']}{request.raw_path}", headers=headers, data=body
    )
    asked.context["timestamp"] = request.headers.get("x-amz-date", "")
    oracle = SigV4Auth(Credentials(KEY, SECRET), "eks", REGION)
    expected = oracle.signature(oracle.string_to_sign(asked, oracle.canonical_request(asked)), asked)
    return given.endswith(f"Signature={expected}")
