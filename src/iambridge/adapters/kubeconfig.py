"""How to reach and convince an API server: kubeconfig files, exec credential plugins, and a pod's own ServiceAccount.

Sources: client-go tools/clientcmd/api/v1 types, the client-authentication reference (client.authentication.k8s.io/v1),
and client-go rest.InClusterConfig. A field that changes who is asked, or as whom, and is not understood, is refused.
"""

import asyncio
import base64
import binascii
import datetime as dt
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from iambridge.errors import InputError

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_FILE_SECONDS = 60.0  # client-go re-reads a token file each minute
_EXEC_SECONDS = 60.0
_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


@dataclass(slots=True)
class Credential:
    """What a request carries: a bearer token, headers, and a TLS context that holds the client certificate, if any."""

    tls: ssl.SSLContext | None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ClusterAccess:
    """One way into one cluster. `server` is a base URL without a trailing slash.

    `namespace` is the context's, `cluster_name` what the kubeconfig calls the cluster.
    `credential(refresh=True)` asks the source anew, which is right after a 401.
    """

    server: str
    trust: ssl.SSLContext | None
    tls_server_name: str | None = None
    proxy: str | None = None
    token: str = ""
    token_file: Path | None = None
    exec: Mapping[str, Any] | None = None
    exec_directory: Path | None = None
    cluster_for_exec: Mapping[str, Any] | None = None
    impersonation: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    cluster_name: str = ""
    _cached: Credential | None = None
    _good_until: float = 0.0

    async def credential(self, now: float, *, refresh: bool = False) -> Credential:
        """`now` is seconds since the epoch.

        Raises:
            InputError: the token file cannot be read, or the exec plugin fails.
        """
        if self._cached is not None and now < self._good_until and not refresh:
            return self._cached
        headers = dict(self.impersonation)
        tls, good_until = self.trust, float("inf")
        if self.exec is not None:
            token, certificate, expires = await _run_plugin(self.exec, self.exec_directory, self.cluster_for_exec)
            good_until = expires
            if certificate is not None and tls is not None:
                _load_pair(tls, *certificate)
        elif self.token_file is not None:
            token, good_until = _read_text(self.token_file, "tokenFile").strip(), now + _TOKEN_FILE_SECONDS
        else:
            token = self.token
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._cached, self._good_until = Credential(tls, headers), good_until
        return self._cached


def in_cluster(directory: Path = _SERVICE_ACCOUNT) -> ClusterAccess:
    """A pod's own ServiceAccount.

    Raises:
        InputError: this process does not run in a pod.
    """
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise InputError(
            "this process does not run in a pod: KUBERNETES_SERVICE_HOST is not set",
            fix="name a file with --kubeconfig",
        )
    host = f"[{host}]" if ":" in host else host
    trust = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    return ClusterAccess(f"https://{host}:{port}", trust, token_file=directory / "token")


def from_kubeconfig(path: Path | None = None, context: str | None = None) -> ClusterAccess:
    """The `context` (default: current-context) of `path`, else of $KUBECONFIG's files merged, else of ~/.kube/config.

    Raises:
        InputError: a file is missing or wrong, with file and field.
    """
    files = [path] if path is not None else _default_files()
    config = _merge(files)
    name = context or config["current-context"]
    shown = ", ".join(str(file) for file in files)
    if not name:
        raise InputError("no context is chosen", where=shown, fix="set current-context, or name one with --context")
    chosen = _named(config, "contexts", name, "context", shown)
    cluster = _named(config, "clusters", str(chosen.get("cluster", "")), "cluster", shown)
    user = _named(config, "users", str(chosen.get("user", "")), "user", shown) if chosen.get("user") else {}
    access = _access(cluster, user, shown)
    access.namespace = str(chosen.get("namespace") or "")
    access.cluster_name = str(chosen.get("cluster") or "")
    return access


