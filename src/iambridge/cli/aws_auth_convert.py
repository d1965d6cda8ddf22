"""`iambridge aws-auth convert`: the same access as aws-auth, IAMIdentityMapping objects or EKS access entries.

Exit codes: 0 nothing is lost, 2 bad input, 3 something would be lost or gained and was not accepted.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from iambridge.core.aws_auth import Unparsable, load
from iambridge.core.cluster_access import AuthenticationMode
from iambridge.core.cluster_access.convert import (
    Converted,
    Kind,
    PlainMapping,
    access_entries,
    of_access_entries,
    plain_mappings,
    without_path,
)
from iambridge.errors import InputError
from iambridge.wire.access_forms import (
    KIND,
    config_map,
    dumped,
    eks_calls,
    eks_commands,
    identity_mapping,
    read_identity_mapping,
)
from iambridge.wire.aws_auth_file import read_file
from iambridge.wire.eks_access import documents
from iambridge.wire.eks_access import eks_access as read_eks_access

_FORMS = ("access-entries", "identity-mappings", "aws-auth")
EPILOG = f"""examples:
  iambridge aws-auth convert aws-auth.yaml --to access-entries --cluster-name prod > entries.sh
  iambridge aws-auth convert aws-auth.yaml --to access-entries --cluster-name prod --json   inputs for --cli-input-json
  iambridge aws-auth convert aws-auth.yaml --to identity-mappings | kubectl apply -f -
  iambridge aws-auth convert saved/*.json --to aws-auth --accept policy,type

FILE is a ConfigMap aws-auth, IAMIdentityMapping objects, or what aws eks describe-cluster, list-access-entries,
describe-access-entry and list-associated-access-policies printed: which, is told by what it holds.

What the other form cannot say is `lost`, what it lets in that was out is `gained`: either ends with exit code 3 and
without the new form, unless its code is accepted (--accept CODE,... or --accept all). `changed` comes to the same.

codes: {
    ", ".join(
        sorted(
            [
                "duplicate",
                "group-template",
                "map-accounts",
                "masters",
                "node-group",
                "node-of-other-account",
                "node-type",
                "not-a-user-or-role",
                "not-described",
                "path-comes-alive",
                "path-left-out",
                "path-wanted",
                "permission-set",
                "policies-not-visible",
                "policy",
                "service-linked-role",
                "system-group",
                "type",
                "unusable",
                "username",
            ]
        )
    )
}, and those of aws-auth lint

exit codes: 0 the new form is printed, 2 bad input, 3 a loss or gain that was not accepted
"""


def add_arguments(actions: Any) -> None:
    """`actions` is the subparsers of `iambridge aws-auth`."""
    convert = actions.add_parser(
        "convert", help="to or from access entries and IAMIdentityMapping objects, every loss named",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    convert.add_argument("file", nargs="+", type=Path, help="the access as it is, or - for stdin")
    convert.add_argument("--to", required=True, choices=_FORMS, help="the form that is wanted")
    convert.add_argument("--cluster-name", default="", metavar="NAME", help="the EKS cluster, for access-entries")
    convert.add_argument("--account", default="", metavar="ID", help="the cluster's account, to which nodes belong")
    convert.add_argument("--accept", default="", metavar="CODE,...", help="losses and gains that are meant, or `all`")
    convert.add_argument("--json", action="store_true", help="findings and the new form as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    if arguments.to == "access-entries" and not arguments.cluster_name:
        raise InputError("access entries belong to a cluster", where="convert", fix="give --cluster-name")
    form, found = _read(arguments.file)
    if form == arguments.to:
        raise InputError(f"the input is {form} already", where="convert", fix="choose another --to")
    if arguments.to == "access-entries":
        access_entries(list(found.mappings), found, account=arguments.account)
    elif arguments.to == "aws-auth":
        found.mappings = list(without_path(list(found.mappings), found))
    accepted = {code.strip() for code in arguments.accept.split(",")}
    refused = [one for one in found.differing if "all" not in accepted and one.code not in accepted]
    if arguments.json:
        print(dumped(_document(arguments, found, refused=bool(refused))))
    else:
        for finding in found.findings:
            mark = "accepted" if finding.kind is not Kind.CHANGED and finding not in refused else finding.kind.value
            fix = f"\n    fix: {finding.fix}" if finding.fix else ""
            print(f"{mark:8} {finding.code}: {finding.where}: {finding.text}{fix}", file=sys.stderr)
        if refused:
            print("nothing is printed: accept the losses and gains by --accept CODE,...", file=sys.stderr)
        else:
            print(_text(arguments, found), end="")
    return 3 if refused else 0


def _document(arguments: argparse.Namespace, found: Converted, *, refused: bool) -> dict[str, object]:
    return {
        "findings": [
            {"kind": one.kind.value, "code": one.code, "where": one.where, "text": one.text, "fix": one.fix}
            for one in found.findings
        ],
        "result": None if refused else _result(arguments, found),
    }


def _result(arguments: argparse.Namespace, found: Converted) -> object:
    match arguments.to:
        case "access-entries":
            return eks_calls(found.entries, arguments.cluster_name)
        case "identity-mappings":
            return [identity_mapping(mapping) for mapping in found.mappings]
    return yaml.safe_load(config_map(found.mappings))


def _text(arguments: argparse.Namespace, found: Converted) -> str:
    match arguments.to:
        case "access-entries":
            wanted = [entry.principal_arn for entry in found.entries if "role/AWSReservedSSO_" in entry.principal_arn]
            return "\n".join(eks_commands(found.entries, arguments.cluster_name, path_wanted=wanted)) + "\n"
        case "identity-mappings":
            return yaml.safe_dump_all([identity_mapping(mapping) for mapping in found.mappings], sort_keys=False)
    return config_map(found.mappings)


def _read(files: Sequence[Path]) -> tuple[str, Converted]:
    """The input's form, and what it maps with what the plain form loses of it."""
    texts = []
    for file in files:
        try:
            texts.append((str(file), sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {file}: {error}", where=str(file), fix="name a readable file") from error
    if all(_is_eks(text) for _, text in texts):
        found = [document for name, text in texts for document in documents(text, name)]
        access = read_eks_access(found, AuthenticationMode.API if not any("cluster" in one for one in found) else "")
        if access.unknown:
            raise InputError(f"not all access entries are given: {access.unknown}", where="convert",
                             fix="add the rest, or write `accessEntries` of what is meant")  # fmt: skip
        return "access-entries", of_access_entries(access.entries)
    objects = [document for _, text in texts for document in _objects(text)]
    if objects and all(one.get("kind") == KIND for one in objects):
        return "identity-mappings", _of_objects(objects)
    if len(texts) != 1:
        raise InputError("one ConfigMap at a time", where="convert", fix="name one file")
    return "aws-auth", _of_config_map(*texts[0])


def _is_eks(text: str) -> bool:
    return text.lstrip()[:1] in {"{", "["} and '"apiVersion"' not in text


def _objects(text: str) -> list[dict[str, Any]]:
    try:
        found = [one for one in yaml.safe_load_all(text) if one is not None]
    except (yaml.YAMLError, RecursionError):
        return []  # the ConfigMap's reader says where
    objects = []
    for one in found:
        items = one.get("items") if isinstance(one, dict) and str(one.get("kind", "")).endswith("List") else [one]
        objects += [each for each in items or [] if isinstance(each, dict)]
    return objects


def _of_objects(objects: Sequence[dict[str, Any]]) -> Converted:
    found = Converted()
    seen: dict[str, PlainMapping] = {}
    for mapping in map(read_identity_mapping, objects):
        other = seen.get(mapping.arn.lower())
        if other is not None:
            text = f"`{mapping.arn}` is mapped by {other.where}, too; which one wins there is chance"
            found.tell(Kind.LOST, "duplicate", mapping.where, text, "keep one of the two")
        seen[mapping.arn.lower()] = mapping
    found.mappings = list(seen.values())
    return found


def _of_config_map(name: str, text: str) -> Converted:
    source = read_file(text)
    if isinstance(source, Unparsable):
        raise InputError(f"{name} cannot be converted: {source.problem}", where=f"{name}:{source.line}",
                         fix="give aws-auth, IAMIdentityMapping objects or the output of aws eks")  # fmt: skip
    mappings = load(source.sections)
    if mappings.stale:
        raise InputError(f"{', '.join(sorted(mappings.stale))} cannot be read", where=name,
                         fix="correct it first: iambridge aws-auth lint")  # fmt: skip
    return plain_mappings(mappings)
