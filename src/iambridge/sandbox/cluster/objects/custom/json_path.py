"""The JSONPath of printer columns: the first value that a path leads to.

Fields, quoted fields, indexes, slices, `*`, and filters that compare a field with a literal. Source: client-go
util/jsonpath; https://kubernetes.io/docs/reference/kubectl/jsonpath/.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

_STEP = re.compile(
    r"""\.?\[(?P<filter>\?\((?P<at>@[^=!<>]*?)\s*(?:(?P<sign>==|!=|<=|>=|<|>)\s*(?P<literal>"[^"]*"|'[^']*'|[^)]*?))?\s*\))\]
      | \.?\[(?P<slice>-?\d*:-?\d*)\]
      | \.?\[(?P<index>-?\d+)\]
      | \.?\[(?P<all>\*)\] | \.(?P<every>\*)
      | \.?\[(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\]
      | \.(?P<field>(?:\\.|[^.\[\]\\])+)
    """,
    re.VERBOSE,
)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}

Step = Callable[[Any], Iterator[Any]]


@lru_cache(maxsize=1024)
def parsed(path: str) -> tuple[Step, ...]:
    """The steps of `.spec.items[0].name`.

    Raises:
        ValueError: not a path that is understood.
    """
    if path == ".":
        return ()
    steps, position = [], 0
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise ValueError(f"the JSONPath cannot be read from {path[position:]!r}")
        steps.append(_step(found))
        position = found.end()
    return tuple(steps)


def first(value: Any, path: str) -> Any:
    """The first value at `path`, None when there is none or the path cannot be read."""
    try:
        steps = parsed(path)
    except ValueError:
        return None
    return next(_walk(value, steps), None)


def _walk(value: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    for one in steps[0](value):
        yield from _walk(one, steps[1:])


def _step(found: "re.Match[str]") -> Step:
    groups = found.groupdict()
    if groups["filter"]:
        return _filter(groups["at"], groups["sign"] or "", groups["literal"] or "")
    if groups["slice"]:
        start, end = (int(part) if part else None for part in groups["slice"].split(":"))
        return lambda value: iter(value[start:end] if isinstance(value, list) else ())
    if groups["index"]:
        return _indexed(int(groups["index"]))
    if groups["all"] or groups["every"]:
        return lambda value: iter(value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ())  # fmt: skip  # noqa: E501
    name = groups["single"] or groups["double"] or re.sub(r"\\(.)", r"\1", groups["field"] or "")
    return lambda value: iter([value[name]] if isinstance(value, Mapping) and name in value else ())


def _indexed(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _filter(at: str, sign: str, literal: str) -> Step:
    path = parsed(at.removeprefix("@") or ".")
    wanted = _literal(literal)

    def holds(item: Any) -> bool:
        for found in _walk(item, path):
            if sign == "":
                return True
            if sign in {"==", "!="}:
                return bool((found == wanted) is (sign == "=="))
            comparable = isinstance(found, int | float) and isinstance(wanted, int | float)
            return (comparable or (isinstance(found, str) and isinstance(wanted, str))) and _ORDER[sign](found, wanted)
        return False

    return lambda value: (item for item in (value if isinstance(value, list) else ()) if holds(item))


def _literal(text: str) -> Any:
    if text[:1] == "'":
        return text[1:-1]
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
