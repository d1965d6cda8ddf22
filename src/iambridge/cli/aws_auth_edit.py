"""`iambridge aws-auth get|add|remove|apply|restore`: edits of the live ConfigMap that are planned before they are made.

A write carries the resourceVersion that was read, and what was there before is kept in ConfigMap aws-auth-backup.
"""

import argparse
import asyncio
import difflib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iambridge.cli import eks_access
from iambridge.cli.aws_auth_cluster import ClusterView, client_of, read_cluster
from iambridge.cli.aws_auth_plan import planned_change, say_what_the_original_does
from iambridge.core.arn import Arn, canonical_arn
from iambridge.core.aws_auth import Entry, Located, Mappings, load
from iambridge.core.aws_auth.edit import with_entry, without_entry
from iambridge.core.aws_auth.entry import arn_key
from iambridge.errors import Conflict, InputError, NotFound
from iambridge.wire.aws_auth_yaml import read_section, read_sections

_CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
_NAME, _BACKUP = "aws-auth", "aws-auth-backup"
ACTIONS = ("get", "add", "remove", "apply", "restore")


def add_arguments(actions: Any) -> None:
    """`actions` is the subparsers of `iambridge aws-auth`."""
    get = actions.add_parser("get", help="who is mapped to whom, by which line")
    add = actions.add_parser("add", help="map a role or user; nothing else of the text changes")
    add.add_argument("arn", help="IAM role or user ARN")
    add.add_argument("--username", required=True, help="Kubernetes username, or a template")
    add.add_argument("--group", action="append", default=[], metavar="NAME", help="a group; may be repeated")
    add.add_argument("--replace", action="store_true", help="put this in place of an entry that says otherwise")
    remove = actions.add_parser("remove", help="take a role or user out")
    remove.add_argument("arn", help="IAM role or user ARN")
    apply = actions.add_parser("apply", help="write the ConfigMap of a file, after its plan")
    apply.add_argument("-f", "--file", type=Path, required=True, help="the new ConfigMap")
    restore = actions.add_parser("restore", help="bring back what was before the last edit")
    for sub in (get, add, remove, apply, restore):
        sub.add_argument("--kubeconfig", type=Path, help="the cluster (default: as kubectl finds it)")
        sub.add_argument("--context", help="the kubeconfig's context")
        sub.add_argument("--json", action="store_true", help="for machines")
    for sub in (add, remove, apply, restore):
        sub.add_argument("--dry-run", action="store_true", help="show the change and its plan, and write nothing")
        sub.add_argument("--caller", default="", metavar="ARN", help="who must not be locked out")
        sub.add_argument("--force", action="store_true", help="write though somebody is locked out, or it is unknown")
    for sub in (get, add, remove, apply, restore):
        eks_access.add_arguments(sub)


def run(arguments: argparse.Namespace) -> int:
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    async with client_of(arguments) as (client, eks):
        cluster = await read_cluster(
            client, eks, by_original=eks_access.read_by_original(arguments, eks, client.server)
        )
        try:
            found = await client.get(f"{_CONFIG_MAPS}/{_NAME}")
        except NotFound:
            found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _NAME, "namespace": "kube-system"}}
        data = {str(key): str(value) for key, value in (found.get("data") or {}).items()}
        if arguments.action == "get":
            return _get(load(read_sections(data)), as_json=arguments.json)
        wanted = await _wanted(client, arguments, data)
        if wanted == data:
            print("nothing to change")
            return 0
        if not _agreed(arguments, cluster, data, wanted):
            return 3
        if not arguments.dry_run:
            await _write(client, found, data, wanted)
        return 0


def _get(mappings: Mappings, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps([_entry_document(entry) for entry in mappings.entries], indent=2))
        return 0
    for entry in mappings.entries:
        print(
            f"{entry.where:24} {entry.arn or entry.key}  ->  {entry.username or '(nobody)'} [{', '.join(entry.groups)}]"
        )
    for account, line in mappings.accounts.items():
        print(f"mapAccounts line {line:<7} every principal of {account}")
    return 0


def _entry_document(entry: Entry) -> dict[str, object]:
    return {
        "arn": entry.arn or entry.key, "section": entry.section, "line": entry.line, "username": entry.username,
        "groups": list(entry.groups), "refusal": entry.refusal,
    }  # fmt: skip


