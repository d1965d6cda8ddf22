"""Which table a PartiQL statement for DynamoDB is about, and whether it reads or writes. Pure.

Source: DynamoDB Developer Guide, "PartiQL statements for DynamoDB": one statement, one table, no joins or subqueries.
What could be read in two ways is refused, since moto reads the statement again.
"""

import re
from typing import NamedTuple

from iambridge.errors import NotImplementedBySandbox

_TEXT = re.compile(r"'(?:[^']|'')*'")
_NAME = r'(?:"(?P<{0}q>[A-Za-z0-9_.-]+)"|(?P<{0}>[A-Za-z0-9_.-]+?))'
_TABLE = _NAME.format("table") + r'(?:\."(?P<index>[A-Za-z0-9_.-]+)")?'
_FORMS = {
    "Select": re.compile(rf"SELECT\s[\s\w.,*\[\]\"#$()]+?\sFROM\s+{_TABLE}(?:\s[^;]*)?;?", re.IGNORECASE),
    "Insert": re.compile(rf"INSERT\s+INTO\s+{_TABLE}\s+VALUE\s[^;]*;?", re.IGNORECASE),
    "Update": re.compile(rf"UPDATE\s+{_TABLE}\s[^;]*;?", re.IGNORECASE),
    "Delete": re.compile(rf"DELETE\s+FROM\s+{_TABLE}(?:\s[^;]*)?;?", re.IGNORECASE),
}
# with texts taken out, each may stand once at most
_ONCE = re.compile(r"\b(?:FROM|INTO|SELECT|UPDATE|INSERT|DELETE)\b", re.IGNORECASE)
_WORDS = {"Select": 2, "Insert": 2, "Update": 1, "Delete": 2}


class Statement(NamedTuple):
    """`verb` completes the action `PartiQL...`; `secondary` is an index, empty when the table itself is meant."""

    verb: str
    table: str
    secondary: str


def read(statement: str) -> Statement:
    """Raises:
    NotImplementedBySandbox: not one plain SELECT, INSERT, UPDATE or DELETE on one table.
    """
    bare = _TEXT.sub("''", statement).strip()
    for verb, form in _FORMS.items():
        found = form.fullmatch(bare)
        if found is not None and len(_ONCE.findall(bare)) == _WORDS[verb] and "--" not in bare and "/*" not in bare:
            return Statement(verb, found["table"] or found["tableq"], found["index"] or "")
    raise NotImplementedBySandbox(
        "The PartiQL statement cannot be authorized by this sandbox: it does not see which table it is about.",
        fix="write one SELECT, INSERT, UPDATE or DELETE on one table, or use GetItem, Query, PutItem and the like",
    )
