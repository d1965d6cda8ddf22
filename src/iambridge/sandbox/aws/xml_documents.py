"""An XML request body as plain values, for the services that take one and are not S3. Pure."""

from typing import Any
from xml.etree import ElementTree as ET

from iambridge.errors import ValidationError


def read(body: bytes) -> dict[str, Any]:
    """The root's children by name without namespace, each a list: of texts, or of such dictionaries.

    Raises:
        ValidationError: no XML, or a document with a DTD.
    """
    if b"<!" in body:
        raise ValidationError("The request body holds a document type or a comment, which are refused.")
    try:
        root = ET.fromstring(body)  # noqa: S314 - entities need a DTD, and those are refused above
    except ET.ParseError as error:
        raise ValidationError("The request body is not valid XML.") from error
    found = _value(root)
    return found if isinstance(found, dict) else {}


def _value(element: ET.Element) -> dict[str, Any] | str:
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = {}
    for child in element:
        found.setdefault(child.tag.rpartition("}")[2], []).append(_value(child))
    return found
