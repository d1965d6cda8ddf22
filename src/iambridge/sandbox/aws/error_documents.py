"""An AWS error as each protocol spells it: code, status, body. Pure.

Sources: Smithy protocol pages (AWS query, EC2 query, REST-XML, JSON 1.0/1.1, REST-JSON: error shapes) and the S3 API
reference, "Error responses".
"""

import json
from http import HTTPStatus

from iambridge.errors import AccessDenied, AwsError
from iambridge.sandbox.aws import cbor
from iambridge.wire.aws_query import xml_text
from iambridge.wire.http import Response

_XML = "text/xml;charset=UTF-8"
_DENIED = {"ec2": "UnauthorizedOperation", "json": "AccessDeniedException", "rest-json": "AccessDeniedException"}
_EC2_PREFIX = "You are not authorized to perform this operation."


def render(
    error: AwsError, *, protocol: str, request_id: str, json_version: str = "1.0", head: bool = False
) -> Response:
    """The response for `error`. `head`: the request was HEAD, so S3 sends no body."""
    code, status, message = spelled(error, protocol)
    return document(
        code,
        status,
        message,
        protocol=protocol,
        request_id=request_id,
        json_version=json_version,
        head=head,
        fault=error.fault,
    )


def spelled(error: AwsError, protocol: str) -> tuple[str, int, str]:
    """Code, status and message. CBOR spells what JSON does."""
    protocol = "json" if protocol == "cbor" else protocol
    if isinstance(error, AccessDenied):
        message = f"{_EC2_PREFIX} {error.message}" if protocol == "ec2" else error.message
        # JSON 1.0 and 1.1 answer every client fault with 400
        status = HTTPStatus.BAD_REQUEST if protocol == "json" else error.status
        return _DENIED.get(protocol, error.code), int(status), message
    status = (
        HTTPStatus.BAD_REQUEST
        if protocol == "json" and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
        else error.status
    )
    return error.code, int(status), error.message


def document(
    code: str,
    status: int,
    message: str,
    *,
    protocol: str,
    request_id: str,
    json_version: str = "1.0",
    head: bool = False,
    fault: str = "Sender",
) -> Response:
    """A response of any code, for errors that another module has spelled already."""
    if protocol == "cbor":
        spelled_out = cbor.dumps({"__type": code, "message": message})
        return Response(status, (("x-amzn-requestid", request_id), *cbor.HEADERS), spelled_out)
    if protocol in {"json", "rest-json"}:
        return _json(code, status, message, protocol=protocol, request_id=request_id, version=json_version)
    code, message = xml_text(code), xml_text(message)
    if protocol == "ec2":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    elif protocol == "rest-xml":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId>"
            f"<HostId>{request_id}</HostId></Error>"
        )
        headers = (("x-amz-request-id", request_id), ("x-amz-id-2", request_id), ("content-type", "application/xml"))
        return Response(status, headers, b"" if head else body.encode())
    else:
        body = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Response(status, (("x-amzn-requestid", request_id), ("content-type", _XML)), body.encode())


def _json(code: str, status: int, message: str, *, protocol: str, request_id: str, version: str) -> Response:
    content_type = f"application/x-amz-json-{version}" if protocol == "json" else "application/json"
    body = {"__type": code, "message": message} if protocol == "json" else {"message": message, "Message": message}
    headers = (("x-amzn-requestid", request_id), ("x-amzn-errortype", code), ("content-type", content_type))
    return Response(status, headers, json.dumps(body).encode())
