"""JSON as policy documents have it: repeated names are kept, numbers keep their text, length and depth are bounded."""

import json
from collections.abc import Mapping
from typing import Final

LONGEST: Final = 131_072
"""Characters; SimulateCustomPolicy's own bound for one document."""


class JsonError(ValueError):
    """Not JSON, or more of it than any policy holds."""


class JsonNumber(str):
    """A number, as its text: `1` and `1.0` are what the document says."""

    __slots__ = ()


class JsonObject(dict[str, object]):
    """An object; `repeated` are names given more than once."""

    repeated: tuple[str, ...] = ()


def load(document: str | bytes | Mapping[str, object], *, longest: int = LONGEST) -> tuple[str, object]:
    """(text, value) of a document given as text, bytes or a mapping, at most `longest` characters. Raises JsonError."""
    try:
        if isinstance(document, bytes):
            text = document.decode()
        elif isinstance(document, str):
            text = document
        else:
            text = json.dumps(document, ensure_ascii=False)
            if isinstance(document, JsonObject):
                return text, document
        return text, _loads(text, longest)
    except json.JSONDecodeError as error:
        raise JsonError(f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise JsonError("is nested too deeply") from None
    except UnicodeDecodeError:
        raise JsonError("is not UTF-8") from None
    except JsonError:
        raise
    except (TypeError, ValueError) as error:
        raise JsonError(f"is not JSON: {error}") from None


def _loads(text: str, longest: int) -> object:
    if len(text) > longest:
        raise JsonError(f"is longer than {longest} characters")
    if text.startswith("\ufeff"):
        raise JsonError("is not JSON: it starts with a byte order mark; save it as UTF-8 without one")
    return json.loads(
        text, object_pairs_hook=_object, parse_int=JsonNumber, parse_float=JsonNumber, parse_constant=_constant
    )


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    made = JsonObject(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        made.repeated = tuple(name for name in made if names.count(name) > 1)
    return made


def _constant(text: str) -> object:
    raise JsonError(f"is not JSON: {text} is no number")
