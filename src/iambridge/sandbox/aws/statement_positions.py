"""Where in its text a statement of a policy document stands, as IAM's simulator tells it. Pure.

A position is the one after the brace, lines and columns counted from 1.
Source: AWS CLI Command Reference, the examples of iam simulate-custom-policy.
"""

import json
import re
from functools import lru_cache

_BETWEEN = re.compile(r"[\s,:]*")
_JSON = json.JSONDecoder()

Position = dict[str, int]


def positions(text: str, index: int) -> dict[str, Position]:
    """StartPosition and EndPosition of the statement of that index, of a document that has been read."""
    start, end = _spans(text)[index]
    return {"StartPosition": _position(text, start + 1), "EndPosition": _position(text, end)}


@lru_cache(maxsize=256)
def _spans(text: str) -> tuple[tuple[int, int], ...]:
    at = _after(text, text.index("{") + 1)
    while True:
        name, at = _JSON.raw_decode(text, at)
        at = _after(text, at)
        if name == "Statement":
            return _statements(text, at)
        _, at = _JSON.raw_decode(text, at)
        at = _after(text, at)


def _statements(text: str, at: int) -> tuple[tuple[int, int], ...]:
    if text[at] == "{":
        return ((at, _JSON.raw_decode(text, at)[1]),)
    found: list[tuple[int, int]] = []
    at = _after(text, at + 1)
    while text[at] != "]":
        end = _JSON.raw_decode(text, at)[1]
        found.append((at, end))
        at = _after(text, end)
    return tuple(found)


def _after(text: str, at: int) -> int:
    """The next character that is neither white space nor a separator."""
    found = _BETWEEN.match(text, at)
    assert found is not None
    return found.end()


def _position(text: str, offset: int) -> Position:
    return {"Line": text.count("\n", 0, offset) + 1, "Column": offset - text.rfind("\n", 0, offset)}
