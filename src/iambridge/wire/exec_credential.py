"""ExecCredential: what an exec plugin answers to kubectl, and the kubeconfig that calls one.

Source: Kubernetes "client-go credential plugins" (client.authentication.k8s.io).
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence

V1BETA1 = "client.authentication.k8s.io/v1beta1"
_VERSIONS = ("client.authentication.k8s.io/v1", V1BETA1)


def api_version(exec_info: str) -> str:
    """The apiVersion that the caller asks for in KUBERNETES_EXEC_INFO; v1beta1 when it asks for none we speak."""
    try:
        asked = json.loads(exec_info)["apiVersion"] if exec_info else V1BETA1
    except (ValueError, KeyError, TypeError, RecursionError):
        return V1BETA1
    return str(asked) if asked in _VERSIONS else V1BETA1


def exec_credential(token: str, *, expires: dt.datetime, version: str) -> str:
    """The document on one line; `expires` is when kubectl should ask again."""
    status = {"expirationTimestamp": expires.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "token": token}
    document = {"kind": "ExecCredential", "apiVersion": version, "spec": {}, "status": status}
    return json.dumps(document, separators=(",", ":"))


def kubeconfig(
    *,
    cluster: str,
    server: str,
    certificate_authority_data: str,
    user: str,
    command: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    namespace: str = "",
) -> str:
    """A kubeconfig with one context named `cluster`, whose user logs in by running `command`. YAML text."""
    q = json.dumps  # a JSON string is a YAML string
    lines = ["apiVersion: v1", "kind: Config", f"current-context: {q(cluster)}", "clusters:", f"- name: {q(cluster)}"]
    lines += ["  cluster:", f"    server: {q(server)}"]
    if certificate_authority_data:
        lines.append(f"    certificate-authority-data: {certificate_authority_data}")
    lines += ["contexts:", f"- name: {q(cluster)}", "  context:", f"    cluster: {q(cluster)}", f"    user: {q(user)}"]
    if namespace:
        lines.append(f"    namespace: {q(namespace)}")
    lines += ["users:", f"- name: {q(user)}", "  user:", "    exec:", f"      apiVersion: {V1BETA1}"]
    lines += [f"      command: {q(command)}", "      args:", *(f"      - {q(word)}" for word in arguments)]
    if environment:
        lines.append("      env:")
        for name, value in environment.items():
            lines += [f"      - name: {q(name)}", f"        value: {q(value)}"]
    lines += ["      interactiveMode: Never", "      provideClusterInfo: false"]
    return "\n".join(lines) + "\n"
