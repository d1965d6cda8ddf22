"""A file that holds the ConfigMap aws-auth: its sections, and on which lines of the file they stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import yaml

from iambridge.core.aws_auth import SECTIONS, Fault, Section, Unparsable
from iambridge.wire.aws_auth_yaml import LOADER, locate, read_section, read_sections


@dataclass(frozen=True, slots=True)
class AwsAuthFile:
    """`sections` as `core.aws_auth.load` wants them; `faults` are the ConfigMap's own, by the file's lines."""

    sections: Mapping[str, Section]
    faults: tuple[Fault, ...] = ()
    _offsets: Mapping[str, int] = field(default_factory=dict)

    def in_file(self, fault: Fault) -> Fault:
        """The fault with the file's line in place of the section's."""
        return replace(fault, line=fault.line + self._offsets.get(fault.section, 0)) if fault.line else fault


def read_file(text: str) -> AwsAuthFile | Unparsable:
    """Of several documents the ConfigMap named aws-auth, or the only ConfigMap. `problem` says what else it is."""
    try:
        documents = [node for node in yaml.compose_all(text, Loader=LOADER) if node is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return Unparsable(line, column, error.problem or "it cannot be read")
    except (yaml.YAMLError, UnicodeEncodeError, RecursionError):
        return Unparsable(1, 1, "the file is not text, or nests too deep")
    found = [node for document in documents for node in _config_maps(document)]
    named = [node for node in found if _text(_child(_child(node, "metadata"), "name")) == "aws-auth"]
    chosen = named or found
    if len(chosen) != 1:
        return Unparsable(1, 1, f"the file holds {len(chosen)} ConfigMaps that may be aws-auth, and one is wanted")
    return _read(chosen[0])


def of_data(data: Mapping[str, str]) -> AwsAuthFile:
    """The ConfigMap as the API server gives it; lines are the sections'."""
    return AwsAuthFile(read_sections(data))


def _read(node: yaml.Node) -> AwsAuthFile:
    faults: list[Fault] = []
    metadata = _child(node, "metadata")
    for name, wanted in (("name", "aws-auth"), ("namespace", "kube-system")):
        seen = _text(_child(metadata, name))
        if seen != wanted:
            faults.append(
                _fault(
                    "config-map-name",
                    f"metadata.{name}",
                    metadata or node,
                    f"`{seen}` is not {wanted}, and the server reads nothing else",
                    f"write {name}: {wanted}",
                )
            )
    sections: dict[str, Section] = {}
    offsets: dict[str, int] = {}
    for key, value in _pairs(_child(node, "data")):
        name = _text(key)
        if not isinstance(value, yaml.ScalarNode):
            faults.append(
                _fault(
                    "section-not-a-string",
                    f"data.{name}",
                    value,
                    "a ConfigMap's value is a string: the API server refuses this",
                    f"write `{name}: |`",
                )
            )
            sections[name] = locate(value)
            continue
        sections[name] = read_section(value.value) if name in SECTIONS else read_sections({name: ""})[name]
        offsets[name] = value.start_mark.line + (1 if value.style in {"|", ">"} else 0)
    return AwsAuthFile(sections, tuple(faults), offsets)


def _fault(code: str, field_: str, node: yaml.Node, cause: str, fix: str) -> Fault:
    return Fault(code, "ConfigMap", node.start_mark.line + 1, node.start_mark.column + 1, field_, cause, fix)


def _config_maps(node: yaml.Node) -> Iterator[yaml.Node]:
    items = _child(node, "items")
    for one in items.value if isinstance(items, yaml.SequenceNode) else [node]:
        if _text(_child(one, "kind")) == "ConfigMap":
            yield one


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return next((value for key, value in _pairs(node) if _text(key) == name), None)


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
