"""The AWS Query protocol without a model: form parameters in, a result or an error out, as XML or JSON.

Sources: Smithy "AWS query protocol"; the XML that STS and IAM answer with. JSON is what STS answers when a caller
accepts `application/json`, as aws-iam-authenticator does.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

from iambridge.errors import AwsError, MalformedQueryString
from iambridge.wire.http import Response
from iambridge.wire.moment import Moment

STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"

Result = Mapping[str, "str | int | Result | Sequence[str] | None"]

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_REPEATED = 256  # characters: what is remembered is an ARN or a name, not a token or a policy
_PLAIN = re.compile("[ !-%'-;=?-~]*").fullmatch  # printable ASCII but `&`, `<` and `>`
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MEMBER = re.compile(r"member\.([1-9][0-9]{0,3})(?:\.(.+))?")


def parse_form(query: str, body: bytes) -> dict[str, str]:
    """The parameters of a request, from the URL and a form body.

    Raises:
        MalformedQueryString: a broken escape, text that is not UTF-8, or a parameter given twice, in one place or both.
    """
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedQueryString("the form body holds bytes that are not ASCII") from error
    if query:
        text = f"{query}&{text}"
    parameters: dict[str, str] = {}
    for part in text.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        if "%" in part or "+" in part:
            value = _repeated(value) if len(value) <= _MAX_REPEATED else _decoded(value)
            name = _decoded(name) if "%" in name or "+" in name else name
        if name in parameters:
            raise MalformedQueryString(f"the parameter `{name[:64]}` is given twice")
        parameters[name] = value
    return parameters


def _decoded(text: str) -> str:
    if _BROKEN_ESCAPE.search(text) is not None:
        raise MalformedQueryString("a percent escape is broken")
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError as error:
        raise MalformedQueryString("a parameter is not UTF-8") from error


_repeated = lru_cache(maxsize=1024)(_decoded)
"""For short values: a role's ARN comes with every call of its pods, and unescaping takes longest of all in a form."""


def members(parameters: Mapping[str, str], name: str) -> list[dict[str, str]]:
    """The structures of a list parameter: `Tags.member.1.Key=a` gives `[{"Key": "a"}]`; a scalar member is under ``.

    Raises:
        MalformedQueryString: the numbers are not 1 to n.
    """
    prefix = name + "."
    found: dict[int, dict[str, str]] = {}
    for key in [key for key in parameters if key.startswith(prefix)]:
        match = _MEMBER.fullmatch(key[len(prefix) :])
        if match is None:
            raise MalformedQueryString(f"the parameter `{key[:64]}` is not a member of a list")
        found.setdefault(int(match[1]), {})[match[2] or ""] = parameters[key]
    if sorted(found) != list(range(1, len(found) + 1)):
        raise MalformedQueryString(f"the members of `{name}` are not numbered from 1 on")
    return [found[index] for index in sorted(found)]


def wants_json(accept: str) -> bool:
    """Whether an Accept header prefers JSON: it names `application/json` and no XML."""
    return "json" in accept.lower() and "application/json" in accept.lower() and "xml" not in accept.lower()


def success(
    action: str, result: Result, *, request_id: str, namespace: str = STS_NAMESPACE, as_json: bool = False
) -> Response:
    """`<ActionResponse><ActionResult>...`; a sequence is a list of members.

    A moment is a date in XML and a number in JSON; what is None is left out of XML and null in JSON.
    """
    if as_json:
        document = {
            f"{action}Response": {
                f"{action}Result": _json(result),
                "ResponseMetadata": {"RequestId": request_id},
            }
        }
        return _json_response(HTTPStatus.OK, document, request_id)
    xml = (
        f'<{action}Response xmlns="{namespace}">\n<{action}Result>{_xml(result)}</{action}Result>\n'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\n</{action}Response>\n"
    )
    return _xml_response(HTTPStatus.OK, xml, request_id)


def failure(error: AwsError, *, request_id: str, namespace: str = STS_NAMESPACE, as_json: bool = False) -> Response:
    """The ErrorResponse of an error that has its own code. (RequestNotAuthenticated: spell it first.)"""
    return error_response(
        error.code, error.message, error.status, fault=error.fault, request_id=request_id, namespace=namespace,
        as_json=as_json,
    )  # fmt: skip


def error_response(
    code: str,
    message: str,
    status: int,
    *,
    request_id: str,
    fault: str = "Sender",
    namespace: str = STS_NAMESPACE,
    as_json: bool = False,
) -> Response:
    if as_json:
        document = {"Error": {"Code": code, "Message": message, "Type": fault}, "RequestId": request_id}
        return _json_response(status, document, request_id)
    xml = (
        f'<ErrorResponse xmlns="{namespace}">\n<Error><Type>{fault}</Type><Code>{code}</Code>'
        f"<Message>{xml_text(message)}</Message></Error>\n<RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
    )
    return _xml_response(status, xml, request_id)


def xml_text(text: str) -> str:
    """Escaped, with U+FFFD for what XML 1.0 cannot hold."""
    return text if _PLAIN(text) is not None else escape(_NOT_XML.sub("\ufffd", text))


def _xml(result: Result) -> str:
    """Most answers are texts, and structures of texts: those are put into a template of their shape at once."""
    shape: list[Any] = []
    texts: list[Any] = []
    for name, value in result.items():
        if type(value) is dict:
            shape.append((name, *value))
            texts += value.values()
        elif value is not None:
            shape.append(name)
            texts.append(value)
    try:
        plain = _PLAIN("".join(texts)) is not None
    except TypeError:  # not texts alone
        return "".join([f"<{name}>{_content(value)}</{name}>" for name, value in result.items() if value is not None])
    return _template(tuple(shape)) % tuple(texts if plain else map(xml_text, texts))


@lru_cache(maxsize=256)
def _template(shape: tuple["str | tuple[str, ...]", ...]) -> str:
    """A place for each text: elements by their names, a structure by its own and those of its members."""
    parts = []
    for element in shape:
        name, *inner = (element,) if isinstance(element, str) else element
        content = "%s" if isinstance(element, str) else "".join([f"<{one}>%s</{one}>" for one in inner])
        parts.append(f"<{name}>{content}</{name}>")
    return "".join(parts)


def _content(value: "str | int | Result | Sequence[str]") -> str:
    if isinstance(value, str):
        return xml_text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return _xml(value)
    return "".join(f"<member>{xml_text(item)}</member>" for item in value)


def _json(result: Result) -> dict[str, object]:
    return {name: _json_value(value) for name, value in result.items()}


def _json_value(value: "str | int | Result | Sequence[str] | None") -> object:
    if isinstance(value, Mapping):
        return _json(value)
    if isinstance(value, Moment):
        return float(value.seconds)
    return value if value is None or isinstance(value, str | int) else list(value)


def _xml_response(status: int, xml: str, request_id: str) -> Response:
    return Response(int(status), (("content-type", "text/xml"), ("x-amzn-requestid", request_id)), xml.encode())


def _json_response(status: int, document: Mapping[str, object], request_id: str) -> Response:
    headers = (("content-type", "application/json"), ("x-amzn-requestid", request_id))
    return Response(int(status), headers, json.dumps(document, separators=(",", ":")).encode())
