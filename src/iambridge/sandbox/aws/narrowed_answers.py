"""Answers that hold more than the caller may see: decided item by item once moto has told what they are.

Sources: Secrets Manager API Reference, BatchGetSecretValue (each secret needs GetSecretValue; one that is refused is
among `Errors`); Systems Manager API Reference, GetParametersByPath (a path holds what is below it).
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from iambridge.errors import AccessDenied
from iambridge.sandbox.aws.operations import Call
from iambridge.wire.http import Response

Require = Callable[[Call], Awaitable[object]]


async def narrowed(call: Call, response: Response, require: Require) -> Response:
    """`response` of moto without what `require` refuses (it raises AccessDenied)."""
    if response.status != 200 or call.action not in _RULES:
        return response
    assert isinstance(response.body, bytes)
    kept = await _RULES[call.action](call, json.loads(response.body), require)
    return Response(response.status, response.headers, json.dumps(kept).encode())


async def _secrets(call: Call, found: dict[str, Any], require: Require) -> dict[str, Any]:
    kept, errors = [], list(found.get("Errors") or [])
    for secret in found.get("SecretValues") or []:
        try:
            await require(replace(call, operation="GetSecretValue", document={"SecretId": secret["ARN"]}))
        except AccessDenied as error:
            errors.append({"SecretId": secret["ARN"], "ErrorCode": "AccessDeniedException", "Message": error.message})
        else:
            kept.append(secret)
    return {**found, "SecretValues": kept, "Errors": errors}


async def _below(call: Call, found: dict[str, Any], require: Require) -> dict[str, Any]:
    """Moto takes /team2 for a part of /team."""
    del require
    path = str(call.document.get("Path", "")).rstrip("/") + "/"
    return {**found, "Parameters": [item for item in found.get("Parameters", []) if _under(path, str(item["Name"]))]}


def _under(path: str, name: str) -> bool:
    return path == "/" or name.startswith(path)


_RULES: dict[str, Callable[[Call, dict[str, Any], Require], Awaitable[dict[str, Any]]]] = {
    "secretsmanager:BatchGetSecretValue": _secrets,
    "ssm:GetParametersByPath": _below,
}
