"""What the sandbox installs into its cluster, as an administrator would: the webhook and the daemons' RBAC."""

import base64
from collections.abc import Mapping

from iambridge.errors import NotFound
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster_identities import AUTHENTICATOR, WEBHOOK

_CONFIGURATIONS = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
_CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io"
_CLUSTER_ROLE_BINDINGS = "clusterrolebindings.rbac.authorization.k8s.io"
_RULES: dict[str, list[dict[str, list[str]]]] = {
    WEBHOOK: [
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    ],
    AUTHENTICATOR: [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    ],
}


async def install(client: SystemClient, *, webhook_url: str, ca_pem: bytes) -> None:
    """Put everything in place; what is already right stays as it is."""
    for name, rules in _RULES.items():
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "kube-system"}}
        await _ensure(client, "serviceaccounts", "kube-system", account)
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"iambridge:{name}"},
            "rules": rules,
        }
        await _ensure(client, _CLUSTER_ROLES, "", role)
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"iambridge:{name}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"iambridge:{name}"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}],
        }
        await _ensure(client, _CLUSTER_ROLE_BINDINGS, "", binding)
    await _ensure(client, _CONFIGURATIONS, "", _configuration(webhook_url, ca_pem))


async def _ensure(client: SystemClient, resource: str, namespace: str, wanted: Mapping[str, object]) -> None:
    metadata = wanted["metadata"]
    assert isinstance(metadata, dict)
    try:
        live = await client.get(resource, namespace, str(metadata["name"]))
    except NotFound:
        await client.create(resource, namespace, dict(wanted))
        return
    differs = [key for key in ("rules", "webhooks") if key in wanted and live.get(key) != wanted[key]]
    if differs:
        changed: dict[str, object] = {**live, **{key: wanted[key] for key in differs}}
        await client.update(resource, namespace, changed)


def _configuration(webhook_url: str, ca_pem: bytes) -> dict[str, object]:
    """As EKS registers its own, but reviewed in v1 and told again after other webhooks (IfNeeded)."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "pod-identity-webhook"},
        "webhooks": [
            {
                "name": "iam-for-pods.amazonaws.com",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": f"{webhook_url}/mutate", "caBundle": base64.b64encode(ca_pem).decode()},
                "failurePolicy": "Fail",
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {
                    "matchExpressions": [
                        {"key": "eks.amazonaws.com/skip-pod-identity-webhook", "operator": "DoesNotExist"}
                    ]
                },
                "reinvocationPolicy": "IfNeeded",
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                        "scope": "*",
                    }
                ],
                "sideEffects": "None",
                "timeoutSeconds": 10,
            }
        ],
    }
