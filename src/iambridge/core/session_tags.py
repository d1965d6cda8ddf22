"""Session tags as STS takes them: which characters they may hold, and how much of a session's space they take.

Sources: STS API Reference, Tag; for the space, two public threads, since AWS tells no format:
aws-actions/configure-aws-credentials issue 1898 (nine tags of 252 characters are 498 %, so it is not compressed) and
aws/containers-roadmap issue 2413 (74 % inherited and 37 % asked for are 112 %).
"""

import re
import unicodedata
from collections.abc import Mapping

MAX_TAGS = 50
TAG_KEY_PATTERN = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"
TAG_VALUE_PATTERN = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"

_PLAIN = re.compile(r"[\w .:/=+@-]*", re.ASCII)
_MARKS = frozenset("_.:/=+-@")
_SPACE = 455  # characters of keys and values that are 100 %


def is_tag_text(text: str) -> bool:
    """Whether a tag's key or value holds letters, separators, digits of any script and `_.:/=+-@` only."""
    if _PLAIN.fullmatch(text) is not None:
        return True
    return all(one in _MARKS or unicodedata.category(one)[0] in "LZN" for one in text)


def packed_tags(tags: Mapping[str, str]) -> int:
    """Per cent of the space for session tags that `tags` take, inherited ones included; over 100 is refused."""
    return sum(len(key) + len(value) for key, value in tags.items()) * 100 // _SPACE
