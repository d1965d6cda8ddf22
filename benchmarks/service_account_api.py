# ruff: noqa: E501 - reviews, requests and objects are data
"""The least API server that both webhooks need: list, watch and get of ServiceAccounts, over plain HTTP on loopback.

    python benchmarks/service_account_api.py PORT COUNT

serves COUNT ServiceAccounts `bench-N` in the namespace `bench`; `bench-0` and every tenth after it ask for a role.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import uvloop

from iambridge.adapters.serving import Listener, RunningServer
from iambridge.wire.http import Request, Response

_JSON = (("content-type", "application/json"),)
_VERSION = "100"


def account(number: int) -> dict[str, object]:
    annotations = {"example.org/team": "bench"}
    if number % 10 == 0:
        annotations["eks.amazonaws.com/role-arn"] = f"arn:aws:iam::111122223333:role/bench-{number}"
    return {
        "metadata": {
            "name": f"bench-{number}",
            "namespace": "bench",
            "uid": f"00000000-0000-0000-0000-{number:012d}",
            "resourceVersion": _VERSION,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": annotations,
        }
    }


async def _silent_watch() -> AsyncIterator[bytes]:
    bookmark = {
        "kind": "ServiceAccount",
        "apiVersion": "v1",
        "metadata": {
            "resourceVersion": _VERSION,
            "annotations": {"k8s.io/initial-events-end": "true"},
        },
    }
    yield json.dumps({"type": "BOOKMARK", "object": bookmark}).encode() + b"\n"
    await asyncio.Event().wait()


def application(count: int):  # noqa: ANN201 - an App
    async def app(request: Request) -> Response:
        query = {key: values[0] for key, values in parse_qs(request.query).items()}
        if request.path == "/api/v1/serviceaccounts":
            if query.get("watch") in {"true", "1"}:
                if query.get("sendInitialEvents") == "true":
                    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
                              "message": "sendInitialEvents is forbidden"}  # fmt: skip
                    return Response(422, _JSON, json.dumps(status).encode())
                return Response(200, _JSON, _silent_watch())
            start, limit = int(query.get("continue", 0)), int(query.get("limit", 0)) or count
            end = min(start + limit, count)
            meta = {"resourceVersion": _VERSION, **({"continue": str(end)} if end < count else {})}
            body = {
                "kind": "ServiceAccountList",
                "apiVersion": "v1",
                "metadata": meta,
                "items": [*map(account, range(start, end))],
            }
            return Response(200, _JSON, json.dumps(body).encode())
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "reason": "NotFound",
            "code": 404,
            "message": "not found",
        }
        return Response(404, _JSON, json.dumps(status).encode())

    return app


async def main(port: int, count: int) -> None:
    await RunningServer(application(count), Listener("127.0.0.1", port)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
