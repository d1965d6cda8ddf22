"""Who may enter the embedded cluster from outside by a static token, and the kubeconfigs that carry these tokens."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from iambridge.adapters.private_file import write_private

_SERVICE_ACCOUNTS = ("system:serviceaccounts", "system:serviceaccounts:kube-system")
WEBHOOK = "pod-identity-webhook"
AUTHENTICATOR = "aws-iam-authenticator"
_USERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "admin": ("kubernetes-admin", ("system:masters",)),
    WEBHOOK: (f"system:serviceaccount:kube-system:{WEBHOOK}", _SERVICE_ACCOUNTS),
    AUTHENTICATOR: (f"system:serviceaccount:kube-system:{AUTHENTICATOR}", _SERVICE_ACCOUNTS),
}


@dataclass(frozen=True, slots=True)
class ClusterIdentities:
    """`tokens` maps each token to its user name and groups; `kubeconfigs` each identity to its file (0600)."""

    tokens: Mapping[str, tuple[str, tuple[str, ...]]]
    kubeconfigs: Mapping[str, Path]


def open_identities(directory: Path, admin_kubeconfig: Path, *, server: str, ca_pem: bytes) -> ClusterIdentities:
    """Keep one token for each identity in `directory`, and write the kubeconfigs anew."""
    directory.mkdir(mode=0o700, exist_ok=True)
    record = directory / "tokens.json"
    kept: dict[str, str] = json.loads(record.read_bytes()) if record.exists() else {}
    named = {name: kept.get(name) or secrets.token_urlsafe(32) for name in _USERS}
    if named != kept:
        write_private(record, json.dumps(named).encode())
    files = {name: directory / f"{name}.kubeconfig" for name in _USERS} | {"admin": admin_kubeconfig}
    for name, file in files.items():
        write_private(file, _kubeconfig(name, named[name], server=server, ca_pem=ca_pem))
    return ClusterIdentities({named[name]: user for name, user in _USERS.items()}, files)


def _kubeconfig(name: str, token: str, *, server: str, ca_pem: bytes) -> bytes:
    authority = base64.b64encode(ca_pem).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "iambridge",
        "clusters": [{"name": "iambridge", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": "iambridge", "context": {"cluster": "iambridge", "user": name}}],
    }
    return yaml.safe_dump(document, sort_keys=False).encode()
