"""A kubeconfig whose user is a ServiceAccount, by a token in a file that clients read again as it changes.

Source: client-go tools/clientcmd/api/v1 types.
"""

from collections.abc import Mapping
from typing import Any

import yaml

_NAME = "pod"


def service_account_kubeconfig(cluster: Mapping[str, Any], *, user: str, namespace: str, token_file: str) -> str:
    """`cluster` is a kubeconfig's own, with the directory of its file under `_directory`. YAML text.

    Without a token file it names no cluster, as a pod has none that mounts no token.
    """
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    if token_file:
        kept = {key: value for key, value in cluster.items() if not key.startswith("_")}
        authority = kept.get("certificate-authority")
        if authority:
            kept["certificate-authority"] = str(cluster["_directory"] / str(authority))
        document |= {
            "current-context": _NAME,
            "clusters": [{"name": _NAME, "cluster": kept}],
            "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": user, "namespace": namespace}}],
            "users": [{"name": user, "user": {"tokenFile": token_file}}],
        }
    return yaml.safe_dump(document, sort_keys=False)