def _default_files() -> list[Path]:
    listed = [Path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if listed:
        there = [file for file in listed if file.exists()]
        return there or listed[:1]
    return [Path.home() / ".kube" / "config"]


def _merge(files: list[Path]) -> dict[str, Any]:
    """client-go's rule: the first file that sets a value, or names an entry, wins."""
    merged: dict[str, Any] = {"current-context": "", "contexts": {}, "clusters": {}, "users": {}}
    for file in files:
        try:
            document = yaml.safe_load(_read_text(file, "kubeconfig"))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise InputError("the kubeconfig is not YAML", where=f"{file}{line}", fix="correct the file") from error
        if document is None:
            continue
        if not isinstance(document, dict):
            raise InputError("the kubeconfig is not a mapping", where=str(file), fix="give a file with kind: Config")
        merged["current-context"] = merged["current-context"] or document.get("current-context") or ""
        for section in ("contexts", "clusters", "users"):
            for index, entry in enumerate(document.get(section) or []):
                if not isinstance(entry, dict) or not isinstance(entry.get(section[:-1]) or {}, dict):
                    raise InputError("the entry is not a mapping", where=f"{file}: {section}[{index}]")
                values = {**(entry.get(section[:-1]) or {}), "_directory": file.absolute().parent}
                merged[section].setdefault(str(entry.get("name", "")), values)
    return merged


def _named(config: Mapping[str, Any], section: str, name: str, word: str, shown: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = config[section][name]
    except KeyError:
        known = ", ".join(sorted(config[section])) or "none"
        raise InputError(f"no {word} is called {name!r}", where=shown, fix=f"choose one of: {known}") from None
    return found


def _access(cluster: dict[str, Any], user: dict[str, Any], shown: str) -> ClusterAccess:
    server = str(cluster.get("server", "")).rstrip("/")
    scheme = urlsplit(server).scheme
    if scheme not in {"http", "https"}:
        raise InputError(f"the cluster's server is {server!r}, not an http or https URL", where=shown)
    for refused in ("auth-provider", "username", "password"):
        if user.get(refused):
            raise InputError(
                f"the user's {refused!r} is not supported", where=shown, fix="use a token, a client certificate or exec"
            )
    proxy = cluster.get("proxy-url")
    if proxy and urlsplit(str(proxy)).scheme not in {"http", "https"}:
        raise InputError("only http and https proxies are supported", where=f"{shown}: proxy-url")
    trust = _trust(cluster) if scheme == "https" else None
    certificate = _bytes_of(user, "client-certificate")
    key = _bytes_of(user, "client-key")
    if trust is not None and certificate and key:
        _load_pair(trust, certificate, key)
    token_file = user.get("tokenFile")
    return ClusterAccess(
        server=server,
        trust=trust,
        tls_server_name=cluster.get("tls-server-name"),
        proxy=proxy,
        token=str(user.get("token") or ""),
        token_file=user["_directory"] / token_file if token_file else None,
        exec=user.get("exec"),
        exec_directory=user.get("_directory"),
        cluster_for_exec=cluster,
        impersonation=_impersonation(user),
    )


def _trust(cluster: dict[str, Any]) -> ssl.SSLContext:
    authority = _bytes_of(cluster, "certificate-authority")
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise InputError("the certificate-authority is not a PEM certificate", cause=str(error)) from error
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _bytes_of(entry: Mapping[str, Any], name: str) -> bytes:
    """`name`-data (base64) wins over the file `name`, as in client-go."""
    encoded = entry.get(f"{name}-data")
    if encoded:
        try:
            return base64.b64decode(str(encoded), validate=True)
        except binascii.Error as error:
            raise InputError(f"{name}-data is not base64", fix="write the kubeconfig again") from error
    file = entry.get(name)
    if not file:
        return b""
    return _read_text(entry["_directory"] / str(file), name).encode()


def _read_text(file: Path, what: str) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InputError(
            f"cannot read the {what} file: {reason}", where=str(file), fix="check path and mode"
        ) from error


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Python's ssl reads a client certificate from files only, so they live for a moment in a private directory."""
    with tempfile.TemporaryDirectory() as name:
        pair = Path(name) / "pair.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(certificate + b"\n" + key)
        try:
            context.load_cert_chain(pair)
        except ssl.SSLError as error:
            raise InputError("the client certificate and key do not go together", cause=error.reason or "") from error


def _impersonation(user: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if user.get("as"):
        headers["impersonate-user"] = str(user["as"])
    if user.get("as-uid"):
        headers["impersonate-uid"] = str(user["as-uid"])
    for refused in ("as-groups", "as-user-extra"):
        if user.get(refused):
            raise InputError(f"the user's {refused!r} is not supported", fix="impersonate a user without groups")
    return headers


async def _run_plugin(
    plugin: Mapping[str, Any], directory: Path | None, cluster: Mapping[str, Any] | None
) -> tuple[str, tuple[bytes, bytes] | None, float]:
    """Token, client certificate and key, and when they expire (seconds since the epoch)."""
    version = str(plugin.get("apiVersion", ""))
    command = str(plugin.get("command", ""))
    if version not in _EXEC_VERSIONS:
        raise InputError(f"exec apiVersion {version!r} is not supported", fix=f"use {_EXEC_VERSIONS[0]}")
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo") and cluster is not None:
        spec["cluster"] = {key: value for key, value in cluster.items() if not key.startswith("_")}
    environment = {
        **os.environ,
        **{str(pair["name"]): str(pair["value"]) for pair in plugin.get("env") or []},
        "KUBERNETES_EXEC_INFO": json.dumps({"kind": "ExecCredential", "apiVersion": version, "spec": spec}),
    }
    if os.sep in command and directory is not None:
        command = str(directory / command)  # a relative path is relative to its kubeconfig
    hint = plugin.get("installHint") or "run the command by hand to see its error"
    try:
        process = await asyncio.create_subprocess_exec(
            command, *map(str, plugin.get("args") or []), env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        output, errors = await asyncio.wait_for(process.communicate(), _EXEC_SECONDS)
    except (OSError, TimeoutError) as error:
        raise InputError(f"the exec plugin {command} did not run: {error}", fix=str(hint)) from error
    if process.returncode != 0:
        raise InputError(
            f"the exec plugin {command} exited with {process.returncode}",
            cause=errors.decode(errors="replace").strip()[-500:],
            fix=str(hint),
        )
    return _exec_credential(output, command)


def _exec_credential(output: bytes, command: str) -> tuple[str, tuple[bytes, bytes] | None, float]:
    try:
        status = json.loads(output)["status"]
        expires = status.get("expirationTimestamp")
        until = dt.datetime.fromisoformat(expires).timestamp() if expires else float("inf")
        token, certificate, key = (
            str(status.get(name) or "") for name in ("token", "clientCertificateData", "clientKeyData")
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the exec plugin {command} printed no ExecCredential with a status") from error
    if not token and not (certificate and key):
        raise InputError(f"the exec plugin {command} gave neither a token nor a client certificate with its key")
    return token, (certificate.encode(), key.encode()) if certificate else None, until


def anonymous(server: str) -> ClusterAccess:
    """An API server by its URL alone, trusted by the system's certificates, without a credential."""
    return ClusterAccess(server.rstrip("/"), ssl.create_default_context() if server.startswith("https") else None)
