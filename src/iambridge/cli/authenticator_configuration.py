"""aws-iam-authenticator's configuration file. Keys are read without letter case; an unknown one is refused by name.

Source: aws-iam-authenticator cmd/aws-iam-authenticator/root.go and server.go, pkg/config/types.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from iambridge.cli.serve_authenticator import ALIASES, BACKENDS
from iambridge.core.aws_auth import Kind, Located, Mappings, Rules, Section, Unparsable, load
from iambridge.errors import InputError
from iambridge.wire.aws_auth_yaml import read_section

_TOP = {"clusterid", "server", "logformat", "featuregates"}
_SERVER = {
    "partition", "port", "address", "statedir", "generatekubeconfig", "kubeconfigpregenerated", "kubeconfig", "master",
    "backendmode", "maproles", "mapusers", "mapaccounts", "scrubbedaccounts", "ec2describeinstancesrolearn",
    "ec2describeinstancesqps", "ec2describeinstancesburst", "reservedprefixconfig", "hostname",
    "dynamicfilepath", "dynamicfileuseridstrict", "sourcearn",
}  # fmt: skip
_REFUSED = {
    "dynamicbackendmodepath": "a file that swaps the backends of a running server decides who gets in past every check"
    " of its start",
}
_SECTIONS = {"maproles": "mapRoles", "mapusers": "mapUsers", "mapaccounts": "mapAccounts"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the file says. `server` holds plain texts by lower-case key; `mappings` is what MountedFile maps."""

    cluster_id: str = ""
    server: Mapping[str, str] = field(default_factory=dict)
    backend_mode: tuple[str, ...] = ()
    scrubbed_accounts: frozenset[str] = frozenset()
    reserved_prefixes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mappings: Mappings = field(default_factory=Mappings)
    dynamic_file_path: Path = Path()
    dynamic_file_user_id_strict: bool = False


def read_configuration(file: Path, rules: Rules) -> Configuration:
    """Raises InputError with the line of the first fault; the mapping's faults are all named."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read {file}", where="--config", cause=str(error), fix="name a readable YAML file"
        ) from error
    document = read_section(text)
    if isinstance(document, Unparsable):
        raise InputError(
            f"{file} is not YAML: {document.problem}", where=f"{file} line {document.line}", fix="correct the line"
        )
    top = _fields(document, file, _TOP, "")
    server = _fields(top["server"], file, _SERVER, "server.") if "server" in top else {}
    return Configuration(
        cluster_id=top["clusterid"].text if "clusterid" in top else "",
        server={name: node.text for name, node in server.items() if node.is_scalar},
        backend_mode=_texts(server.get("backendmode")),
        scrubbed_accounts=frozenset(_texts(server.get("scrubbedaccounts"))),
        reserved_prefixes=_reserved(server.get("reservedprefixconfig"), file),
        mappings=_mappings(server, file, rules),
        dynamic_file_path=Path(server["dynamicfilepath"].text if "dynamicfilepath" in server else ""),
        dynamic_file_user_id_strict=_flag(server.get("dynamicfileuseridstrict"), file),
    )


def _fields(node: Located, file: Path, known: set[str], prefix: str) -> dict[str, Located]:
    if node.is_empty:
        return {}
    if node.kind is not Kind.MAPPING:
        raise InputError(
            f"{prefix or 'the file'} is a {node.kind} and no map", where=f"{file} line {node.line}", fix="write a map"
        )
    found: dict[str, Located] = {}
    for name, value in node.fields:
        key = name.text.lower()
        where = f"{file} line {name.line}"
        if key in _REFUSED:
            raise InputError(f"`{prefix}{name.text}` is not served", where=where, cause=_REFUSED[key],
                fix="leave it out, and change --backend-mode by a restart")  # fmt: skip
        if key not in known:
            raise InputError(
                f"`{prefix}{name.text}` is not a key of this file", where=where, fix="correct or remove it"
            )
        found[key] = value
    return found


def _texts(node: Located | None) -> tuple[str, ...]:
    if node is None or node.is_empty:
        return ()
    return (
        tuple(item.text for item in node.items)
        if node.kind is Kind.SEQUENCE
        else tuple(node.text.replace(",", " ").split())
    )


def _flag(node: Located | None, file: Path) -> bool:
    if node is None or node.is_empty:
        return False
    if node.text.lower() not in {"true", "false"}:
        raise InputError(f"`{node.text}` is neither true nor false", where=f"{file} line {node.line}", fix="write one")
    return node.text.lower() == "true"


def _reserved(node: Located | None, file: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for item in node.items if node is not None else ():
        fields = _fields(item, file, {"backendmode", "usernameprefixreservelist"}, "reservedPrefixConfig[].")
        if "backendmode" not in fields or "usernameprefixreservelist" not in fields:
            raise InputError("an entry of reservedPrefixConfig lacks backendMode or usernamePrefixReserveList",
                             where=f"{file} line {item.line}", fix="give both")  # fmt: skip
        name = ALIASES.get(fields["backendmode"].text, fields["backendmode"].text)
        if name not in BACKENDS:
            raise InputError(f"`{name}` is not a backend, and so nothing would be reserved",
                where=f"{file} line {fields['backendmode'].line}", fix=f"use {', '.join(BACKENDS)}")  # fmt: skip
        found[name] = tuple(prefix for prefix in _texts(fields["usernameprefixreservelist"]) if prefix)
    return found


def _mappings(server: Mapping[str, Located], file: Path, rules: Rules) -> Mappings:
    """Any fault ends the start, as in the original: nobody watches a file's Events."""
    sections: dict[str, Section] = {_SECTIONS[key]: node for key, node in server.items() if key in _SECTIONS}
    mappings = load(sections, rules=rules)
    if mappings.errors:
        raise InputError(
            f"{file} has {len(mappings.errors)} faults in its mapping",
            where=str(file),
            cause="\n         ".join(str(fault) for fault in mappings.errors),
            fix="correct the lines named",
        )
    return mappings
