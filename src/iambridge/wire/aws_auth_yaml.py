"""The YAML text of an aws-auth section as located values: what the reader takes each for, and where it stands.

Source: YAML 1.1 as the original reads it. Scalars keep their text, so nothing turns octal on the way.
"""

from collections.abc import Mapping

import yaml

from iambridge.core.aws_auth import Kind, Located, Section, Unparsable
from iambridge.wire.aws_auth_lines import read_lines

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 16
_KINDS = {
    "tag:yaml.org,2002:str": Kind.STRING,
    "tag:yaml.org,2002:int": Kind.NUMBER,
    "tag:yaml.org,2002:float": Kind.NUMBER,
    "tag:yaml.org,2002:bool": Kind.BOOLEAN,
    "tag:yaml.org,2002:null": Kind.NULL,
}
_EMPTY = Located(Kind.NULL, 1, 1)


class _Refused(Exception):
    def __init__(self, node: yaml.Node, problem: str) -> None:
        super().__init__(problem)
        self.node = node
        self.problem = problem


def read_sections(texts: Mapping[str, str]) -> dict[str, Section]:
    """A ConfigMap's `data` by key; only the three sections are read as YAML, other keys stay for the fault list."""
    return {
        name: read_section(text) if name in {"mapRoles", "mapUsers", "mapAccounts"} else _EMPTY
        for name, text in texts.items()
    }


def read_section(text: str) -> Section:
    """One document. Tags, several documents, and aliases that nest or recurse are refused by name."""
    if not text.strip(" \t\r\n`\"'"):
        return _EMPTY  # as the original takes what an empty template leaves
    return read_lines(text) or _read_yaml(text)


def _read_yaml(text: str) -> Section:
    try:
        node = yaml.compose(text, Loader=LOADER)
        return _EMPTY if node is None else _located(node, 0, {})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be read"
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return Unparsable(line, column, _explained(text, line, problem))
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        return Unparsable(text.count("\n", 0, position) + 1, 1, f"{error.reason}")
    except _Refused as refused:
        mark = refused.node.start_mark
        return Unparsable(mark.line + 1, mark.column + 1, refused.problem)
    except UnicodeEncodeError:
        return Unparsable(1, 1, "the text is not Unicode")
    except RecursionError:
        return Unparsable(1, 1, "the text nests too deep")


def locate(node: yaml.Node) -> Section:
    """A node of a larger document as a section; its lines are the document's."""
    try:
        return _located(node, 0, {})
    except _Refused as refused:
        mark = refused.node.start_mark
        return Unparsable(mark.line + 1, mark.column + 1, refused.problem)


def _located(node: yaml.Node, depth: int, seen: dict[int, Located]) -> Located:
    if depth > _MAX_DEPTH:
        raise _Refused(node, "the text nests too deep")
    known = seen.get(id(node))
    if known is not None:
        return known
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.ScalarNode):
        found = Located(_KINDS.get(node.tag, Kind.OTHER), line, column, text=node.value)
    elif isinstance(node, yaml.SequenceNode):
        items = tuple(_located(item, depth + 1, seen) for item in node.value)
        found = Located(Kind.SEQUENCE, line, column, items=items)
    else:
        fields = tuple((_located(k, depth + 1, seen), _located(v, depth + 1, seen)) for k, v in node.value)
        found = Located(Kind.MAPPING, line, column, fields=fields)
    seen[id(node)] = found
    return found


def _explained(text: str, line: int, problem: str) -> str:
    """The reader's words, and the usual cause where the line shows it."""
    lines = text.split("\n")
    broken = lines[line - 1] if line <= len(lines) else ""
    if "\t" in broken[: len(broken) - len(broken.lstrip())]:
        return f"{problem} (a tab indents the line; YAML wants spaces)"
    if "//" in broken and ": //" in broken:
        return f"{problem} (`//` begins no comment, and a template engine ate the braces of {{{{EC2PrivateDNSName}}}})"
    return problem
