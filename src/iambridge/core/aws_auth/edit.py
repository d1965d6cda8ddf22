"""Adds and removes one entry in a section's text, and touches no other line: comments, order and quotes stay.

An edit is a text; whoever makes one reads it back and compares before it counts (`cli.aws_auth_edit`).
"""

import json
import re
from collections.abc import Sequence

from iambridge.core.aws_auth.document import Kind, Located
from iambridge.errors import InputError

_FIELD = {"mapRoles": "rolearn", "mapUsers": "userarn"}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9:/_.{}@=+-]*")
_NOT_STRINGS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def with_entry(text: str, section: str, parsed: Located, *, arn: str, username: str, groups: Sequence[str]) -> str:
    """`text` with one entry more at its end, indented as its list is. `parsed` is the text as it was read."""
    indent = ""
    if parsed.is_empty:
        text = "".join(f"{line}\n" for line in text.splitlines() if line.lstrip().startswith("#"))
    else:
        _refuse_flow(text, parsed)
        first = text.splitlines()[parsed.line - 1]
        indent = first[: len(first) - len(first.lstrip())]
        text = text if text.endswith("\n") else text + "\n"
    lines = entry_lines(section, arn=arn, username=username, groups=groups)
    return text + "".join(f"{indent}{line}\n" for line in lines)


def entry_lines(section: str, *, arn: str, username: str, groups: Sequence[str]) -> list[str]:
    """One entry, a line a value, with quotes where YAML would take a value for something else."""
    lines = [f"- {_FIELD[section]}: {_scalar(arn)}", f"  username: {_scalar(username)}"]
    return [*lines, "  groups:", *(f"    - {_scalar(group)}" for group in groups)] if groups else lines


def without_entry(text: str, parsed: Located, index: int) -> str:
    """`text` without the lines of entry `index`; comments above the next entry stay. An emptied list is `[]`."""
    _refuse_flow(text, parsed)
    lines = text.splitlines()
    start = parsed.items[index].line - 1
    for item in parsed.items[index : index + 2]:  # the next one's dash must not go with this one's lines
        if not lines[item.line - 1].lstrip().startswith("-"):
            raise _by_hand("the entry, or the next one, does not start on its dash's line")
    end = parsed.items[index + 1].line - 1 if index + 1 < len(parsed.items) else len(lines)
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    kept = lines[:start] + lines[end:]
    if len(parsed.items) == 1:
        kept.append("[]")
    return "".join(f"{line}\n" for line in kept)


def _refuse_flow(text: str, parsed: Located) -> None:
    first = text.splitlines()[parsed.line - 1] if parsed.kind is Kind.SEQUENCE else ""
    if not first.lstrip().startswith("-"):
        raise _by_hand("the section is not a list of lines that begin with a dash")


def _by_hand(cause: str) -> InputError:
    return InputError("this section cannot be edited line by line", cause=cause, where="aws-auth",
                      fix="edit it by hand: iambridge aws-auth apply -f FILE checks the plan first")  # fmt: skip


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and not text.endswith(":") and text.lower() not in _NOT_STRINGS
    return text if plain else json.dumps(text, ensure_ascii=False)
