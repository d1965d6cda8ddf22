"""Go's words for bodies that cannot be read: what people search for, and what kube-apiserver answers.

Source: go.yaml.in/yaml, and apiserver endpoints/handlers/rest.go (summarizeData).
"""

from typing import Any

import yaml

_SHOWN_BYTES = 30


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
