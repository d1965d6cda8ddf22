"""Go's regular expressions (RE2) by Python's: what both know is translated, what only Python knows is refused.

Source: https://github.com/google/re2/wiki/Syntax.
"""

import re
from functools import lru_cache

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_TOKEN = re.compile(r"\\(.)|\[:(\w+):\]|(\(\?(?![:imsP])[^)]{0,3}|\(\?P[=>])|(.)", re.DOTALL)
# what Go says for Python's words
_WORDS = {
    "missing ), unterminated subpattern": "missing closing )",
    "unbalanced parenthesis": "unexpected )",
    "unterminated character set": "missing closing ]",
    "nothing to repeat": "missing argument to repetition operator",
}


class _Unsupported(ValueError):  # caught in this module, never an answer
    pass


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern for `search`.

    Raises:
        ValueError: it is no regular expression, or one that cannot be told in Python's.
    """
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        words = error.msg if isinstance(error, re.error) else str(error)
        raise _Unsupported(f"error parsing regexp: {_WORDS.get(words, words)}: `{pattern}`") from None


def pattern_fault(pattern: str) -> str:
    """Why `pattern` cannot be used; empty when it can."""
    try:
        compiled(pattern)
    except ValueError as error:
        return str(error)
    return ""


def _translated(pattern: str) -> str:
    out: list[str] = []
    opened = -1  # where the text of an open character class begins in `out`, or -1
    for found in _TOKEN.finditer(pattern):
        escaped, posix, group, plain = found.groups()
        text = found.group(0)
        if escaped is not None:
            text = _escape(escaped, pattern)
        elif opened >= 0:
            text = _in_class(posix, text)
            if plain == "]" and "".join(out[opened:]) not in {"", "^"}:
                opened = -1
        elif group is not None:
            raise _Unsupported(f"error parsing regexp: invalid or unsupported Perl syntax: `{group[:3]}`")
        elif plain == "$":
            # Go's $ is the end of the text, Python's also matches before a last newline
            text = r"\Z"
        elif plain == "[":
            opened = len(out) + 1
        elif posix is not None:
            # outside of a class these are brackets like any other
            raise _Unsupported(f"error parsing regexp: missing closing ]: `{text}`")
        out.append(text)
    return "".join(out)


def _in_class(posix: str | None, text: str) -> str:
    if posix is None:
        return r"\[" if text == "[" else text
    if posix not in _POSIX:
        raise _Unsupported(f"error parsing regexp: invalid character class range: `[:{posix}:]`")
    return _POSIX[posix]


def _escape(char: str, pattern: str) -> str:
    if char == "z":
        return r"\Z"
    if char in "123456789" or char in "pPCQEXRKG":
        raise _Unsupported(f"error parsing regexp: `\\{char}` is not supported by the embedded API server: `{pattern}`")
    return "\\" + char
