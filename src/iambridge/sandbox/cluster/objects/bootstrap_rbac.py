"""The roles and bindings that every cluster starts with: cluster-admin, admin, edit, view and `system:*`.

Generated from Kubernetes' own bootstrap policy by tools/kubernetes_types. `system:node` is bound to nobody: the node
authorizer (`cluster.node_authorization`) grants its rules, object by object.
"""

import copy
import gzip
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


@cache
def _items() -> list[dict[str, Any]]:
    data = files(__package__).joinpath("bootstrap_rbac.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(data), type=list[dict[str, Any]])


def _of(kind: str) -> list[dict[str, Any]]:
    return [copy.deepcopy(item) for item in _items() if item["kind"] == kind]


def cluster_roles() -> list[dict[str, Any]]:
    """ClusterRoles; those with an aggregationRule have their rules filled in by `core.rbac.aggregated_rules`."""
    return _of("ClusterRole")


def roles() -> list[dict[str, Any]]:
    return _of("Role")


def role_bindings() -> list[dict[str, Any]]:
    return _of("RoleBinding")


def cluster_role_bindings() -> list[dict[str, Any]]:
    return _of("ClusterRoleBinding")
