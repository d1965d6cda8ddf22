"""A decoded JSON value as the located value that `core.aws_auth` judges; it stands at no line."""

from typing import Any

from iambridge.core.aws_auth import Kind, Located


def located(value: Any) -> Located:
    """`value` is of what a JSON decoder gives; a number keeps the text that JSON has for it."""
    match value:
        case None:
            return Located(Kind.NULL, 0, 0)
        case bool():
            return Located(Kind.BOOLEAN, 0, 0, "true" if value else "false")
        case int() | float():
            return Located(Kind.NUMBER, 0, 0, str(value))
        case str():
            return Located(Kind.STRING, 0, 0, value)
        case list():
            return Located(Kind.SEQUENCE, 0, 0, items=tuple(map(located, value)))
        case dict():
            return Located(
                Kind.MAPPING, 0, 0, fields=tuple((located(str(key)), located(one)) for key, one in value.items())
            )
    return Located(Kind.OTHER, 0, 0, str(value))
