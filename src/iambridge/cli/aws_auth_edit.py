"""`iambridge aws-auth get|add|remove|apply|restore`: edits of the live ConfigMap that are planned before they are made.

A write carries the resourceVersion that was read, and what was there before is kept in ConfigMap aws-auth-backup.
"""

import argparse
import asyncio
import contextlib
import difflib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from iambridge.cli import eks_access
from iambridge.cli.aws_auth_cluster import CALLER_HELP, ClusterView, caller_named, client_of, read_cluster
from iambridge.cli.aws_auth_plan import (
    plan_document,
    planned_change,
    say_what_is_not_counted,
    say_what_the_original_does,
)
from iambridge.cli.aws_auth_text import added, removed
from iambridge.core.aws_auth import Entry, Fault, Mappings, Plan
from iambridge.errors import AlreadyExists, Conflict, InputError, KubernetesError, NotFound
from iambridge.wire.aws_auth_yaml import read_sections

_CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
_NAME, _BACKUP = "aws-auth", "aws-auth-backup"
ACTIONS = ("get", "add", "remove", "apply", "restore")


_EPILOG = f"""A write is planned first, as the server will read it, carries the resourceVersion that was read, and keeps
what was there in ConfigMap {_BACKUP}. Comments and the order of entries stay.
{eks_access.HELP}
exit codes: 0 done or nothing to change, 1 the API server refused, 2 bad input or somebody else wrote meanwhile, 3 the
caller or every admin would be locked out, it is unknown, or a new fault: nothing was written (--force writes)
"""


