"""The AWS Query protocol, driven by a service model: form parameters in, XML out. Pure.

Source: Smithy "AWS query protocol" (member lists, result wrapper, ResponseMetadata).
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from iambridge.errors import ValidationError
from iambridge.sandbox.aws.service_models import Operation, ServiceModel, Shape

Value = str | int | float | bool | list["Value"] | dict[str, "Value"]
_SCALARS = {"string", "timestamp", "blob", "character"}
# members of these shapes go out percent-encoded (IAM API reference: "URL-encoded compliant with RFC 3986")
_QUOTED_SHAPES = frozenset({"policyDocumentType"})


def form(query: str, body: bytes) -> dict[str, str]:
    """The flat parameters of a request: those of the body, then those of the URL.

    Raises:
        ValidationError: the body is not UTF-8, or a parameter is given twice.
    """
    try:
        text = body.decode("utf-8")
        pairs = [
            *parse_qsl(text, keep_blank_values=True, errors="strict"),
            *parse_qsl(query, keep_blank_values=True, errors="strict"),
        ]
    except (UnicodeDecodeError, ValueError) as error:
        raise ValidationError("The request body is not valid UTF-8 form data.") from error
    flat: dict[str, str] = {}
    for key, value in pairs:
        if flat.setdefault(key, value) != value:
            raise ValidationError(f"Duplicate parameter {key[:64]}")
    return flat


def parse(model: ServiceModel, operation: Operation, flat: Mapping[str, str]) -> dict[str, Value]:
    """The operation's input as a tree, members by name; absent ones are absent.

    Raises:
        ValidationError: a number or boolean that is none.
    """
    if operation.input is None:
        return {}
    found = _structure(model, model.shapes[operation.input.shape], flat, "")
    return found if found is not None else {}


def _structure(model: ServiceModel, shape: Shape, flat: Mapping[str, str], prefix: str) -> dict[str, Value] | None:
    result: dict[str, Value] = {}
    for name, member in shape.members.items():
        value = _read(model, member.shape, flat, prefix + (member.location_name or name))
        if value is not None:
            result[name] = value
    return result or None


def _read(model: ServiceModel, shape_name: str, flat: Mapping[str, str], path: str) -> Value | None:
    shape = model.shapes[shape_name]
    if shape.type == "structure":
        return _structure(model, shape, flat, path + ".")
    if shape.type == "list":
        assert shape.member is not None
        if flat.get(path) == "":
            return []
        item = path if shape.flattened else f"{path}.{shape.member.location_name or 'member'}"
        items: list[Value] = []
        while (value := _read(model, shape.member.shape, flat, f"{item}.{len(items) + 1}")) is not None:
            items.append(value)
        return items or None
    text = flat.get(path)
    if text is None:
        return None
    return _scalar(shape, text)


def _scalar(shape: Shape, text: str) -> Value:
    if shape.type in _SCALARS:
        return text
    if shape.type == "boolean":
        if text.lower() not in {"true", "false"}:
            raise ValidationError(f"Boolean parameters must be either 'true' or 'false'. Got '{text[:64]}'")
        return text.lower() == "true"
    try:
        return int(text) if shape.type in {"integer", "long"} else float(text)
    except ValueError as error:
        raise ValidationError(f"Unable to parse '{text[:64]}' as a number") from error


def render(model: ServiceModel, operation: Operation, output: Mapping[str, object], *, request_id: str) -> bytes:
    """The response document of an operation, its members in the model's order."""
    parts = [f'<{operation.name}Response xmlns="{model.metadata.xml_namespace}">']
    if operation.output is not None:
        shape = model.shapes[operation.output.shape]
        wrapper = operation.output.result_wrapper
        parts.append(f"<{wrapper}>" if wrapper else "")
        _write_members(model, shape, output, parts)
        parts.append(f"</{wrapper}>" if wrapper else "")
    parts.append(
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation.name}Response>\n"
    )
    return "".join(parts).encode()


def _write_members(model: ServiceModel, shape: Shape, value: Mapping[str, object], parts: list[str]) -> None:
    unknown = set(value) - set(shape.members)
    assert not unknown, f"the output shape has no {sorted(unknown)}"
    for name, member in shape.members.items():
        item = value.get(name)
        if item is not None:
            _write(model, member.shape, member.location_name or name, item, parts)


def _write(model: ServiceModel, shape_name: str, tag: str, value: object, parts: list[str]) -> None:
    shape = model.shapes[shape_name]
    parts.append(f"<{tag}>")
    if shape.type == "structure":
        assert isinstance(value, Mapping)
        _write_members(model, shape, value, parts)
    elif shape.type == "list":
        assert shape.member is not None
        assert isinstance(value, list | tuple)
        for item in value:
            _write(model, shape.member.shape, shape.member.location_name or "member", item, parts)
    elif shape.type == "map":
        assert shape.key is not None
        assert shape.value is not None
        assert isinstance(value, Mapping)
        for key, item in value.items():
            parts.append("<entry>")
            _write(model, shape.key.shape, "key", key, parts)
            _write(model, shape.value.shape, "value", item, parts)
            parts.append("</entry>")
    else:
        parts.append(_text(value, quoted=shape_name in _QUOTED_SHAPES))
    parts.append(f"</{tag}>")


def _text(value: object, *, quoted: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # a bare carriage return would be read as a line feed (XML 1.0, 2.11)
    return quote(str(value), safe="-_.~") if quoted else escape(str(value), {"\r": "&#13;"})
