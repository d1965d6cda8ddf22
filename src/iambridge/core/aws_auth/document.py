"""A document's values with the place of each, and the faults that name those places."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a YAML 1.1 reader takes a value for. A word that is no string here lost its quotes."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    OTHER = "timestamp or other type"
    SEQUENCE = "list"
    MAPPING = "map"


@dataclass(frozen=True, slots=True)
class Located:
    """A value and where it stands; `line` and `column` count from 1.

    A scalar has its `text` as written, so `012345678901` keeps its zero. A list has `items`, a map `fields`.
    """

    kind: Kind
    line: int
    column: int
    text: str = ""
    items: tuple["Located", ...] = ()
    fields: tuple[tuple["Located", "Located"], ...] = ()

    @property
    def is_scalar(self) -> bool:
        return self.kind not in {Kind.SEQUENCE, Kind.MAPPING}

    @property
    def is_empty(self) -> bool:
        """Nothing, `null`, an empty string or an empty list: as the original takes them."""
        if self.is_scalar:
            return self.kind is Kind.NULL or self.text.strip(" \t\r\n`\"'") == ""
        return not self.items and not self.fields


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A text that is no YAML, and where the reader gave up."""

    line: int
    column: int
    problem: str


Section = Located | Unparsable


class Severity(StrEnum):
    """An error makes the server grant less than the text may have meant; a warning changes nothing that is granted."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. `section` is the ConfigMap's key, `line` counts within it, `field` is `[2].groups[0]`."""

    code: str
    section: str
    line: int
    column: int
    field: str
    cause: str
    fix: str
    severity: Severity = Severity.ERROR

    @property
    def where(self) -> str:
        place = f"{self.section} line {self.line}" if self.line else self.section
        return f"{place}, {self.field}" if self.field else place

    def __str__(self) -> str:
        return f"{self.where}: {self.cause}; {self.fix}"