def add_arguments(actions: Any) -> None:
    """`actions` is the subparsers of `iambridge aws-auth`."""

    def action(name: str, text: str) -> Any:
        return actions.add_parser(
            name, help=text, description=text, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    get = action("get", "who is mapped to whom, by which line")
    add = action("add", "map a role or user; nothing else of the text changes")
    add.add_argument("arn", help="IAM role or user ARN")
    add.add_argument("--username", required=True, help="Kubernetes username, or a template")
    add.add_argument("--group", action="append", default=[], metavar="NAME", help="a group; may be repeated")
    add.add_argument("--replace", action="store_true", help="put this in place of an entry that says otherwise")
    remove = action("remove", "take a role or user out")
    remove.add_argument("arn", help="IAM role or user ARN")
    apply = action("apply", "write the ConfigMap of a file, after its plan")
    apply.add_argument("-f", "--file", type=Path, required=True, help="the new ConfigMap, or - for stdin")
    restore = action("restore", "bring back what was before the last edit")
    for sub in (get, add, remove, apply, restore):
        sub.add_argument("--kubeconfig", type=Path, help="the cluster (default: as kubectl finds it)")
        sub.add_argument("--context", help="the kubeconfig's context")
        sub.add_argument("--json", action="store_true", help="for machines")
    for sub in (add, remove, apply, restore):
        sub.add_argument("--dry-run", action="store_true", help="show the change and its plan, and write nothing")
        sub.add_argument("--caller", default="", metavar="ARN", help=CALLER_HELP)
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
            return _get(cluster.mappings, as_json=arguments.json)
        wanted = await _wanted(client, arguments, data)
        say_what_is_not_counted(cluster)
        agreement = None if wanted == data else _agreement(arguments, cluster, data, wanted)
        writing = agreement is not None and agreement.agreed and not arguments.dry_run
        if agreement is not None and not arguments.json:
            _print(agreement)
        if writing:
            await _write(client, found, data, wanted)
        if arguments.json:
            print(json.dumps(_document(agreement, written=writing), indent=2))
        elif agreement is None:
            print("nothing to change")
        elif writing:
            print("written; `iambridge aws-auth restore` brings back what was")
        if agreement is not None and not agreement.agreed:
            eks_access.say_unknown(cluster.eks)
            print("nothing was written; --force writes it", file=sys.stderr)
            return 3
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
        case "remove":
            return removed(data, arguments.arn)
    return added(data, arguments.arn, username=arguments.username, groups=arguments.group, replacing=arguments.replace)


def _of_file(file: Path) -> dict[str, str]:
    """The sections as their text stands in the file."""
    try:
        documents = list(yaml.safe_load_all(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        raise InputError(f"cannot read {file}: {getattr(error, 'problem', None) or error}", where=where,
                         fix="give a YAML file with the ConfigMap") from error  # fmt: skip
    for found in documents:
        named = isinstance(found, dict) and isinstance(found.get("metadata"), dict)
        if named and found.get("kind") == "ConfigMap" and found["metadata"].get("name") == _NAME:
            data = found.get("data") or {}
            if not isinstance(data, dict):
                raise InputError("data is no map", where=str(file), fix="write mapRoles: | below it")
            wrong = next((key for key, value in data.items() if not isinstance(value, str)), "")
            if wrong:
                raise InputError(f"data.{wrong} is not a string", where=str(file), fix=f"write `{wrong}: |`")
            return {str(key): value for key, value in data.items()}
    raise InputError(f"{file} holds no ConfigMap aws-auth", where=str(file), fix="give the file with the ConfigMap")


@dataclass(frozen=True, slots=True)
class _Agreement:
    """What an edit would do. `fresh` are errors that it brings."""

    diff: tuple[str, ...]
    planned: Plan
    fresh: tuple[Fault, ...]
    agreed: bool


def _agreement(
    arguments: argparse.Namespace, cluster: ClusterView, old: Mapping[str, str], new: Mapping[str, str]
) -> _Agreement:
    """The text is read as the server will."""
    diff = [
        line
        for section in sorted({*old, *new})
        for line in difflib.unified_diff(
            old.get(section, "").splitlines(), new.get(section, "").splitlines(), section, section, lineterm="", n=1
        )
    ]
    before, sections = read_sections(old), read_sections(new)
    caller = caller_named(arguments, cluster)
    planned, after = planned_change(
        before, sections, by_original=cluster.by_original, caller=caller, cluster=cluster, access=cluster.eks
    )
    if not cluster.by_original and not arguments.authenticator:
        say_what_the_original_does(before, sections, planned, caller, cluster)
    known = {(fault.code, fault.cause) for fault in cluster.mappings.errors}
    fresh = tuple(fault for fault in after.errors if (fault.code, fault.cause) not in known)
    agreed = arguments.force or (planned.decision.allowed and not fresh)
    return _Agreement(tuple(diff), planned, fresh, agreed)


def _print(agreement: _Agreement) -> None:
    for line in agreement.diff:
        print(line)
    word = "UNKNOWN" if agreement.planned.outcome == "unknown" else "REFUSED"
    for reason in agreement.planned.decision.reasons:
        print(f"{'ok' if reason.held else word:8} {reason.text}")
    for fault in agreement.fresh:
        print(f"FAULT    {fault}")


def _document(agreement: _Agreement | None, *, written: bool) -> dict[str, object]:
    if agreement is None:
        return {"changed": False, "written": False}
    return {
        "changed": True,
        "written": written,
        "diff": list(agreement.diff),
        "plan": plan_document(agreement.planned, list(agreement.fresh)),
    }


async def _write(client: Any, found: dict[str, Any], old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """The backup first, so that there is never a write without one; back to the one before when nothing was written."""
    before = await _keep(client, old)
    changed = {**found, "data": dict(new)}
    try:
        if found["metadata"].get("resourceVersion"):
            await client.put(f"{_CONFIG_MAPS}/{_NAME}", changed)
        else:
            await client.post(_CONFIG_MAPS, changed)
    except KubernetesError as error:
        with contextlib.suppress(KubernetesError):
            await _keep(client, before)
        if not isinstance(error, Conflict | AlreadyExists):
            raise
        raise InputError("somebody else has edited aws-auth meanwhile", where="kube-system/aws-auth",
                         cause=error.message, fix="run it again: it reads the new text first") from error  # fmt: skip


async def _keep(client: Any, data: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Make `data` the backup, or none when it is None; what the backup was before comes back."""
    path = f"{_CONFIG_MAPS}/{_BACKUP}"
    try:
        kept = await client.get(path)
    except NotFound:
        if data is not None:
            metadata = {"name": _BACKUP, "namespace": "kube-system"}
            document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
            await client.post(_CONFIG_MAPS, document)
        return None
    if data is None:
        await client.delete(path)
    else:
        await client.put(path, {**kept, "data": dict(data)})
    return dict(kept.get("data") or {})
