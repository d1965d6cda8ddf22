"""aws-iam-authenticator's dynamic file: JSON with mapRoles, mapUsers and mapAccounts, as located values.

The file is strict JSON (RFC 8259). Lines come from a second, YAML reading of the same text, which JSON is but for a few
escapes; where that fails the values count and every line is 1. Source: pkg/mapper/dynamicfile `DynamicFileData`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from iambridge.core.aws_auth import SECTIONS, Kind, Located, Section, Unparsable
from iambridge.wire.aws_auth_yaml import LOADER

# what the original reads, or knows and does not read; field names have no letter case to its decoder
_KEYS = {name.lower(): name for name in (*SECTIONS, "LastUpdatedDateTime", "Version", "ClusterId")}


@dataclass(frozen=True, slots=True)
class DynamicFile:
    """`sections` as `core.aws_auth.load` wants them. `updated` is LastUpdatedDateTime in seconds since the epoch, 0 for
    none; `unknown` are top-level keys that nobody reads.
    """

    sections: Mapping[str, Section]
    updated: int = 0
    version: str = ""
    unknown: tuple[str, ...] = field(default=())


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its order and its duplicates."""


def read_dynamic_file(text: str) -> DynamicFile | Unparsable:
    try:
        value = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return Unparsable(error.lineno, error.colno, f"the file is not JSON: {error.msg}")
    except (ValueError, RecursionError) as error:
        return Unparsable(1, 1, f"the file is not JSON: {error}")
    if not isinstance(value, _Pairs):
        return Unparsable(1, 1, "the file is no JSON object")
    try:
        root = _located(value, _node(text))
    except UnicodeEncodeError:
        return Unparsable(1, 1, "the file is not JSON: a string holds half a surrogate pair")
    except RecursionError:
        return Unparsable(1, 1, "the file nests too deep")
    names = [_KEYS.get(name.lower(), "") for name, _ in value]
    twice = next((name for name in names if name and names.count(name) > 1), "")
    if twice:
        return Unparsable(1, 1, f"`{twice}` stands twice")
    found = {name: located for name, (_, located) in zip(names, root.fields, strict=True) if name}
    for name in SECTIONS:
        if name in found and found[name].kind not in {Kind.SEQUENCE, Kind.NULL}:
            return Unparsable(found[name].line, found[name].column, f"`{name}` is a {found[name].kind} and no list")
    updated = found["LastUpdatedDateTime"].text if "LastUpdatedDateTime" in found else ""
    return DynamicFile(
        {name: found[name] for name in SECTIONS if name in found},
        updated=int(updated) if updated.isascii() and updated.isdigit() and len(updated) < 12 else 0,
        version=found["Version"].text if "Version" in found else "",
        unknown=tuple(key for (key, _), name in zip(value, names, strict=True) if not name),
    )


def _no_constant(word: str) -> Any:
    raise ValueError(f"`{word}` is no JSON value")


def _node(text: str) -> yaml.Node | None:
    try:
        # a tab is white space to JSON and an error to YAML; inside a string JSON has none
        return yaml.compose(text.replace("\t", " "), Loader=LOADER)
    except (yaml.YAMLError, UnicodeEncodeError, RecursionError):
        return None


def _located(value: Any, node: yaml.Node | None) -> Located:
    """`node` is the same value as YAML reads it, or None."""
    line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (1, 1)
    if isinstance(value, _Pairs):
        fields = node.value if isinstance(node, yaml.MappingNode) and len(node.value) == len(value) else None
        pairs = zip(value, fields or [(None, None)] * len(value), strict=True)
        return Located(
            Kind.MAPPING, line, column, fields=tuple((_located(k, kn), _located(v, vn)) for (k, v), (kn, vn) in pairs)
        )
    if isinstance(value, list):
        items = node.value if isinstance(node, yaml.SequenceNode) and len(node.value) == len(value) else None
        both = zip(value, items or [None] * len(value), strict=True)
        return Located(Kind.SEQUENCE, line, column, items=tuple(_located(item, place) for item, place in both))
    if isinstance(value, str):
        value.encode()
        return Located(Kind.STRING, line, column, text=value)
    if value is None:
        return Located(Kind.NULL, line, column)
    if isinstance(value, bool):
        return Located(Kind.BOOLEAN, line, column, text=str(value).lower())
    return Located(Kind.NUMBER, line, column, text=node.value if isinstance(node, yaml.ScalarNode) else str(value))
