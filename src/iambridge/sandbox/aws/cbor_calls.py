"""Calls over the Smithy RPC v2 CBOR protocol, which moto does not speak: taken to it as JSON, answered in CBOR. Pure.

Current SDKs for Go, JavaScript and others prefer it for CloudWatch, Shield, the tagging API and more.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.aws import cbor
from iambridge.sandbox.aws.operations import Call
from iambridge.sandbox.aws.service_models import ServiceModel, service_model
from iambridge.wire.http import Response


def answered(call: Call, response: Response) -> Response:
    """A JSON answer in CBOR: the output's times and bytes as their own kinds, an error with its code and words."""
    assert isinstance(response.body, bytes)
    document = json.loads(response.body or b"{}")
    kept = tuple((name, value) for name, value in response.headers if name.lower().startswith("x-amzn-"))
    if response.status >= 300:
        body = {"__type": str(document.get("__type", "")), "message": document.get("message", document.get("Message"))}
        return Response(response.status, (*kept, *cbor.HEADERS), cbor.dumps(body))
    model = service_model(call.service.model)
    output = model.operations[call.operation].output
    value = _shaped(model, output.shape, document) if output else {}
    return Response(response.status, (*kept, *cbor.HEADERS), cbor.dumps(value))


def _shaped(model: ServiceModel, name: str, value: Any) -> Any:
    shape = model.shapes[name]
    if isinstance(value, Mapping) and shape.members:
        return {
            key: _shaped(model, shape.members[key].shape, item)
            for key, item in value.items()
            if key in shape.members and item is not None
        }
    if isinstance(value, Mapping) and shape.value is not None:
        return {key: _shaped(model, shape.value.shape, item) for key, item in value.items()}
    if isinstance(value, list) and shape.member is not None:
        return [_shaped(model, shape.member.shape, item) for item in value]
    if shape.type == "timestamp" and isinstance(value, int | float):
        return cbor.Epoch(value)
    if shape.type == "blob" and isinstance(value, str):
        return base64.b64decode(value)
    if shape.type in {"double", "float"} and isinstance(value, int):
        return float(value)
    return value
