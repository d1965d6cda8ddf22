"""A label selector as a query parameter writes it, read as Kubernetes reads it and refused in its words.

Source: apimachinery pkg/labels/selector.go (Lexer, Parser, NewRequirement).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects import field_error, names

_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
_SIGNS = frozenset(("==", "!=", *"=!(),<>"))
_OPERATORS = {"in": "in", "notin": "notin", "=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}
_NUMBER = re.compile(r"^[-+]?\d{1,18}$")
_END = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """`operator` is exists, absent, in, notin, gt or lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
        if value is None or not _NUMBER.match(value):
            return False
        return int(value) > int(self.values[0]) if self.operator == "gt" else int(value) < int(self.values[0])


def parse(text: str) -> tuple[Requirement, ...]:
    """`a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.

    Raises:
        BadRequest: not a selector.
    """
    return _Parser(text).requirements()


class _Unparsable(ValueError):  # caught in this module, never an answer
    pass


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [found[1] for found in _TOKEN.finditer(text.rstrip())]

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else _END

    def _take(self) -> str:
        return self._tokens.pop(0) if self._tokens else _END

    def requirements(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        if self._next() == _END:
            return ()
        if self._next() != "!" and self._next() in _SIGNS:
            raise BadRequest(f"found '{self._next()}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                found.append(_checked(self._requirement()))
            except _Unparsable as error:
                raise BadRequest(f"unable to parse requirement: {error}") from None
            word = self._take()
            if word == _END:
                return tuple(found)
            if word != ",":
                raise BadRequest(f"found '{word}', expected: ',' or 'end of string'")
            if self._next() == _END or (self._next() in _SIGNS and self._next() != "!"):
                raise BadRequest(f"found '{self._next()}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        absent = self._next() == "!"
        if absent:
            self._take()
        key = self._take()
        if key == _END or key in _SIGNS:
            raise _Unparsable(f"found '{key}', expected: identifier")
        faults = names.qualified(key)
        if faults:
            words = faults[0].replace("a qualified name must", "a valid label key must")
            raise _Unparsable(f"<nil>: Invalid value: {field_error.quoted(key)}: {words}")
        if absent:
            return Requirement(key, "absent")
        if self._next() in {_END, ","}:
            return Requirement(key, "exists")
        sign = self._take()
        operator = _OPERATORS.get(sign)
        if operator is None:
            raise _Unparsable(f"found '{sign}', expected: in, notin, =, ==, !=, gt, lt")
        return Requirement(key, operator, self._set() if sign in {"in", "notin"} else (self._value(),))

    def _value(self) -> str:
        if self._next() in {_END, ","}:
            return ""
        word = self._take()
        if word in _SIGNS:
            raise _Unparsable(f"found '{word}', expected: identifier")
        return word

    def _set(self) -> tuple[str, ...]:
        word = self._take()
        if word != "(":
            raise _Unparsable(f"found '{word}' expected: '('")
        if self._next() == ")":
            self._take()
            return ()
        if self._next() == _END or (self._next() in _SIGNS and self._next() != ","):
            raise _Unparsable(f"found '{self._next()}', expected: ',', ')' or identifier")
        values: list[str] = []
        while True:
            word = self._take()
            if word == ",":
                # nothing before a comma is an empty value
                values += [""] if not values or self._next() in {",", ")"} else []
                if self._next() == ")":
                    self._take()
                    return tuple(values)
            elif word != _END and word not in _SIGNS:
                values.append(word)
                if self._next() == ")":
                    self._take()
                    return tuple(values)
                if self._next() != ",":
                    raise _Unparsable(f"found '{self._next()}', expected: ',' or ')'")
            else:
                raise _Unparsable(f"found '{word}', expected: ',', or identifier")


def _checked(found: Requirement) -> Requirement:
    for value in found.values:
        shown = field_error.quoted(value)
        if found.operator in {"gt", "lt"} and not _NUMBER.match(value):
            raise _Unparsable(
                f"values[0]: Invalid value: {shown}: for 'Gt', 'Lt' operators, the value must be an integer"
            )
        faults = names.label_value(value)
        if faults:
            raise _Unparsable(f"values[0][{found.key}]: Invalid value: {shown}: {faults[0]}")
    return found
