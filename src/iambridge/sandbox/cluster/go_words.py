"""Go's words for JSON and YAML that cannot be read: what people search for, and what kube-apiserver answers.

Source: encoding/json's scanner, go.yaml.in/yaml, and apiserver endpoints/handlers/rest.go (summarizeData).
"""

import json
from typing import Any

import yaml

_EXPECTED = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Expecting value": "looking for beginning of value",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}
_SHOWN_BYTES = 30
END = "unexpected end of JSON input"


def of_json_error(error: Exception) -> str:
    """What encoding/json says where Python's parser raised `error`."""
    if not isinstance(error, json.JSONDecodeError):
        return f"invalid character: {error}"
    text, place = error.doc, error.pos
    while place < len(text) and text[place] in " \t\r\n" and not error.msg.startswith("Invalid control"):
        place += 1
    if place >= len(text) or error.msg.startswith("Unterminated"):
        return END
    expected = next((words for start, words in _EXPECTED.items() if error.msg.startswith(start)), "")
    if expected == "after object key:value pair" and _inside_array(text[:place]):
        expected = "after array element"
    char = "'\\''" if text[place] == "'" else f"'{text[place]}'" if text[place].isprintable() else repr(text[place])
    return f"invalid character {char} {expected}".rstrip()


def _inside_array(text: str) -> bool:
    """Whether the innermost bracket that is open at the end of `text` is a list's."""
    quoted, escaped, opened = False, False, list[str]()
    for char in text:
        if quoted:
            quoted, escaped = (escaped or char != '"'), (char == "\\" and not escaped)
        elif char == '"':
            quoted = True
        elif char in "[{":
            opened.append(char)
        elif char in "]}" and opened:
            opened.pop()
    return bool(opened) and opened[-1] == "["


def of_yaml_error(error: Exception) -> str:
    """What Go's YAML says: the problem, after its line but for the first."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None or mark.line == 0:
        return f"yaml: {problem}"
    return f"yaml: line {mark.line}: {problem}"


def json_kind(value: Any) -> str:
    """The kind of a JSON value as encoding/json names it in `cannot unmarshal`."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    return "array" if isinstance(value, list) else "object"


def summary(body: bytes) -> str:
    """The start of a body, as text when it looks like a JSON object and as hexadecimal digits otherwise."""
    if not body:
        return "<empty>"
    start = body[:_SHOWN_BYTES]
    shown = start.decode(errors="replace") if body[:1] == b"{" else start.hex()
    return f"{shown} ..." if len(body) > _SHOWN_BYTES else shown
