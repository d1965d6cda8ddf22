"""Wildcard matching, precompiled: text with `*` and `?`, and ARNs segment by segment.

INVARIANT: every compiled pattern runs in time bounded by (length of text) x (length of pattern). A greedy `.*` for
each star would let a policy author hang the engine, so each literal chunk between two stars is taken at its
first occurrence, in an atomic group: the first occurrence always leaves the most text to the rest.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from iambridge.core.iam_policy.variables import AnyCharacter, Lookup, Star, Token, Variable, resolve

ARN_SEGMENTS: Final = 6
Match = Callable[[str], bool]


def glob_source(cut: Sequence[Token], *, any_character: str = ".") -> str:
    """The regular expression of tokens without variables, for use at the end of a text or before a `:`."""
    chunks: list[list[str]] = [[]]
    for token in cut:
        if isinstance(token, Star):
            chunks.append([])
        elif isinstance(token, AnyCharacter):
            chunks[-1].append(any_character)
        else:
            chunks[-1].append(re.escape(str(token)))
    texts = ["".join(chunk) for chunk in chunks]
    if len(texts) == 1:
        return texts[0]
    middle = "".join(f"(?>{any_character}*?{text})" for text in texts[1:-1] if text)
    return f"{texts[0]}{middle}{any_character}*{texts[-1]}"


def compile_sources(sources: Iterable[str]) -> Match:
    """One matcher for several whole-text patterns."""
    expression = "|".join(f"(?:{source})\\Z" for source in sources)
    match = re.compile(expression, re.DOTALL).match
    return lambda text: match(text) is not None


def glob(cut: Sequence[Token]) -> Match:
    """A matcher of whole texts for tokens without variables."""
    return compile_sources([glob_source(cut)])


def split_arn(cut: Sequence[Token]) -> list[list[Token]] | None:
    """The six segments of an ARN pattern; None when it has fewer. A `:` inside a variable does not separate."""
    segments: list[list[Token]] = [[]]
    for token in cut:
        rest: Token = token
        while isinstance(rest, str) and ":" in rest and len(segments) < ARN_SEGMENTS:
            before, _, rest = rest.partition(":")
            if before:
                segments[-1].append(before)
            segments.append([])
        if rest:
            segments[-1].append(rest)
    return segments if len(segments) == ARN_SEGMENTS else None


def arn_source(segments: Sequence[Sequence[Token]]) -> str:
    """The regular expression of an ARN pattern: in the first five segments a wildcard does not cross a `:`."""
    head = [glob_source(segment, any_character="[^:]") for segment in segments[:-1]]
    return ":".join([*head, glob_source(segments[-1])])


class ArnTemplate:
    """An ARN pattern with policy variables: its first five segments are compiled, the last is filled in a request.

    AWS resolves variables after the fifth colon only: a pattern with one before it never matches.
    """

    __slots__ = ("_head", "_misplaced", "_tail")

    def __init__(self, segments: Sequence[Sequence[Token]]) -> None:
        self._misplaced = any(isinstance(token, Variable) for segment in segments[:-1] for token in segment)
        head = [] if self._misplaced else segments[:-1]
        source = ":".join(glob_source(segment, any_character="[^:]") for segment in head)
        self._head = re.compile(f"{source}:", re.DOTALL)
        self._tail = Template(segments[-1])

    def matches(self, text: str, lookup: Lookup) -> bool | None:
        """None when a variable cannot be resolved."""
        if self._misplaced:
            return None
        head = self._head.match(text)
        return head is not None and self._tail.matches(text[head.end() :], lookup)


class LateArn:
    """An ARN pattern of a condition with variables before its last segment: an ARN only once they are resolved.

    AWS keeps variables of a Resource to what follows the fifth colon; of a condition it says no such thing.
    """

    __slots__ = ("_tokens",)

    def __init__(self, cut: Sequence[Token]) -> None:
        self._tokens = tuple(cut)

    def matches(self, text: str, lookup: Lookup) -> bool:
        """False when a variable cannot be resolved, or what it stands for makes no ARN."""
        resolved = resolve(self._tokens, lookup)
        segments = None if resolved is None else split_arn(resolved)
        return segments is not None and compile_sources([arn_source(segments)])(text)


class Template:
    """A text pattern with policy variables. What a variable stands for is literal: a `*` in a tag matches only `*`."""

    __slots__ = ("_chunks", "_tokens")

    def __init__(self, cut: Sequence[Token]) -> None:
        self._tokens = tuple(cut)
        self._chunks = None if any(isinstance(token, AnyCharacter) for token in cut) else _split_at_stars(cut)

    def matches(self, text: str, lookup: Lookup) -> bool | None:
        """None when a variable cannot be resolved."""
        if self._chunks is None:
            resolved = resolve(self._tokens, lookup)
            return None if resolved is None else glob(resolved)(text)
        chunks: list[str] = []
        for chunk in self._chunks:
            parts = resolve(chunk, lookup)
            if parts is None:
                return None
            chunks.append("".join(str(part) for part in parts))
        return _matches_chunks(chunks, text)


def _split_at_stars(cut: Sequence[Token]) -> tuple[tuple[Token, ...], ...]:
    chunks: list[list[Token]] = [[]]
    for token in cut:
        if isinstance(token, Star):
            chunks.append([])
        else:
            chunks[-1].append(token)
    return tuple(tuple(chunk) for chunk in chunks)


def _matches_chunks(chunks: Sequence[str], text: str) -> bool:
    """Whether text is these chunks with anything between them; each chunk is taken at its first occurrence."""
    first, last = chunks[0], chunks[-1]
    if len(chunks) == 1:
        return text == first
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for chunk in chunks[1:-1]:
        found = text.find(chunk, position, end)
        if found < 0:
            return False
        position = found + len(chunk)
    return True
