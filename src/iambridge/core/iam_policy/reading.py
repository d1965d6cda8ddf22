"""What reading a document gives: its statements, or every fault with its path."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from iambridge.core.iam_policy.json_text import JsonNumber, JsonObject
from iambridge.core.iam_policy.statement import Statement
from iambridge.errors import DocumentFault

VERSIONS: Final = ("2008-10-17", "2012-10-17")
SYNTAX: Final = "Syntax errors in policy."
"""AWS's line for whatever it has no better one for."""


class PolicyKind(StrEnum):
    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"
    BOUNDARY = "boundary"
    SESSION = "session"
    SERVICE_CONTROL = "service-control"
    RESOURCE_CONTROL = "resource-control"
    ENDPOINT = "endpoint"


MANAGED_LIMIT: Final = 6144
USER_LIMIT: Final = 2048
GROUP_LIMIT: Final = 5120
ROLE_LIMIT: Final = 10240
LIMITS: Final = {
    PolicyKind.IDENTITY: ROLE_LIMIT,
    PolicyKind.RESOURCE: 20480,
    PolicyKind.TRUST: 8192,
    PolicyKind.BOUNDARY: MANAGED_LIMIT,
    PolicyKind.SESSION: 2048,
    PolicyKind.SERVICE_CONTROL: 10240,
    PolicyKind.RESOURCE_CONTROL: 5120,
    PolicyKind.ENDPOINT: 20480,
}
"""The most characters without white space. Identity: the widest of MANAGED, USER, GROUP and ROLE_LIMIT."""


@dataclass(slots=True)
class Reading:
    """What reading a document gave. `message` is one line for the wire: AWS's where it is known."""

    kind: PolicyKind
    text: str = ""
    version: str = VERSIONS[0]
    statements: list[Statement] = field(default_factory=list)
    faults: list[DocumentFault] = field(default_factory=list)
    message: str = ""

    def fault(self, path: str, message: str, aws: str = "") -> None:
        self.faults.append(DocumentFault(path, message))
        if not self.message:
            self.message = aws or (f"{path}: {message}" if path else message)

    def unknown_name(self, path: str, name: str, known: Sequence[str]) -> None:
        near = difflib.get_close_matches(name, known, n=1)
        self.fault(
            f"{path}.{name}".strip("."), "unknown element" + (f"; did you mean {near[0]}?" if near else ""), SYNTAX
        )

    def repeated(self, entry: JsonObject, path: str) -> None:
        for name in entry.repeated:
            self.fault(f"{path}.{name}".strip("."), "is given more than once", SYNTAX)

    def texts(self, given: object, path: str, empty: str = SYNTAX) -> list[tuple[str, str]]:
        """(path, value) of a string or of each string in a list; `empty` is AWS's line for an empty list."""
        if is_text(given):
            return [(path, str(given))]
        if not isinstance(given, list):
            self.fault(path, "is neither a string nor a list of strings", SYNTAX)
            return []
        if not given:
            self.fault(path, "is empty", empty)
        found = []
        for index, value in enumerate(given):
            if is_text(value):
                found.append((f"{path}[{index}]", str(value)))
            else:
                self.fault(f"{path}[{index}]", "is not a string", SYNTAX)
        return found

    @property
    def variables(self) -> bool:
        return self.version != VERSIONS[0]


def is_text(value: object) -> bool:
    """A JSON string; a number read as its text is none."""
    return isinstance(value, str) and not isinstance(value, JsonNumber)
