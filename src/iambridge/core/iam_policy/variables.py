"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and the escapes `${*}`, `${?}`, `${$}`.

Only Version 2012-10-17 has them; in 2008-10-17 the same text is literal.
Source: IAM User Guide, "IAM policy elements: Variables and tags".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Lookup = Callable[[str], str | tuple[str, ...] | None]
"""A context key in lower case -> its value: str (single-valued), tuple (multi-valued) or None (absent)."""

_ESCAPES: Final = {"*", "?", "$"}


@dataclass(frozen=True, slots=True)
class Star:
    """`*`: any characters, none included."""


@dataclass(frozen=True, slots=True)
class AnyCharacter:
    """`?`: exactly one character."""


@dataclass(frozen=True, slots=True)
class Variable:
    """`key` as written, `default` None without one."""

    key: str
    default: str | None = None

    def resolve(self, lookup: Lookup) -> str | None:
        """The value in this request; None when it cannot be had: absent without default, or multi-valued."""
        value = lookup(self.key.lower())
        if value is None:
            return self.default
        return value if isinstance(value, str) else None


Token = str | Star | AnyCharacter | Variable


class VariableError(ValueError):
    """A `${...}` that is no variable."""


def tokens(text: str, *, variables: bool, wildcards: bool = True) -> tuple[Token, ...]:
    """Cut text into literals, wildcards and variables, the last two only when asked for. Raises VariableError."""
    found: list[Token] = []
    literal: list[str] = []

    def flush() -> None:
        if literal:
            found.append("".join(literal))
            literal.clear()

    position = 0
    while position < len(text):
        character = text[position]
        if wildcards and character == "*":
            flush()
            found.append(Star())
        elif wildcards and character == "?":
            flush()
            found.append(AnyCharacter())
        elif variables and text.startswith("${", position):
            end = text.find("}", position)
            if end < 0:
                raise VariableError("a policy variable is not closed with `}`")
            inside = text[position + 2 : end]
            position = end
            if inside in _ESCAPES:
                literal.append(inside)
            else:
                flush()
                found.append(_variable(inside))
        else:
            literal.append(character)
        position += 1
    flush()
    return tuple(found)


def _variable(inside: str) -> Variable:
    key, comma, rest = inside.partition(",")
    key = key.strip()
    if not key or any(character in key for character in "*?${ "):
        raise VariableError(f"`${{{inside}}}` names no context key")
    if not comma:
        return Variable(key)
    rest = rest.strip()
    if len(rest) < 2 or rest[0] != "'" or rest[-1] != "'" or "'" in rest[1:-1]:
        raise VariableError(f"the default in `${{{inside}}}` is not in single quotes")
    return Variable(key, rest[1:-1])


def has_variables(cut: tuple[Token, ...]) -> bool:
    return any(isinstance(token, Variable) for token in cut)


def resolve(cut: tuple[Token, ...], lookup: Lookup) -> tuple[Token, ...] | None:
    """Every variable replaced with its value as literal text; None when one cannot be resolved."""
    resolved: list[Token] = []
    for token in cut:
        if isinstance(token, Variable):
            value = token.resolve(lookup)
            if value is None:
                return None
            resolved.append(value)
        else:
            resolved.append(token)
    return tuple(resolved)
