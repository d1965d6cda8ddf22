"""A cluster as saved files show it: the ConfigMap, roles and bindings, without anybody to ask.

`kubectl get roles,rolebindings,clusterroles,clusterrolebindings -A -o yaml` saves what is needed of RBAC.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from iambridge.cli.aws_auth_cluster import KINDS, ClusterView
from iambridge.cli.eks_access import files_only, read_by_original
from iambridge.core.aws_auth import Unparsable
from iambridge.core.rbac import aggregated_rules
from iambridge.errors import InputError
from iambridge.wire.aws_auth_file import AwsAuthFile, of_data, read_file

_KIND_OF = {"Role": "roles", "RoleBinding": "rolebindings", "ClusterRole": "clusterroles",
            "ClusterRoleBinding": "clusterrolebindings"}  # fmt: skip


def view_of_files(files: list[Path], arguments: argparse.Namespace) -> ClusterView:
    """`rbac` is None when no file holds a role or binding; `missing_roles` are those that bindings name and none holds.

    Kubernetes' own ClusterRoles are filled in where the files leave them out, as manifests do.

    Raises:
        InputError: a file cannot be read, or holds something else.
    """
    rbac: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    aws_auth: AwsAuthFile | None = None
    for file in files:
        text = _text(file)
        objects = _objects(text, str(file))
        for one in objects:
            if one.get("kind") in _KIND_OF:
                rbac[_KIND_OF[str(one["kind"])]].append(one)
        if any(one.get("kind") == "ConfigMap" and one["metadata"].get("name") == "aws-auth" for one in objects):
            aws_auth = _config_map(text, str(file))
    eks = files_only(arguments)
    original = read_by_original(arguments, eks)
    missing = _filled_in(rbac) if any(rbac.values()) else frozenset()
    return ClusterView(
        "", aws_auth or of_data({}), rbac if any(rbac.values()) else None, eks, by_original=original,
        missing_roles=missing, without_config_map=aws_auth is None,
    )  # fmt: skip


def _filled_in(rbac: dict[str, list[dict[str, Any]]]) -> frozenset[str]:
    """Add what every cluster starts with, and say which roles are named and nowhere."""
    from iambridge.sandbox.cluster.objects import bootstrap_rbac  # noqa: PLC0415 - only files need it

    there = {str(role["metadata"].get("name")) for role in rbac["clusterroles"]}
    own = [role for role in bootstrap_rbac.cluster_roles() if role["metadata"]["name"] not in there]
    rbac["clusterroles"] += own
    for role in own:
        rules = aggregated_rules(role, rbac["clusterroles"])
        if rules is not None:
            role["rules"] = rules
    held = {("ClusterRole", "", str(role["metadata"]["name"])) for role in rbac["clusterroles"]}
    held |= {("Role", _namespace(role), str(role["metadata"]["name"])) for role in rbac["roles"]}
    missing = set()
    for binding in (*rbac["rolebindings"], *rbac["clusterrolebindings"]):
        kind, name = str(binding["roleRef"].get("kind")), str(binding["roleRef"].get("name"))
        if (kind, _namespace(binding) if kind == "Role" else "", name) not in held:
            missing.add(name)
    return frozenset(missing)


def _namespace(document: dict[str, Any]) -> str:
    return str(document["metadata"].get("namespace") or "")


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}", where=str(file), fix="name a readable YAML file") from error


def _objects(text: str, shown: str) -> list[dict[str, Any]]:
    try:
        documents = [one for one in yaml.load_all(text, Loader=_LOADER) if one is not None]
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{shown}:{mark.line + 1}" if mark else shown
        raise InputError("the file is not YAML", where=where, fix="give the output of kubectl get -o yaml") from error
    objects = [
        item
        for one in documents
        for item in (one.get("items") or [] if isinstance(one, dict) and "items" in one else [one])
    ]
    for one in objects:
        named = isinstance(one, dict) and isinstance(one.get("metadata"), dict) and one["metadata"].get("name")
        bound = named and (not str(one.get("kind")).endswith("Binding") or isinstance(one.get("roleRef"), dict))
        if not bound:
            raise InputError(
                "a document is no Kubernetes object", where=shown, fix="give output of kubectl get -o yaml"
            )
    return objects


def _config_map(text: str, shown: str) -> AwsAuthFile:
    source = read_file(text)
    if isinstance(source, Unparsable):
        raise InputError(f"{shown} is not aws-auth: {source.problem}", where=f"{shown}:{source.line}",
                         fix="give the file with the ConfigMap aws-auth")  # fmt: skip
    return source


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
