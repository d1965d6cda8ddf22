"""The body of a DeleteObjects call: which keys it names, and the same written to be read in one way. Pure."""

from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from iambridge.errors import NotImplementedBySandbox


class KeyToDelete(NamedTuple):
    key: str
    version: str


def keys(body: bytes) -> list[KeyToDelete]:
    """The keys of a DeleteObjects body.

    Raises:
        NotImplementedBySandbox: not such a document, or one with a DTD.
    """
    found = []
    for item in _delete(body):
        if _name(item) == "Object":
            parts = {_name(child): child.text or "" for child in item}
            if len(parts) != len(item) or any(len(child) for child in item):
                raise _malformed()
            found.append(KeyToDelete(parts.get("Key", ""), parts.get("VersionId", "")))
    if not found:
        raise _malformed()
    return found


def document(body: bytes) -> bytes:
    """The body with nothing but what `keys` reads of it: moto tells of every key, quiet or not."""
    objects = "".join(
        f"<Object><Key>{_text(item.key)}</Key>"
        + (f"<VersionId>{_text(item.version)}</VersionId>" if item.version else "")
        + "</Object>"
        for item in keys(body)
    )
    return f"<Delete>{objects}</Delete>".encode()


def _delete(body: bytes) -> ET.Element:
    try:
        # as text: another encoding would hide a DTD from the look below
        text = body.decode("utf-8")
        if "<!" in text:
            raise NotImplementedBySandbox("A Delete document with a document type is refused.")
        return ET.fromstring(text)  # noqa: S314 - entities need a DTD, and those are refused above
    except (ET.ParseError, ValueError) as error:
        raise _malformed() from error


def _malformed() -> NotImplementedBySandbox:
    return NotImplementedBySandbox("The XML you provided was not well-formed.")


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(value: str) -> str:
    # a bare carriage return would be read as a line feed (XML 1.0, 2.11)
    return escape(value, {"\r": "&#13;"})
