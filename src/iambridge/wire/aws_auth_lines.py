"""The common form of an aws-auth section, read line by line: what tools and people write, at a part of YAML's cost.

    - rolearn: arn:aws:iam::111122223333:role/node
      username: system:node:{{EC2PrivateDNSName}}
      groups:
      - system:nodes

Whatever is not plainly of this form is left to YAML: `read_lines` then answers None. What it does read it reads as
`aws_auth_yaml` does, place by place; a property test compares the two. Documents of 10,000 entries are the reason.
"""

import re

from iambridge.core.aws_auth import Kind, Located

# Strings to every YAML reader: no blank, comment, quote or flow sign that could mean something else.
_WORD = r"[A-Za-z][A-Za-z0-9_./@{}=+,-]*(?::+[A-Za-z0-9_./@{}=+,-]+)*"
_QUOTED = r"\"[ !#-\[\]-~]*\"|'[ -&(-~]*'"
_LINE = re.compile(rf"(- |  )(?:(- |  - )({_WORD}|{_QUOTED})|([A-Za-z]{{1,64}}):(?: ({_WORD}|{_QUOTED}))?)\n")
# words that YAML 1.1 may take for something else
_OTHER_WORDS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
_LONGEST = 512  # characters of a scalar
_STRING = Kind.STRING


def read_lines(text: str) -> Located | None:
    """The section as a list of maps, or None when it is not plainly of the form above."""
    if not text.startswith("- "):
        return None
    section = _Lines()
    position, line, end = 0, 0, len(text)
    match = _LINE.match
    while position < end:
        found = match(text, position)
        if found is None:
            return None
        position, line = found.end(), line + 1
        lead, mark, item, key, value = found.groups()
        read = section.item(line, lead, mark, item) if item is not None else section.field(line, lead, key, value)
        if not read:
            return None
    return section.whole()


class _Lines:
    """The entries so far, the fields of the last one, and the list that its last key waits for."""

    __slots__ = ("_entries", "_fields", "_key", "_mark", "_start", "_values")

    def __init__(self) -> None:
        self._entries: list[Located] = []
        self._fields: list[tuple[Located, Located]] = []
        self._start = 0
        self._key: Located | None = None
        self._values: list[Located] = []
        self._mark = ""

    def item(self, line: int, lead: str, mark: str, text: str) -> bool:
        """An element of the list under the last key, indented as the others. False when it is none."""
        if self._key is None or lead != "  " or (self._values and mark != self._mark):
            return False
        scalar = _scalar(text, line, 1 + len(lead) + len(mark))
        if scalar is None:
            return False
        self._mark = mark
        self._values.append(scalar)
        return True

    def field(self, line: int, lead: str, key: str, value: str | None) -> bool:
        """A key with its value, or with a list to come; the first of an entry has the dash."""
        if key.lower() in _OTHER_WORDS or not self._end_list():
            return False
        if lead == "- ":
            self._end_entry()
            self._start = line
        name = Located(_STRING, line, 3, key)
        if value is None:
            self._key = name
            return True
        scalar = _scalar(value, line, 5 + len(key))
        if scalar is None:
            return False
        self._fields.append((name, scalar))
        return True

    def _end_list(self) -> bool:
        if self._key is None:
            return True
        if not self._values:
            return False
        first = self._values[0]
        # the list's place is that of its first dash
        elements = Located(Kind.SEQUENCE, first.line, first.column - 2, items=tuple(self._values))
        self._fields.append((self._key, elements))
        self._key, self._values = None, []
        return True

    def _end_entry(self) -> None:
        if self._start:
            self._entries.append(Located(Kind.MAPPING, self._start, 3, fields=tuple(self._fields)))
            self._fields = []

    def whole(self) -> Located | None:
        if not self._end_list():
            return None
        self._end_entry()
        return Located(Kind.SEQUENCE, 1, 1, items=tuple(self._entries))


def _scalar(text: str, line: int, column: int) -> Located | None:
    if len(text) > _LONGEST or text.lower() in _OTHER_WORDS:
        return None
    return Located(_STRING, line, column, text[1:-1] if text[0] in "\"'" else text)