async def _wanted(client: Any, arguments: argparse.Namespace, data: Mapping[str, str]) -> dict[str, str]:
    match arguments.action:
        case "apply":
            return _of_file(arguments.file)
        case "restore":
            try:
                backup = await client.get(f"{_CONFIG_MAPS}/{_BACKUP}")
            except NotFound as error:
                raise InputError("there is no backup: iambridge has not edited this ConfigMap", where=_BACKUP,
                                 fix="apply a file of your own") from error  # fmt: skip
            return {str(key): str(value) for key, value in (backup.get("data") or {}).items()}
    section, key = _place(arguments.arn)
    text = data.get(section, "")
    parsed = read_section(text)
    if not isinstance(parsed, Located):
        raise InputError(f"{section} is not YAML: {parsed.problem}", where=f"{section} line {parsed.line}",
                         fix="mend it first: iambridge aws-auth lint")  # fmt: skip
    present = [entry for entry in load({section: parsed}).entries if entry.key == key]
    if arguments.action == "remove":
        if not present:
            return dict(data)
        return _changed(data, section, key, without_entry(text, parsed, present[0].index))
    if present and (present[0].username, set(present[0].groups)) == (arguments.username, set(arguments.group)):
        return dict(data)
    if present and not arguments.replace:
        raise InputError(f"{arguments.arn} is mapped to {present[0].username} already", where=present[0].where,
                         fix="give --replace, or remove it first")  # fmt: skip
    if present:
        text = without_entry(text, parsed, present[0].index)
        parsed = read_section(text)
        assert isinstance(parsed, Located)
    text = with_entry(text, section, parsed, arn=arguments.arn, username=arguments.username, groups=arguments.group)
    return _changed(data, section, key, text)


def _changed(data: Mapping[str, str], section: str, key: str, text: str) -> dict[str, str]:
    """The edited data, read back: every other entry must say what it said."""
    new = {**data, section: text}
    said, says = (
        {entry.key: (entry.username, entry.groups) for entry in load(read_sections(one)).entries if entry.key != key}
        for one in (data, new)
    )
    if said != says:
        raise InputError("the edit would change another entry, and is not made", where=section,
                         fix="edit it by hand, and write it with iambridge aws-auth apply -f FILE")  # fmt: skip
    return new


def _of_file(file: Path) -> dict[str, str]:
    from iambridge.cli.explain_injection import read_objects  # noqa: PLC0415 - only apply reads a file

    for found in read_objects([file]):
        if found.get("kind") == "ConfigMap" and found["metadata"].get("name") == _NAME:
            data = found.get("data") or {}
            wrong = next((key for key, value in data.items() if not isinstance(value, str)), "")
            if wrong:
                raise InputError(f"data.{wrong} is not a string", where=str(file), fix=f"write `{wrong}: |`")
            return {str(key): value for key, value in data.items()}
    raise InputError(f"{file} holds no ConfigMap aws-auth", where=str(file), fix="give the file with the ConfigMap")


def _place(arn: str) -> tuple[str, str]:
    try:
        canonical, parsed = canonical_arn(arn), Arn.parse(arn)
    except ValueError as error:
        raise InputError(str(error), where="ARN", fix="give a role's or user's ARN") from error
    if canonical != arn:
        raise InputError(f"`{arn}` is a session's ARN", where="ARN", fix=f"give the role's: {canonical}")
    section = "mapRoles" if parsed.resource_type == "role" else "mapUsers"
    return section, arn_key(arn, ignore_role_path=True)


def _agreed(
    arguments: argparse.Namespace, cluster: ClusterView, old: Mapping[str, str], new: Mapping[str, str]
) -> bool:
    """Print the change; false when it has a new error or locks somebody out. The text is read as the server will."""
    for section in sorted({*old, *new}):
        lines = difflib.unified_diff(
            old.get(section, "").splitlines(), new.get(section, "").splitlines(), section, section, lineterm="", n=1
        )
        print("\n".join(lines))
    caller = canonical_arn(arguments.caller) if arguments.caller else ""
    planned, after = planned_change(
        read_sections(old), read_sections(new), by_original=cluster.by_original, caller=caller, cluster=cluster,
        access=cluster.eks,
    )  # fmt: skip
    before = cluster.mappings
    if not cluster.by_original and not arguments.authenticator:
        say_what_the_original_does(read_sections(old), read_sections(new), planned, caller, cluster)
    word = "UNKNOWN" if planned.outcome == "unknown" else "REFUSED"
    for reason in planned.decision.reasons:
        print(f"{'ok' if reason.held else word:8} {reason.text}")
    fresh = [fault for fault in after.errors if fault.code not in {known.code for known in before.errors}]
    for fault in fresh:
        print(f"FAULT    {fault}")
    if arguments.force or (planned.decision.allowed and not fresh):
        return True
    eks_access.say_unknown(cluster.eks)
    print("nothing was written; --force writes it", file=sys.stderr)
    return False


async def _write(client: Any, found: dict[str, Any], old: Mapping[str, str], new: Mapping[str, str]) -> None:
    backup = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _BACKUP, "namespace": "kube-system"},
        "data": dict(old),
    }
    try:
        kept = await client.get(f"{_CONFIG_MAPS}/{_BACKUP}")
        await client.put(f"{_CONFIG_MAPS}/{_BACKUP}", {**kept, "data": dict(old)})
    except NotFound:
        await client.post(_CONFIG_MAPS, backup)
    changed = {**found, "data": dict(new)}
    try:
        if found["metadata"].get("resourceVersion"):
            await client.put(f"{_CONFIG_MAPS}/{_NAME}", changed)
        else:
            await client.post(_CONFIG_MAPS, changed)
    except Conflict as error:
        raise InputError("somebody else has edited aws-auth meanwhile", where="kube-system/aws-auth",
                         cause=error.message, fix="run it again: it reads the new text first") from error  # fmt: skip
    print("written; `iambridge aws-auth restore` brings back what was")
