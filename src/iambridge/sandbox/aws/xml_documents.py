"""An XML request body as plain values, for the services that take one and are not S3. Pure."""

from typing import Any
from xml.etree import ElementTree as ET

from iambridge.errors import ValidationError

_DEEPEST = 64


def read(body: bytes) -> dict[str, Any]:
    """The root's children by name without namespace, each a list: of texts, or of such dictionaries.

    Raises:
        ValidationError: no XML in UTF-8, a document with a DTD, or one that is nested too deeply.
    """
    try:
        # as text: another encoding would hide a DTD from the look below
        text = body.decode("utf-8")
        if "<!" in text:
            raise ValidationError("The request body holds a document type or a comment, which are refused.")
        root = ET.fromstring(text)  # noqa: S314 - entities need a DTD, and those are refused above
    except (ET.ParseError, ValueError) as error:
        raise ValidationError("The request body is not valid XML in UTF-8.") from error
    found = _value(root, _DEEPEST)
    return found if isinstance(found, dict) else {}


def _value(element: ET.Element, deepest: int) -> dict[str, Any] | str:
    if not len(element):
        return element.text or ""
    if not deepest:
        raise ValidationError("The request body is nested too deeply.")
    found: dict[str, Any] = {}
    for child in element:
        found.setdefault(child.tag.rpartition("}")[2], []).append(_value(child, deepest - 1))
    return found
